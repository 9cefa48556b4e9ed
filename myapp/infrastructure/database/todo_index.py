"""All entries in memory, ready to be asked: by id, by tag, by text, in every order."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import chain, islice
from uuid import UUID

from myapp.domain.text import fold
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Page, Position, Sort, TagUse, TodoQuery
from myapp.infrastructure.database.known_pages import KnownPages
from myapp.infrastructure.database.order import Order
from myapp.infrastructure.database.text_blocks import (
    TextBlocks,
    done_mark,
    folded_text,
    tag_mark,
)

_STEPS = 200  # one for so many entries, until it takes less to ask the blocks
_FEW = 10
_FEW_OF = 200  # and one for so many entries
_TEXTS_KEPT = 4_000
_FAR_BEHIND = 100
_FAR_BEHIND_OF = 5  # and one for so many entries: then it takes as long to sort all again
_UNUSED = (0, 0)

_Matches = Callable[[TodoEntry], bool]


class TodoIndex:
    """The entries that are there, without the removed ones, at a revision of the store.

    Orders and blocks of texts are made when first needed, and from then on brought up to date
    when they are needed again; an order that nobody has needed for long is made anew.
    First pages are known until something changes: to find one is a sixth of its answer's time.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._entries: dict[int, TodoEntry] = {}
        self._done = 0
        self._tags: dict[str, list[int]] = {}  # number of open and of all entries
        self._spellings: dict[str, set[str]] = {}  # tags by what they are when folded
        self._orders: dict[Sort, Order] = {}
        self._blocks = TextBlocks(self._entries)
        self._texts: dict[int, str] = {}
        self._pages = KnownPages()

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[TodoEntry]:
        """Answer all entries, in no particular order."""
        return list(self._entries.values())

    def get(self, entry_id: UUID) -> TodoEntry | None:
        """Answer the entry if it is there."""
        return self._entries.get(entry_id.int)

    def put(self, entry: TodoEntry) -> None:
        """Take in what was stored."""
        entry_id = entry.id.int
        before = self._entries.pop(entry_id, None)
        after = None if entry.removed else entry
        if before is not None:
            self._count(before, -1)
        if after is not None:
            self._entries[entry_id] = after
            self._count(after, +1)
        for sort, order in [*self._orders.items()]:
            order.change(before, after)
            if order.behind > _FAR_BEHIND + len(self._entries) // _FAR_BEHIND_OF:
                del self._orders[sort]
        self._blocks.change(entry_id)
        self._texts.pop(entry_id, None)

    def load(self, entries: Sequence[TodoEntry]) -> None:
        """Take in what was read, before anything is asked: in a third of the time of put."""
        there = {entry.id.int: entry for entry in entries if entry.removed_at is None}
        if len(there) < len(entries) or not there.keys().isdisjoint(self._entries.keys()):
            for entry in entries:
                self.put(entry)
            return
        self._entries.update(there)
        done = [entry.tags for entry in entries if entry.completed_at is not None]
        not_done = [entry.tags for entry in entries if entry.completed_at is None]
        self._done += len(done)
        for tag, uses in Counter(chain.from_iterable(done)).items():
            self._count_tag(tag, 0, uses)
        for tag, uses in Counter(chain.from_iterable(not_done)).items():
            self._count_tag(tag, uses, uses)

    def tags(self) -> Sequence[TagUse]:
        """Answer every tag in use, sorted by code point."""
        return [TagUse(tag, *uses) for tag, uses in sorted(self._tags.items())]

    def prepare(self, query: TodoQuery) -> Iterator[None]:
        """Make what the query needs; whoever goes through this may do other things between."""
        if self._mark(query) is not None:
            yield from self._blocks.prepare()
        if query.sort not in self._orders:
            self._orders[query.sort] = Order(query.sort, self.entries())
        try:
            yield from self._orders[query.sort].prepare()
        except Exception:  # whatever it is, it must not be met again
            self._orders.pop(query.sort, None)
            raise

    def known(self, query: TodoQuery) -> Page | None:
        """Answer the page if it was found before, at this revision."""
        page = self._pages.get(query)
        return page if page is not None and page.revision == self.revision else None

    def find(self, query: TodoQuery) -> Page:
        """Answer one page of the entries that match."""
        for _ in self.prepare(query):
            pass
        matches = self._predicate(query)
        if matches is None:
            following = self._orders[query.sort].walk(query.start, descending=query.descending)
        else:
            following = self._matching(query, matches)
        found = list(islice(following, query.limit + 1))
        entries, position = found[: query.limit], None
        if len(found) > query.limit:
            position = _position(query.sort, entries[-1])
        total = self._total(query, matches) if query.counted else None
        page = Page(entries=entries, revision=self.revision, next=position, total=total)
        self._pages.keep(query, page)
        return page

    def _matching(self, query: TodoQuery, matches: _Matches) -> Iterator[TodoEntry]:
        """Answer the entries that match from the start of the page on, in its order.

        Where walking along the order takes long, and few can match, the blocks tell them.
        """
        walk = self._orders[query.sort].walk(query.start, descending=query.descending)
        last = None
        for last in islice(walk, len(self._entries) // _STEPS):
            if matches(last):
                yield last
        few = self._few(query)
        if few is not None:
            start = query.start if last is None else _position(query.sort, last)
            walk = Order(query.sort, few).walk(start, descending=query.descending)
        yield from filter(matches, walk)

    def _few(self, query: TodoQuery) -> Sequence[TodoEntry] | None:
        """Answer few entries that have all among them that match, if such are known."""
        mark = self._mark(query)
        if mark is None:
            return None
        most = self._most()
        ids = list(islice(self._blocks.find(mark), most + 1))
        return [self._entries[entry_id] for entry_id in ids] if len(ids) <= most else None

    def _most(self) -> int:
        """Answer how many entries are few."""
        return _FEW + len(self._entries) // _FEW_OF

    def _mark(self, query: TodoQuery) -> str | None:
        """Answer what all say that match, if it is searched or few are known to say so."""
        for tag in query.tags:
            if self._tags.get(tag, _UNUSED)[1] <= self._most():
                return tag_mark(tag)
        if query.done is not None:
            done = self._done if query.done else len(self._entries) - self._done
            if done <= self._most():
                return done_mark(query.done)
        return fold(query.search) or None

    def _total(self, query: TodoQuery, matches: _Matches | None) -> int:
        if matches is None:
            return len(self._entries)
        mark = self._mark(query)
        ids = self._entries if mark is None else self._blocks.find(mark)
        return sum(map(matches, map(self._entries.__getitem__, ids)))

    def _predicate(self, query: TodoQuery) -> _Matches | None:
        """Answer what tells whether an entry matches; None if all do."""
        if not query.search:
            return query.matches if query.is_filtered else None
        wanted = fold(query.search)
        tags: Set[str] = self._spellings.get(wanted, set())
        others = self._predicate(query.unsearched())

        def finds(entry: TodoEntry) -> bool:
            return wanted in self._text(entry) or not tags.isdisjoint(entry.tags)

        if others is None:
            return finds
        return lambda entry: others(entry) and finds(entry)

    def _text(self, entry: TodoEntry) -> str:
        """Answer the folded text of an entry, which is kept: what comes first does so often."""
        text = self._texts.get(entry.id.int)
        if text is None:
            if len(self._texts) == _TEXTS_KEPT:
                self._texts.clear()
            text = self._texts[entry.id.int] = folded_text(entry)
        return text

    def _count(self, entry: TodoEntry, by: int) -> None:
        """Count an entry in, or out."""
        done = entry.done
        self._done += by * done
        for tag in entry.tags:
            self._count_tag(tag, 0 if done else by, by)

    def _count_tag(self, tag: str, not_done: int, entries: int) -> None:
        uses = self._tags.get(tag)
        if uses is None:
            uses = self._tags[tag] = [0, 0]
            self._spellings.setdefault(fold(tag), set()).add(tag)
        uses[0] += not_done
        uses[1] += entries
        if not uses[1]:
            del self._tags[tag]
            self._forget_spelling(tag)

    def _forget_spelling(self, tag: str) -> None:
        spellings = self._spellings[fold(tag)]
        spellings.remove(tag)
        if not spellings:
            del self._spellings[fold(tag)]


def _position(sort: Sort, entry: TodoEntry) -> Position:
    return Position(sort.key(entry), entry.id)
