"""Test how a watch looks, waits and ends, beside a context that only counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chord.clock import ManualClock
from chord.errors import BackendUnavailable
from chord.fanout import Fanout, Watch
from chord.position import Position
from chord.records import (
    Context,
    ContextDeleted,
    Delta,
    DeltaUpdate,
    FullContext,
    NoChange,
    Reply,
    WatchReply,
)
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("there", "away")


class Counter:
    """A context that is nothing but its position, and notes who asked for it."""

    def __init__(self, glances: bool = False) -> None:
        self.glances = glances
        self.fanout = Fanout()
        self.clock = ManualClock()
        self.position = Position("k", 1)
        self.error: Exception | None = None
        self.asked: list[tuple[Position | int | None, bool]] = []

    def watch(self) -> Watch:
        glance = self.look if self.glances else None
        return Watch(self.fanout, "a", None, self.catch_up, self.clock, 0.0, glance=glance)

    def move_to(self, version: int, epoch: str = "k") -> Position:
        self.position = Position(epoch, version)
        self.fanout.publish("a")
        return self.position

    def tell(self) -> FullContext:
        context = Context(context_id="a", state={}, position=self.position, updated_at=0.0)
        return FullContext(context, "requested")

    async def catch_up(self, since: Position | int | None, first: bool) -> WatchReply:
        return self.look(since, first)

    def look(self, since: Position | int | None, first: bool = False) -> WatchReply:
        self.asked.append((since, first))
        if self.error:
            raise self.error
        return NoChange(self.position) if since == self.position else self.tell()


@pytest.fixture(params=[False, True], ids=["waits for what it looks for", "knows it at a glance"])
def counter(request: pytest.FixtureRequest) -> Counter:
    return Counter(glances=request.param)


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


# -- at a glance ---------------------------------------------------------------------------------


class Memory(Counter):
    """A context whose position is told at a glance while it is `known`."""

    def __init__(self) -> None:
        super().__init__()
        self.known = True
        self.glanced: list[Position | int | None] = []

    def watch(self, min_interval: float = 0.0) -> Watch:
        return Watch(
            self.fanout, "a", None, self.catch_up, self.clock, min_interval, glance=self.glance
        )

    def glance(self, since: Position | int | None) -> WatchReply | None:
        self.glanced.append(since)
        return self.look(since) if self.known else None


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def test_the_first_look_is_no_glance(memory: Memory) -> None:
    async with memory.watch() as watch:
        await anext(watch)
    assert (memory.asked, memory.glanced) == ([(None, True)], [])


async def test_what_a_glance_tells_is_told_in_one_turn(memory: Memory) -> None:
    async with memory.watch() as watch:
        await anext(watch)
        waiting = ask(watch)
        await turn()
        memory.move_to(2)
        await turn(1)
        assert waiting.done()
        assert waiting.result() == memory.tell()


async def test_what_is_not_to_be_told_at_a_glance_is_looked_for(memory: Memory) -> None:
    async with memory.watch() as watch:
        first = (await anext(watch)).position
        memory.known = False
        second = memory.move_to(2)
        assert (await anext(watch)).position == second
    assert memory.glanced == [first]
    assert memory.asked == [(None, True), (first, False)]


async def test_a_glance_is_taken_after_the_interval_only(memory: Memory) -> None:
    async with memory.watch(min_interval=5.0) as watch:
        await anext(watch)
        memory.move_to(2)
        waiting = ask(watch)
        await turn()
        assert memory.glanced == []
        memory.move_to(3)
        memory.clock.advance(5.0)
        assert (await waiting).position.version == 3
    assert len(memory.glanced) == 1


async def test_there_is_no_glance_at_what_has_ended(memory: Memory) -> None:
    async with memory.watch() as watch:
        await anext(watch)
        memory.fanout.end("a", memory.position)
        assert await anext(watch) == ContextDeleted(memory.position)
    assert memory.glanced == []


class Sharing(Counter):
    """A context that tells changes, each of which it makes once for all who watch."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def watch(self) -> Watch:
        since = self.position
        return Watch(
            self.fanout, "a", since, self.catch_up, self.clock, 0.0, glance=self.remembered
        )

    def remembered(self, since: Position | int | None) -> WatchReply | None:
        return self.fanout.remembered("a", since)

    async def catch_up(self, since: Position | int | None, first: bool) -> WatchReply:
        assert isinstance(since, Position)
        cursor = self.fanout.cursor("a")
        reply = self.make(since)
        await turn(1)
        self.fanout.remember("a", since, reply, cursor)
        return reply

    def make(self, since: Position) -> Reply:
        if since == self.position:
            return NoChange(since)
        self.made += 1
        delta = Delta(
            context_id="a",
            changes={},
            from_version=since.version,
            version=self.position.version,
            epoch=since.epoch,
            updated_at=0.0,
        )
        return DeltaUpdate(delta)


async def test_all_who_come_later_from_one_position_share_reply_and_position() -> None:
    sharing = Sharing()
    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(sharing.watch()) for _ in range(20)]
        for watch in watches:
            await anext(watch)
        for version in (2, 3, 4):
            sharing.move_to(version)
            told = [await anext(watch) for watch in watches]
            assert all(reply is told[0] for reply in told)
            assert all(watch.position is watches[0].position for watch in watches)
            assert watches[0].position == sharing.position
    assert sharing.made == 3


@pytest.mark.parametrize("late", range(6))
async def test_no_reply_that_is_shared_keeps_anyone_behind(late: int) -> None:
    """While one looks, in each turn of its look, there is another change."""
    sharing = Sharing()
    async with sharing.watch() as one, sharing.watch() as other:
        await anext(one)
        await anext(other)
        for version in (2, 4, 6):
            reading = [asyncio.create_task(read_up_to(version + 1, each)) for each in (one, other)]
            await turn(version % 3)
            sharing.move_to(version)
            await turn(late)
            sharing.move_to(version + 1)
            await turn()
            assert all(task.done() for task in reading)


async def read_up_to(version: int, watch: Watch) -> None:
    while (await anext(watch)).position.version < version:
        pass


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
