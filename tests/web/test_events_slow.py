"""Test streams of events that wait for a slow store, or a slow hook: they end at once, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from chord import Chord, StatelessChord
from chord.web.door import Door
from tests.waiting import until
from tests.web.cards import read_name
from tests.web.listener import listen

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chord() -> AsyncIterator[Chord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room/1", {"n": 0})
        yield chord


def connections(door: Door) -> int:
    count: int = door.statistics()["connections"]
    return count


class Stalled:
    """A runtime that answers who watches when it may, and not before."""

    def __init__(self, chord: Chord) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self._chord = chord

    @asynccontextmanager
    async def watch_context(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async with self._chord.watch_context(*args, **options) as replies:
            yield self._wait(replies)

    async def _wait(self, replies: AsyncIterator[Any]) -> AsyncIterator[Any]:
        self.asked.set()
        await self.may_answer.wait()
        async for reply in replies:
            yield reply


@pytest.fixture
def stalled(chord: Chord) -> Stalled:
    return Stalled(chord)


async def test_who_hangs_up_before_the_store_has_answered_holds_no_place(stalled: Stalled) -> None:
    door = Door(cast(Chord, stalled), open_to_all=True)
    async with listen(door) as listener:
        await stalled.asked.wait()
        assert connections(door) == 1
        listener.hang_up()
        await until(lambda: connections(door) == 0)
    assert listener.status is None


async def test_who_hangs_up_before_the_hook_has_answered_holds_no_place(chord: Chord) -> None:
    asked = asyncio.Event()

    async def authorize(*question: Any) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    door = Door(chord, authenticate=read_name, authorize=authorize)
    async with listen(door) as listener:
        await asked.wait()
        listener.hang_up()
        await until(lambda: connections(door) == 0)


async def test_a_door_that_closes_ends_who_waits_for_a_store(stalled: Stalled) -> None:
    door = Door(cast(Chord, stalled), open_to_all=True)
    async with listen(door) as listener:
        await stalled.asked.wait()
        door.close()
        assert await listener.hear_end() == "error"
    assert listener.status == 200
    assert listener.events[-1].data["code"] == "closing"


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_what_is_refused_while_the_store_is_asked_does_not_begin(
    stalled: Stalled, meanwhile: bool
) -> None:
    allowed = {"ana"}

    def authorize(principal: Any, action: str, context_id: str) -> bool:
        if meanwhile and stalled.asked.is_set():
            stalled.may_answer.set()
        return principal in allowed

    door = Door(cast(Chord, stalled), authenticate=read_name, authorize=authorize)
    async with listen(door) as listener:
        await stalled.asked.wait()
        allowed.clear()
        await door.recheck()
        await listener.wait_for(lambda: listener.ended)
    assert listener.status == 403
