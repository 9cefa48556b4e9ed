"""How SQLite and PostgreSQL find a part of a text, and what keeps their indexes."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
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

from myapp.infrastructure.database.sql.schema import todo_entry

JOINED_TEXT = "replace(search_text, ' ', 'q')"
"""What PostgreSQL indexes. Any letter would do; one of ASCII is a letter in every locale."""

Condition = ColumnElement[bool]

Texts = Mapping[int, str]
"""Values of search_text by the numbers of their rows."""

Upkeep = Sequence[tuple[ClauseElement, Sequence[Mapping[str, object]]]]
"""Statements, each to be executed with several values."""

_MATCHED_MOST = 12  # code points; FTS5 takes time for each, times the length of a text
_MEETINGS_LEAST, _MEETINGS_MOST = 3, 8
_MEETING = re.compile(r"\S \S")

_KEEP_TEXT = text(
    "INSERT INTO todo_entry_search (todo_entry_search, rowid, search_text)"
    " VALUES (:command, :number, :text)"
)
_FORGET_EVERYTHING = text(
    "INSERT INTO todo_entry_search (todo_entry_search) VALUES ('delete-all')"
)
_PATTERN = bindparam("pattern", type_=Text)
_WANTED = bindparam("wanted", type_=Text)


class TextSearch(ABC):
    """How a database finds the value `wanted`, a folded text, in the column search_text."""

    @abstractmethod
    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        """Answer what keeps the index up to date when texts, by number, are replaced."""

    @abstractmethod
    def clearing(self) -> Sequence[ClauseElement]:
        """Answer what empties the index when all entries are deleted."""

    @abstractmethod
    def contains(self, search_text: ColumnElement[str]) -> Condition:
        """Answer whether the text of a row at hand has it."""

    @abstractmethod
    def numbers(self) -> Select[tuple[int]]:
        """Answer the numbers of the rows that an index finds for the value `pattern`."""

    @abstractmethod
    def pattern(self, wanted: str) -> str:
        """Answer the value of `pattern` for what is wanted."""


class SqliteSearch(TextSearch):
    """By FTS5 with its trigram tokenizer.

    No trigger keeps the index: SQLite would write it out for each row by itself, which
    made adding entries five times as slow.
    """

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        # FTS5 gathers what it is told in the order of the numbers, and writes it out whenever
        # one is not above the last: in any other order, a change cost half as much again.
        commands = (
            {"command": command, "number": number, "text": texts[number]}
            for number in sorted({**before, **after})
            for command, texts in (("delete", before), (None, after))
            if number in texts
        )
        return ((_KEEP_TEXT, [*commands]),)

    def clearing(self) -> Sequence[ClauseElement]:
        return (_FORGET_EVERYTHING,)

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.instr(search_text, _WANTED) > 0

    def numbers(self) -> Select[tuple[int]]:
        index = table("todo_entry_search", column("rowid"), column("search_text"))
        found = index.c.search_text.op("MATCH")(_PATTERN)
        # It takes some characters for each other, and knows but parts of what is wanted.
        return select(index.c.rowid).where(found, self.contains(index.c.search_text))

    def pattern(self, wanted: str) -> str:
        """Answer what all that have it match: where its words meet, or how it begins.

        Few entries have the same three characters where two words meet, and so a long search
        took a quarter of the time that it took by its first 30 characters.
        """
        trigrams = (wanted[start : start + 3] for start in range(len(wanted) - 2))
        meetings = {trigram: None for trigram in trigrams if trigram[1].isspace()}
        parts = [*meetings][:_MEETINGS_MOST]
        if len(parts) < _MEETINGS_LEAST:
            parts = [wanted[:_MATCHED_MOST]]
        return " AND ".join('"{}"'.format(part.replace('"', '""')) for part in parts)


class PostgresqlSearch(TextSearch):
    """By an index of the extension pg_trgm, where there is one.

    It knows the trigrams of words only, and where they meet is what few entries have in
    common: so a letter in place of each space makes one word of a text.
    """

    def upkeep(self, before: Texts, after: Texts) -> Upkeep:
        return ()

    def clearing(self) -> Sequence[ClauseElement]:
        return ()

    def contains(self, search_text: ColumnElement[str]) -> Condition:
        return func.strpos(search_text, _WANTED) > 0

    def numbers(self) -> Select[tuple[int]]:
        joined = literal_column(JOINED_TEXT, Text)
        # The letter stands for itself, too, and the pattern knows but parts of what is wanted.
        return select(todo_entry.c.number).where(
            joined.like(_PATTERN), self.contains(todo_entry.c.search_text)
        )

    def pattern(self, wanted: str) -> str:
        """Answer what all that have it match: where its words meet, or else all of it.

        The fewer parts, the fewer lists the index reads: those of common words are long.
        """
        parts = _MEETING.findall(wanted)[:_MEETINGS_MOST]
        if len(parts) < _MEETINGS_LEAST:
            parts = [wanted]
        escaped = (re.sub(r"([\\%_])", r"\\\1", part) for part in parts)
        return "%{}%".format("%".join(escaped)).replace(" ", "q")
