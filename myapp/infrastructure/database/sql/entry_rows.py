"""What happens to the tables of the entries, their tags and their texts, when some change."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Update, bindparam, delete, insert, text, update

from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.infrastructure.database.sql.rows import to_row
from myapp.infrastructure.database.sql.schema import (
    todo_entry,
    todo_entry_tag,
    todo_store,
    todo_tag,
)
from myapp.infrastructure.database.sql.statements import Values
from myapp.infrastructure.database.sql.text_search import TextSearch, Upkeep

_ADD = insert(todo_entry)
_REMOVE = delete(todo_entry).where(todo_entry.c.number == bindparam("removed"))
_TAG = insert(todo_entry_tag)
_UNTAG = delete(todo_entry_tag).where(
    todo_entry_tag.c.tag == bindparam("without"), todo_entry_tag.c.entry == bindparam("of")
)
_COUNT_TAG = text(
    "INSERT INTO todo_tag (tag, folded, entries, open_entries)"
    " VALUES (:tag, :folded, :entries, :open_entries)"
    " ON CONFLICT (tag) DO UPDATE SET entries = todo_tag.entries + excluded.entries,"
    " open_entries = todo_tag.open_entries + excluded.open_entries"
).bindparams(*(bindparam(column.name, type_=column.type) for column in todo_tag.c))
_FORGET_TAG = delete(todo_tag).where(
    todo_tag.c.tag == bindparam("unused"), todo_tag.c.entries == 0
)
_COUNT = update(todo_store).values(
    revision=bindparam("last"),
    entries=todo_store.c.entries + bindparam("more"),
    open_entries=todo_store.c.open_entries + bindparam("more_open"),
)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """What has to be known of the row of an entry to change it."""

    number: int
    entry: TodoEntry
    search_text: str


class EntryRows:
    """The differences to the tables, gathered entry by entry."""

    def __init__(self) -> None:
        self._added: list[Values] = []
        self._changed: defaultdict[tuple[str, ...], list[Values]] = defaultdict(list)
        self._removed: list[Values] = []
        self._tagged: list[Values] = []
        self._untagged: list[Values] = []
        self._texts_before: dict[int, str] = {}
        self._texts_after: dict[int, str] = {}
        self._tags: Counter[str] = Counter()
        self._open_tags: Counter[str] = Counter()
        self._entries = 0
        self._open_entries = 0

    def put(self, before: EntryRow | None, entry: TodoEntry) -> None:
        """Let the entry take the place of its row, under the revision that it has."""
        after = None if entry.removed else self._write(before, entry)
        if before is not None and after is None:
            self._removed.append({"removed": before.number})
        self._index(before, after)
        self._tag(before, after)
        self._count(before, -1)
        self._count(after, +1)

    def work(self, search: TextSearch, last: int) -> Upkeep:
        """Answer what writes all that, and the last revision of the store."""
        tags: list[Values] = [
            {
                "tag": tag,
                "folded": fold(tag),
                "entries": self._tags[tag],
                "open_entries": self._open_tags[tag],
            }
            for tag in self._tags
            if self._tags[tag] or self._open_tags[tag]
        ]
        fewer: list[Values] = [{"unused": tag} for tag, more in self._tags.items() if more < 0]
        counts = {"last": last, "more": self._entries, "more_open": self._open_entries}
        return (
            *search.upkeep(self._texts_before, self._texts_after),
            (_REMOVE, self._removed),
            *((_change(names), values) for names, values in self._changed.items()),
            (_ADD, self._added),
            (_UNTAG, self._untagged),
            (_TAG, self._tagged),
            (_COUNT_TAG, tags),
            (_FORGET_TAG, fewer),
            (_COUNT, [counts]),
        )

    def _write(self, before: EntryRow | None, entry: TodoEntry) -> EntryRow:
        number = entry.revision if before is None else before.number
        row = to_row(entry, number)
        if before is None:
            self._added.append(row)
        else:
            former = {**to_row(before.entry, number), "search_text": before.search_text}
            changed = {name: value for name, value in row.items() if value != former[name]}
            self._changed[tuple(changed)].append({**changed, "changed": number})
        return EntryRow(number, entry, str(row["search_text"]))

    def _index(self, before: EntryRow | None, after: EntryRow | None) -> None:
        if before and after and before.search_text == after.search_text:
            return
        if before:
            self._texts_before[before.number] = before.search_text
        if after:
            self._texts_after[after.number] = after.search_text

    def _tag(self, before: EntryRow | None, after: EntryRow | None) -> None:
        old = set(before.entry.tags) if before else set()
        new = set(after.entry.tags) if after else set()
        if before:
            self._untagged += [{"without": tag, "of": before.number} for tag in old - new]
        if after:
            self._tagged += [{"tag": tag, "entry": after.number} for tag in new - old]

    def _count(self, row: EntryRow | None, by: int) -> None:
        if row is None:
            return
        open_by = 0 if row.entry.done else by
        self._entries += by
        self._open_entries += open_by
        for tag in row.entry.tags:
            self._tags[tag] += by
            self._open_tags[tag] += open_by


@lru_cache(maxsize=1_000)
def _change(names: tuple[str, ...]) -> Update:
    """Answer what changes these columns of a row.

    Those that stay are not among them, since SQLite writes their indexes all the same: among
    many entries that is another page for each.
    """
    change = update(todo_entry).where(todo_entry.c.number == bindparam("changed"))
    return change.values({name: bindparam(name) for name in names})
