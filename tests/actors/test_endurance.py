"""Test what shows in the long run only: failovers while a context sleeps, bursts, many writes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import StatefulChord
from chord import Commit, FullContext, MemoryBackend
from chord.clock import ManualClock
from chord.records import Batch
from tests.waiting import outcome_of, running, turn, until

pytestmark = pytest.mark.anyio


class Wayward(MemoryBackend):
    """A store that can be rolled back, and that can have a commit cancelled by somebody else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.forgets = False
        self.cancels = False

    async def commit(self, batch: Batch) -> None:
        if not self.forgets:
            await super().commit(batch)
        if self.cancels:
            self.cancels = False
            raise asyncio.CancelledError


@pytest.fixture
async def backend() -> Wayward:
    backend = Wayward()
    await backend.open()
    return backend


async def test_a_store_that_was_rolled_back_while_a_context_slept_is_noticed(
    backend: Wayward,
) -> None:
    clock = ManualClock()
    async with StatefulChord(backend, clock=clock, watch_poll=None) as chord, running(clock):
        await chord.set_context("a", {"n": 1})
        backend.forgets = True
        lost = await chord.update_context("a", {"lost": 1})
        await until(lambda: chord.statistics()["live"] == 0)
        backend.forgets = False
        commit = await chord.update_context("a", {"n": 2})
        assert commit.position.epoch != lost.position.epoch
        assert isinstance(await chord.sync_context("a", lost.position), FullContext)


async def test_a_commit_that_somebody_else_cancelled_is_resolved(backend: Wayward) -> None:
    clock = ManualClock()
    async with StatefulChord(backend, clock=clock, watch_poll=None) as chord, running(clock):
        await chord.set_context("a", {"n": 0})
        backend.cancels = True
        first = await chord.update_context("a", {"n": 1})
        second = await chord.update_context("a", {"n": 2})
        assert (first.position.version, second.position.version) == (2, 3)
        assert (await chord.get_context("a")).state == {"n": 2}


async def test_a_burst_leaves_no_more_in_memory_than_may_be_there(backend: Wayward) -> None:
    async with StatefulChord(backend, max_live_contexts=10) as chord:
        await asyncio.gather(*(chord.set_context(f"c:{n}", {}) for n in range(200)))
        await turn(500)
        assert chord.statistics()["live"] <= 10


@pytest.mark.parametrize("durability", ["write-through", "write-behind", "memory"])
async def test_a_flush_ends_though_others_go_on_writing(backend: Wayward, durability: Any) -> None:
    async with StatefulChord(backend, durability=durability) as chord:
        await chord.set_context("a", {"n": 0})
        stopped = False

        async def write() -> None:
            n = 0
            while not stopped:
                n += 1
                await chord.update_context("a", {"n": n})
                await asyncio.sleep(0)

        writers = [asyncio.create_task(write()) for _ in range(3)]
        await turn()
        applied = chord.inspect("a")
        await asyncio.wait_for(chord.flush("a"), 20)
        flushed = chord.inspect("a")
        stopped = True
        await asyncio.gather(*writers)
    assert applied is not None
    assert flushed is not None
    assert (flushed.stored_version or 0) >= (applied.version or 0) > 1


async def test_a_flush_that_was_given_up_is_forgotten(backend: Wayward) -> None:
    async with StatefulChord(backend, durability="memory") as chord:
        await chord.set_context("a", {"n": 0})
        await chord.update_context("a", {"n": 1})
        flushing = asyncio.create_task(chord.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.wait([flushing])
        await turn()
        before = chord.statistics()["commits"]
        outcomes = [await outcome_of(chord.update_context("a", {"n": n})) for n in range(2, 9)]
        await turn()
        assert all(isinstance(outcome, Commit) for outcome in outcomes)
        assert chord.statistics()["commits"] <= before + 1
