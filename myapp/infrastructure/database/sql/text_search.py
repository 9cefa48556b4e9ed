"""How SQLite and PostgreSQL find a part of a text, and what keeps their indexes."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from zlib import crc32

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)

from myapp.infrastructure.database.sql.connection import Step, Steps
from myapp.infrastructure.database.sql.schema import todo_entry

JOINED_TEXT = "replace(search_text, ' ', 'q')"
"""What PostgreSQL indexes. Any letter would do; one of ASCII is a letter in every locale."""

Condition = ColumnElement[bool]

Texts = Mapping[int, str]
"""Values of search_text by the numbers of their rows."""

Upkeep = Sequence[tuple[ClauseElement, Sequence[Mapping[str, object]]]]
"""Statements, each to be executed with several values."""

_TRIGRAMS_MOST = 10  # FTS5 takes time for each, times the number of texts that have it
_WORDS_MOST = 8
_MEETINGS_LEAST, _MEETINGS_MOST = 3, 8
_MEETING = re.compile(r"\S \S")
_NEIGHBOUR = 3  # characters of those next to a word: of one alone they took 2.5 times as long

_KEEP_TRIGRAMS = text(
    "INSERT INTO todo_entry_search_trigrams (todo_entry_search_trigrams, rowid, search_text)"
    " VALUES (:command, :number, :text)"
)
_KEEP_PHRASES = text(
    "INSERT INTO todo_entry_search_phrases (todo_entry_search_phrases, rowid, words)"
    " VALUES (:command, :number, :text)"
)
_FORGET_EVERYTHING = (
    text(
        "INSERT INTO todo_entry_search_trigrams (todo_entry_search_trigrams)"
        " VALUES ('delete-all')"
    ),
    text(
        "INSERT INTO todo_entry_search_phrases (todo_entry_search_phrases)"
        " VALUES ('delete-all')"
    ),
)
ONE_PIECE = (
    text(
        "INSERT INTO todo_entry_search_trigrams (todo_entry_search_trigrams)"
        " VALUES ('optimize')"
    ),
    text(
        "INSERT INTO todo_entry_search_phrases (todo_entry_search_phrases) VALUES ('optimize')"
    ),
)
"""What lets FTS5 merge the pieces of its indexes after much was added.

Otherwise whoever stores next does it bit by bit: creating took a third longer.
"""
_TRIGRAMS, _PHRASES = "todo_entry_search_trigrams", "todo_entry_search_phrases"
_LOOK_INTO = {
    index: text(f"CREATE VIRTUAL TABLE temp.todo_token USING fts5vocab(main, {index}, row)")
    for index in (_TRIGRAMS, _PHRASES)
}
_COUNT_TOKENS = text("SELECT coalesce(sum(doc), 0) FROM temp.todo_token")
_LOOK_AWAY = text("DROP TABLE temp.todo_token")
_SEARCH_TEXT = todo_entry.c.search_text
_PATTERN = bindparam("pattern", type_=Text)
_WORDS = bindparam("words", type_=Text)
_WANTED = bindparam("wanted", type_=Text)


def words_in(text: str) -> str:
    """Answer each word between two others, with the characters next to it, as a number.

    Texts of the same few words share every one of them, but seldom three in a row. What a
    part of a text has, the text has as well: the part's first and last word may be the rest of
    longer ones, and count only if what is next to their neighbour is all there.
    """
    words = text.split(" ")
    for edge in (0, -1):
        if len(words[edge]) < _NEIGHBOUR:
            words[edge] = ""
    return " ".join(
        f"{crc32(f'{before[-_NEIGHBOUR:]} {word} {after[:_NEIGHBOUR]}'.encode()):x}"
        for before, word, after in zip(words, words[1:], words[2:], strict=False)
        if before and word and after
    )


class TextSearch(ABC):
    """How a database finds the value `wanted`, a folded text, in the column search_text."""

    @abstractmethod
    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        """Answer what keeps the index up to date when texts, by number, are replaced."""

    @abstractmethod
    def clearing(self) -> Sequence[ClauseElement]:
        """Answer what empties the index when all entries are deleted."""

    @abstractmethod
    def tokens_of(self, text: str) -> Mapping[str, int]:
        """Answer how many different tokens of a text each index that is kept has to have."""

    @abstractmethod
    def tokens(self) -> Steps[Counter[str]]:
        """Answer how many each has, those of each text counted."""

    @abstractmethod
    def contains(self, search_text: ColumnElement[str]) -> Condition:
        """Answer whether the text of a row at hand has it."""

    @abstractmethod
    def candidates(self, *, by_words: bool) -> Select[tuple[int]]:
        """Answer the numbers of the rows that may have it, found by an index.

        By that of words only if there are some in it.
        """

    @abstractmethod
    def numbers(self, *, by_words: bool) -> Select[tuple[int]]:
        """Answer the numbers of those that have it, found by the same index."""

    @abstractmethod
    def values(self, wanted: str) -> Mapping[str, object]:
        """Answer the values in these conditions for what is wanted."""


class SqliteSearch(TextSearch):
    """By FTS5: its trigrams, and words with what is next to them where a search has such.

    Neither index knows where in a text something is: with that they took three times the
    space. No trigger keeps them: SQLite would write them out for each row by itself, which
    made adding entries five times as slow.
    """

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        # FTS5 gathers what it is told in the order of the numbers, and writes it out whenever
        # one is not above the last: in any other order, a change cost half as much again.
        texts = [
            {"command": command, "number": number, "text": texts[number]}
            for number in sorted({**before, **after})
            for command, texts in (("delete", before), (None, after))
            if number in texts
        ]
        words = [{**values, "text": words_in(str(values["text"]))} for values in texts]
        return ((_KEEP_TRIGRAMS, texts), (_KEEP_PHRASES, words))

    def clearing(self) -> Sequence[ClauseElement]:
        return _FORGET_EVERYTHING

    def tokens_of(self, text: str) -> Mapping[str, int]:
        return {_TRIGRAMS: len(_trigrams_in(text)), _PHRASES: len({*words_in(text).split()})}

    def tokens(self) -> Steps[Counter[str]]:
        found = Counter[str]()
        for index, look_into in _LOOK_INTO.items():
            yield Step(look_into)
            ((found[index],),) = yield Step(_COUNT_TOKENS)
            yield Step(_LOOK_AWAY)
        return found

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.instr(search_text, _WANTED) > 0

    def candidates(self, *, by_words: bool) -> Select[tuple[int]]:
        if by_words:
            return _matching(_PHRASES, _WORDS)
        return _matching(_TRIGRAMS, _PATTERN)

    def numbers(self, *, by_words: bool) -> Select[tuple[int]]:
        # They know but parts of what is wanted, and take some for each other.
        return select(todo_entry.c.number).where(
            todo_entry.c.number.in_(self.candidates(by_words=by_words)),
            self.contains(_SEARCH_TEXT),
        )

    def values(self, wanted: str) -> Mapping[str, object]:
        words = [*dict.fromkeys(words_in(wanted).split())][:_WORDS_MOST]
        trigrams = () if words else _telling(_trigrams_in(wanted))
        return {"wanted": wanted, "words": _all_of(words), "pattern": _all_of(trigrams)}


class PostgresqlSearch(TextSearch):
    """By words with what is next to them, or else by an index of the extension pg_trgm.

    The latter, where there is one, knows the trigrams of words only, and where they meet is
    what few entries have in common: so a letter in place of each space makes one word of a
    text. Its lists grow with the entries all the same: among 1,000,000 a rare phrase took
    twelve times as long by them as by words.
    """

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        return ()

    def clearing(self) -> Sequence[ClauseElement]:
        return ()

    def tokens_of(self, text: str) -> Mapping[str, int]:
        return {}

    def tokens(self) -> Steps[Counter[str]]:
        yield from ()
        return Counter()

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.strpos(search_text, _WANTED) > 0

    def candidates(self, *, by_words: bool) -> Select[tuple[int]]:
        if by_words:
            words = func.todo_words_in(_SEARCH_TEXT)
            may_have_it = words.bool_op("@>")(func.todo_words_in(_WANTED))
        else:
            may_have_it = literal_column(JOINED_TEXT, Text).like(_PATTERN)
        return select(todo_entry.c.number).where(may_have_it)

    def numbers(self, *, by_words: bool) -> Select[tuple[int]]:
        # Numbers of words and the letter stand for others, too, and the pattern knows but
        # parts of what is wanted.
        return self.candidates(by_words=by_words).where(self.contains(_SEARCH_TEXT))

    def values(self, wanted: str) -> Mapping[str, object]:
        return {"wanted": wanted, "pattern": self._pattern(wanted)}

    def _pattern(self, wanted: str) -> str:
        """Answer what all that have it match: where its words meet, or else all of it.

        The fewer parts, the fewer lists the index reads: those of common words are long.
        """
        parts = _MEETING.findall(wanted)[:_MEETINGS_MOST]
        if len(parts) < _MEETINGS_LEAST:
            parts = [wanted]
        escaped = (re.sub(r"([\\%_])", r"\\\1", part) for part in parts)
        return "%{}%".format("%".join(escaped)).replace(" ", "q")


def _matching(name: str, tokens: BindParameter[str]) -> Select[tuple[int]]:
    """Answer the rows of a table of FTS5's which have these."""
    index = table(name, column("rowid", Integer), column(name))  # so all its columns are called
    return select(index.c.rowid).where(index.c[name].op("MATCH")(tokens))


def _trigrams_in(text: str) -> Collection[str]:
    """Answer each once, in the order in which they come first."""
    return dict.fromkeys(text[start : start + 3] for start in range(len(text) - 2))


def _telling(trigrams: Collection[str]) -> Sequence[str]:
    """Answer those where words meet, which few have in common, or else the first ones."""
    meetings = [trigram for trigram in trigrams if trigram[1].isspace()][:_MEETINGS_MOST]
    return meetings if len(meetings) >= _MEETINGS_LEAST else [*trigrams][:_TRIGRAMS_MOST]


def _all_of(tokens: Sequence[str]) -> str:
    """Answer what FTS5 finds texts by that have all of these, or none if there are none."""
    return " AND ".join('"{}"'.format(token.replace('"', '""')) for token in tokens or [""])
