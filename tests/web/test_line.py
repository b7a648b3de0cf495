"""Test one line: frames in their turn, stopped senders, and an end that is told once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from chord.clock import ManualClock
from chord.web.line import Line, Turn, rest
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio


class Peer:
    """Takes frames, when it is let."""

    def __init__(self) -> None:
        self.took: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.error: Exception | None = None
        self.clock = ManualClock()
        self.line = Line(self.send, self.clock, 20.0)

    async def send(self, message: Message) -> None:
        if self.error is not None:
            raise self.error
        await self.reads.wait()
        self.took.append(message.get("text") or message.get("bytes") or message["code"])


@pytest.fixture
def peer() -> Peer:
    return Peer()


async def test_frames_are_sent_in_the_order_in_which_they_came(peer: Peer) -> None:
    peer.reads.clear()
    sending = [asyncio.create_task(peer.line.send(data)) for data in ("a", b"b", "c")]
    await until(lambda: peer.line.busy)
    peer.reads.set()
    await asyncio.gather(*sending)
    assert peer.took == ["a", b"b", "c"]


async def test_who_is_stopped_before_their_turn_sends_nothing(peer: Peer) -> None:
    peer.reads.clear()
    stopped = Turn()
    sending = [
        asyncio.create_task(peer.line.send("a")),
        asyncio.create_task(peer.line.send("b", stopped)),
    ]
    await turn()
    assert not stopped.sending
    stopped.stopped = True
    peer.reads.set()
    await asyncio.gather(*sending)
    assert peer.took == ["a"]


async def test_after_the_end_only_the_close_frame_is_sent(peer: Peer) -> None:
    peer.line.end(4403, "revoked")
    peer.line.end(1012, "too late")
    await peer.line.send("a")
    await peer.line.shut()
    assert peer.took == [4403]


@pytest.mark.parametrize(("letter", "told"), [("x", 123), ("\u00e9", 61), ("\U0001f600", 30)])
async def test_a_reason_is_cut_to_what_a_close_frame_has_room_for(letter: str, told: int) -> None:
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    line = Line(send, ManualClock(), 20.0)
    line.end(4400, letter * 500)
    await line.shut()
    assert said == [{"type": "websocket.close", "code": 4400, "reason": letter * told}]


async def test_nothing_is_sent_to_a_peer_that_has_gone(peer: Peer) -> None:
    peer.line.give_up()
    peer.line.end(1012, "too late")
    await peer.line.send("a")
    await peer.line.shut()
    assert peer.took == []


async def test_a_frame_that_cannot_be_sent_is_the_end(peer: Peer) -> None:
    peer.error = OSError("cut")
    await peer.line.send("a")
    assert peer.line.over.is_set()
    assert repr(peer.line) == "<Line over>"


async def test_a_close_frame_that_cannot_be_sent_is_let_go(peer: Peer) -> None:
    peer.error = RuntimeError("closed already")
    peer.line.end(1000, "")
    await peer.line.shut()


async def test_a_peer_that_does_not_take_the_close_frame_holds_up_nobody(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chord.web.line.CLOSE_PATIENCE", 0.0)
    peer.reads.clear()
    peer.line.end(1000, "")
    await peer.line.shut()
    assert peer.took == []


async def test_silence_counts_from_what_was_heard(peer: Peer) -> None:
    peer.clock.advance(5)
    assert peer.line.silence == 5
    peer.line.hear()
    peer.clock.advance(3)
    assert peer.line.silence == 3


@pytest.mark.parametrize(("lasts", "silence"), [(19.0, 19.0), (20.0, 0.0)])
async def test_a_frame_that_took_long_breaks_the_silence(
    peer: Peer, lasts: float, silence: float
) -> None:
    peer.reads.clear()
    sending = asyncio.create_task(peer.line.send("a"))
    await until(lambda: peer.line.busy)
    await turn()
    peer.clock.advance(lasts)
    peer.reads.set()
    await sending
    assert peer.line.silence == silence


async def test_a_rest_lasts_as_long_as_the_clock_says() -> None:
    clock = ManualClock()
    resting = asyncio.create_task(rest(clock, 2.0))
    await until(clock.pending)
    clock.advance(1.0)
    await turn()
    assert not resting.done()
    clock.advance(1.0)
    await resting
    assert clock.pending() == 0


async def test_a_rest_that_is_cancelled_leaves_no_timer() -> None:
    clock = ManualClock()
    resting = asyncio.create_task(rest(clock, 2.0))
    await until(clock.pending)
    resting.cancel()
    await asyncio.wait([resting])
    assert clock.pending() == 0
