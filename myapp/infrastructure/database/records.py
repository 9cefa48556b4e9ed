"""Records: todo entries as pickles of builtin types, which no class and no module binds.

A payload of the journal is one pickled dict. Its `revision` is the last that the store has
given out. `entries` are states with which the history begins at that revision. `changes` are
what entries became, one after the other, and `receipts` what they were stored for. `begin` is
where the history begins once older changes have been forgotten. States are a list of tuples,
or a tuple of columns where they are many; receipts are tuples. Times are microseconds since
1970, days are ISO 8601.

Bandit warns of pickle, which can run code when it reads, crash, or take all memory. What
_load lets through to it cannot: see there.
"""

import io
import pickle  # nosec B403
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from myapp.domain.change import Change
from myapp.domain.todo import TodoEntry
from myapp.domain.todo_entry_repository import Receipt
from myapp.infrastructure.database.columns import from_columns, to_columns
from myapp.infrastructure.database.moments import to_microseconds, to_moment
from myapp.infrastructure.database.states import Fields, check_texts, from_tuple, to_tuple

_PROTOCOL = 5
_MANY = 50  # states that are shorter, and sooner read, as columns
_REVISION_MOST = 2**62  # an integer of 8 bytes, with so many more to go on with

_BEGIN = re.compile(rb"\x80\x05(?:\x95.{8})?\}\x94\(", re.DOTALL)
_END = b"u."
# Names, tags and the like, which are a third of the time if they are looked at one by one.
_SHORT_TEXTS = b"|".join(b"\\x%02x[\\x00-\\x7f]{%d}" % (n, n) for n in range(24))
# None, integers of up to 8 bytes, ids, tuples, lists, what was there before; and frames.
_PARTS = (
    rb"(?:[N()\x85\x86\x87t\]ae\x94]|[Kh].|M..|[Jj].{4}|C\x10.{16}|\x95.{8}"
    rb"|\x8a(?:\x05.{5}|\x06.{6}|\x07.{7}|\x08.{8})|\x8c(?:" + _SHORT_TEXTS + rb"))*+"
)
_BEFORE_LONG = re.compile(_PARTS + rb"(?:\x8c(.)|X(.{4})|C(.)|B(.{4}))", re.DOTALL)
_WITHOUT_LONG = re.compile(_PARTS, re.DOTALL)

_revision_of = attrgetter("revision")


@dataclass(frozen=True, slots=True)
class Record:
    """What was stored together, and the last revision that the store has given out.

    Unless `begin` is None the history begins there; with the entries, if there are any.
    """

    revision: int
    begin: int | None
    entries: Sequence[TodoEntry]
    changes: Sequence[TodoEntry]
    receipts: Sequence[Receipt]


def encode(revision: int, entries: Collection[TodoEntry]) -> bytes:
    """Answer the payload of entries with which a history begins."""
    content = {"revision": revision, "entries": _from_states(entries)}
    return pickle.dumps(content, _PROTOCOL)


def encode_changes(
    revision: int,
    changes: Collection[TodoEntry],
    receipts: Collection[Receipt] = (),
    *,
    begin: int | None = None,
) -> bytes:
    """Answer the payload of what entries became, in the order of their revisions.

    Given `begin`, it tells that nothing is kept of the changes up to that revision.
    """
    content: dict[str, object] = {
        "revision": revision,
        "changes": _from_states(changes),
    }
    if begin is not None:
        content["begin"] = begin
    if receipts:
        content["receipts"] = [_from_receipt(receipt) for receipt in receipts]
    return pickle.dumps(content, _PROTOCOL)


def decode(payload: bytes) -> Record:
    """Answer what a payload holds; raises ValueError if encode did not make it.

    Nothing in it is ever executed, and it takes time and memory in proportion to its size.
    """
    try:
        content = _load(payload)
        if ("entries" in content) is ("changes" in content):
            raise ValueError("it has entries as well as changes, or neither")
        entries = _to_states(content.get("entries", []))
        changes = _to_states(content.get("changes", []))
        receipts = _to_receipts(content.get("receipts", []), most=len(payload))
        revision = _revision(content["revision"], [*entries, *changes])
        begin = revision if "entries" in content else _begin(content.get("begin"), revision)
        return Record(revision, begin, entries, changes, receipts)
    except MemoryError:
        raise  # which says nothing about the payload
    except Exception as error:  # a forged pickle may raise anything
        raise ValueError(f"not a record of todo entries: {error}") from error


def _load(payload: bytes) -> dict[str, Any]:
    """Answer the dict that was pickled; raises an exception of any kind if it was none.

    A pickle is a program. Only the instructions that encode uses get to the unpickler, each
    within bounds: others may import what they name, or ask for any amount of memory. The
    dict is read as a list, for hashing a key made of nested tuples may crash or never end.
    """
    begin = _BEGIN.match(payload)
    if begin is None or not _is_known(payload, begin.end()):
        raise ValueError("it is no pickle of a dict of builtin types")
    pairs = memoryview(payload)[begin.end() - 2 : -len(_END)]
    as_list = b"".join((payload[: begin.end() - 3], b"]", pairs, b"e."))
    items = _Unpickler(io.BytesIO(as_list)).load()
    names = items[::2]
    if any(type(name) is not str for name in names):
        raise TypeError("a name is no string")
    return dict(zip(names, items[1::2], strict=True))


def _is_known(payload: bytes, start: int) -> bool:
    """Tell whether there are only known parts up to the end; raises UnicodeDecodeError."""
    while found := _BEFORE_LONG.match(payload, start):
        text = found[1] or found[2]
        begin = found.end()
        start = begin + int.from_bytes(text or found[3] or found[4], "little")
        if text:
            payload[begin:start].decode("utf-8")  # pickle would let lone surrogates pass
    end = len(payload) - len(_END)
    return payload.endswith(_END) and bool(_WITHOUT_LONG.fullmatch(payload, start, end))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> object:
        """Refuse, whatever it is: a record is made of builtin types only."""
        raise pickle.UnpicklingError(f"it refers to {module_name}.{global_name}")


def _from_states(states: Collection[TodoEntry]) -> Sequence[object]:
    return to_columns(states) if len(states) >= _MANY else [to_tuple(state) for state in states]


def _to_states(stored: Sequence[Any]) -> Sequence[TodoEntry]:
    """Answer states of their columns, which are in a tuple, or of rows, which are in a list."""
    if type(stored) is tuple:
        return from_columns(*stored)
    return [from_tuple(*fields) for fields in stored]


def _revision(revision: object, entries: Sequence[TodoEntry]) -> int:
    least = max(map(_revision_of, entries), default=0)
    if type(revision) is not int or not least <= revision <= _REVISION_MOST:
        raise ValueError("the revision is none, or smaller than an entry's")
    return revision


def _begin(begin: object, revision: int) -> int | None:
    if begin is None or type(begin) is int and 0 <= begin <= revision:
        return begin
    raise ValueError("the history does not begin at a revision of the store")


def _from_receipt(receipt: Receipt) -> tuple[object, ...]:
    changes = [
        (None if change.before is None else to_tuple(change.before), to_tuple(change.after))
        for change in receipt.changes
    ]
    return receipt.key, receipt.digest, to_microseconds(receipt.at), changes


def _to_receipts(stored: Sequence[Fields], *, most: int) -> Sequence[Receipt]:
    """Answer the receipts; raises ValueError for more changes than can have been written.

    A forged pickle may name the same list of changes again and again.
    """
    if sum(len(changes) for _, _, _, changes in stored) > most:
        raise ValueError("its receipts are longer than itself")
    return [_to_receipt(*fields) for fields in stored]


def _to_receipt(
    key: str,
    digest: str,
    at: int,
    changes: Sequence[tuple[Fields | None, Fields]],
) -> Receipt:
    check_texts([key, digest])
    return Receipt(
        key=key,
        digest=digest,
        at=to_moment(at),
        changes=[
            Change(None if before is None else from_tuple(*before), from_tuple(*after))
            for before, after in changes
        ],
    )
