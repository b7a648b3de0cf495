"""Test how a watch looks, waits and ends, beside a context that only counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chord.clock import ManualClock
from chord.errors import BackendUnavailable
from chord.fanout import Fanout, Watch
from chord.position import Position
from chord.records import Context, ContextDeleted, FullContext, NoChange, WatchReply
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("there", "away")


class Counter:
    """A context that is nothing but its position, and notes who asked for it."""

    def __init__(self) -> None:
        self.fanout = Fanout()
        self.clock = ManualClock()
        self.position = Position("k", 1)
        self.error: Exception | None = None
        self.asked: list[tuple[Position | int | None, bool]] = []

    def watch(self) -> Watch:
        return Watch(self.fanout, "a", None, self.catch_up, self.clock, 0.0)

    def move_to(self, version: int, epoch: str = "k") -> Position:
        self.position = Position(epoch, version)
        self.fanout.publish("a")
        return self.position

    def tell(self) -> FullContext:
        context = Context(context_id="a", state={}, position=self.position, updated_at=0.0)
        return FullContext(context, "requested")

    async def catch_up(self, since: Position | int | None, first: bool) -> WatchReply:
        self.asked.append((since, first))
        if self.error:
            raise self.error
        return NoChange(self.position) if since == self.position else self.tell()


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
async def watch(counter: Counter) -> AsyncIterator[Watch]:
    """A watch whose first reply was taken."""
    async with counter.watch() as entered:
        await anext(entered)
        yield entered


def ask(watch: Watch) -> asyncio.Task[WatchReply]:
    async def run() -> WatchReply:
        return await anext(watch)

    return asyncio.create_task(run())


# -- to look -------------------------------------------------------------------------------------


async def test_it_looks_for_the_first_time_once(counter: Counter, watch: Watch) -> None:
    first = counter.position
    counter.move_to(2)
    await anext(watch)
    assert counter.asked == [(None, True), (first, False)]


async def test_its_position_is_that_of_the_last_reply_taken(counter: Counter) -> None:
    async with counter.watch() as watch:
        assert watch.position is None
        await anext(watch)
        assert watch.position == counter.position


async def test_what_moved_while_nobody_asked_is_looked_for_once(
    counter: Counter, watch: Watch
) -> None:
    for version in (2, 3, 4):
        counter.move_to(version)
    assert (await anext(watch)).position.version == 4
    assert len(counter.asked) == 2


async def test_a_wake_up_for_nothing_is_not_told(counter: Counter, watch: Watch) -> None:
    waiting = ask(watch)
    counter.fanout.publish("a")
    await turn()
    assert not waiting.done()
    counter.move_to(2)
    assert await waiting == counter.tell()


async def test_entering_in_vain_leaves_nothing_behind(counter: Counter) -> None:
    counter.error = AWAY
    with pytest.raises(BackendUnavailable):
        await counter.watch().__aenter__()
    assert len(counter.fanout) == 0


# -- errors --------------------------------------------------------------------------------------


async def test_after_an_error_it_looks_again_without_another_wake_up(
    counter: Counter, watch: Watch
) -> None:
    first = counter.position
    counter.error = AWAY
    counter.move_to(2)
    with pytest.raises(BackendUnavailable):
        await anext(watch)
    assert watch.position == first
    counter.error = None
    assert await anext(watch) == counter.tell()


async def test_a_second_task_is_refused_and_the_first_not_disturbed(
    counter: Counter, watch: Watch
) -> None:
    waiting = ask(watch)
    await turn()
    with pytest.raises(RuntimeError, match="another task"):
        await anext(watch)
    counter.move_to(2)
    assert await waiting == counter.tell()


# -- ends ----------------------------------------------------------------------------------------


async def test_an_end_is_told_and_then_nothing(counter: Counter, watch: Watch) -> None:
    counter.fanout.end("a", Position("k", 5))
    assert await anext(watch) == ContextDeleted(Position("k", 5))
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_an_end_that_is_found_by_looking_ends_it_too(counter: Counter) -> None:
    async def find_none(since: Position | int | None, first: bool) -> WatchReply:
        return counter.tell() if first else ContextDeleted(counter.position)

    async with Watch(counter.fanout, "a", None, find_none, counter.clock, 0.0) as watch:
        await anext(watch)
        counter.fanout.publish("a")
        assert await anext(watch) == ContextDeleted(counter.position)
        assert len(counter.fanout) == 0


async def test_the_end_of_a_life_it_does_not_know_is_passed_over(
    counter: Counter, watch: Watch
) -> None:
    counter.fanout.end("a", Position("another", 5))
    counter.position = Position("k", 2)
    assert await anext(watch) == counter.tell()
    assert len(counter.fanout) == 1


async def test_closing_the_runtime_ends_it(counter: Counter, watch: Watch) -> None:
    waiting = ask(watch)
    await turn()
    counter.fanout.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert repr(watch) == "<Watch 'a' at k:1, closed>"


async def test_leaving_detaches_it(counter: Counter) -> None:
    async with counter.watch():
        assert len(counter.fanout) == 1
    assert len(counter.fanout) == 0
