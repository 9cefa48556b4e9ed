"""When what a connection sends is sent."""

import asyncio

import pytest

from myapp.infrastructure.server.outgoing import Outgoing, Turns


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closing
        self.calls.append(bytes(data))

    def write_eof(self) -> None:
        self.calls.append("eof")

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return self.closing


@pytest.fixture
def transport() -> _Transport:
    return _Transport()


def _outgoing(transport: _Transport, turns: Turns) -> Outgoing:
    return Outgoing(asyncio.get_running_loop(), transport, turns)


def _one_that_waits(transport: _Transport) -> Outgoing:
    """Answer one in a turn of which another answer was the first."""
    return _outgoing(transport, _taken(Turns()))


def _taken(turns: Turns) -> Turns:
    """Let another answer be the first of this turn."""
    assert turns.take_first(asyncio.get_running_loop())
    return turns


async def test_the_first_answer_of_a_turn_leaves_at_once_and_the_others_together() -> None:
    calls: list[str] = []

    class Told(_Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            calls.append(f"sent {bytes(data).decode()}")

    turns = Turns()

    async def answer(name: str) -> None:
        calls.append(f"made {name}")
        _outgoing(Told(), turns).write_end(name.encode())

    await asyncio.gather(*map(answer, "abc"))
    await asyncio.sleep(0)

    assert calls == ["made a", "sent a", "made b", "made c", "sent b", "sent c"]


async def test_each_turn_has_a_first(transport: _Transport) -> None:
    outgoing = _outgoing(transport, Turns())
    outgoing.write_end(b"milk")
    await asyncio.sleep(0)
    outgoing.write_end(b"tea")

    assert transport.calls == [b"milk", b"tea"]


async def test_what_waits_is_sent_once(transport: _Transport) -> None:
    turns = Turns()
    outgoing = _outgoing(transport, turns)
    for answer in (b"milk", b"tea"):
        _taken(turns)
        outgoing.write_end(answer)
        await asyncio.sleep(0)

    assert transport.calls == [b"milk", b"tea"]


async def test_nothing_overtakes_what_waits(transport: _Transport) -> None:
    outgoing = _one_that_waits(transport)
    outgoing.write_end(b"milk")
    outgoing.write_end(b"bread")
    outgoing.write(b"tea")
    await asyncio.sleep(0)

    assert transport.calls == [b"milkbread", b"tea"]


@pytest.mark.parametrize(("end", "told"), [("close", "close"), ("write_eof", "eof")])
async def test_what_waits_is_sent_before_the_end(
    transport: _Transport, end: str, told: str
) -> None:
    outgoing = _one_that_waits(transport)
    outgoing.write_end(b"milk")
    getattr(outgoing, end)()
    await asyncio.sleep(0)

    assert transport.calls == [b"milk", told]


async def test_nothing_is_sent_to_who_has_gone(transport: _Transport) -> None:
    outgoing = _one_that_waits(transport)
    outgoing.write_end(b"milk")
    transport.closing = True
    await asyncio.sleep(0)
    outgoing.close()

    assert transport.calls == ["close"]
