"""Test when the periodic cleaner runs, that it never does twice at once, and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import anyio.abc
import pytest

from chord.cleanup import DEFAULT_INTERVAL, PeriodicCleaner
from chord.clock import ManualClock
from chord.config import Settings
from chord.crew import Work
from chord.errors import ChordClosed, InvalidArgument
from chord.records import Report
from tests.waiting import turn

pytestmark = pytest.mark.anyio


class Yard:
    """A cleaner whose runs are noted, by their limits, and pass a gate before they end."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.clock = ManualClock()
        self.tasks = tasks
        self.cleaner = self.make()
        self.gate = asyncio.Event()
        self.gate.set()
        self.limits: list[int | None] = []
        self.error: Exception | None = None

    def make(self, interval: float | None = None) -> PeriodicCleaner:
        settings = Settings(clock=self.clock, cleanup_interval=interval)
        return PeriodicCleaner(settings, self._run, self._spawn)

    def _spawn(self, work: Work) -> None:
        self.tasks.start_soon(work)

    async def _run(self, limit: int | None) -> Report:
        self.limits.append(limit)
        await self.gate.wait()
        if self.error:
            raise self.error
        return Report(expired=len(self.limits))

    async def advance(self, seconds: float) -> int:
        """How many runs begin while so much time passes."""
        before = len(self.limits)
        self.clock.advance(seconds)
        await turn()
        return len(self.limits) - before


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    async with anyio.create_task_group() as tasks:
        yield Yard(tasks)
        tasks.cancel_scope.cancel()


# -- when it runs --------------------------------------------------------------------------------


@pytest.mark.parametrize(("setting", "interval"), [(None, DEFAULT_INTERVAL), (7.0, 7.0)])
async def test_its_interval_is_the_settings_or_the_default(
    yard: Yard, setting: float | None, interval: float
) -> None:
    await yard.make(setting).start()
    assert [await yard.advance(interval - 1), await yard.advance(1)] == [0, 1]


async def test_it_is_running_from_start_to_stop(yard: Yard) -> None:
    seen = [yard.cleaner.running]
    await yard.cleaner.start()
    seen.append(yard.cleaner.running)
    await yard.cleaner.stop()
    assert [*seen, yard.cleaner.running] == [False, True, False]


async def test_an_update_arms_anew_at_once(yard: Yard) -> None:
    await yard.cleaner.start(interval=100.0)
    await yard.cleaner.update(interval=5.0)
    assert yard.clock.pending() == 1
    assert [await yard.advance(4), await yard.advance(1)] == [0, 1]


async def test_starting_again_begins_anew(yard: Yard) -> None:
    await yard.cleaner.start(interval=5.0, limit=3)
    await yard.cleaner.start(interval=10.0)
    assert [await yard.advance(5), await yard.advance(5)] == [0, 1]
    assert yard.limits == [None]


async def test_a_changed_limit_is_that_of_the_next_run(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0, limit=3)
    await yard.advance(10)
    await yard.cleaner.update(limit=4)
    await yard.advance(10)
    await yard.cleaner.update(interval=5.0)
    await yard.advance(5)
    assert yard.limits == [3, 4, 4]


async def test_what_is_refused_changes_nothing(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    await yard.advance(4)
    with pytest.raises(InvalidArgument):
        await yard.cleaner.update(interval=0)
    with pytest.raises(InvalidArgument):
        await yard.cleaner.start(interval=1.0, limit=0)
    assert await yard.advance(6) == 1


# -- one at a time -------------------------------------------------------------------------------


async def test_none_begins_while_one_is_under_way(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    yard.gate.clear()
    assert [await yard.advance(10) for _ in range(4)] == [1, 0, 0, 0]
    yard.gate.set()
    assert [await yard.advance(0), await yard.advance(10)] == [0, 1]


async def test_starting_again_does_not_begin_one_beside_it(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    yard.gate.clear()
    await yard.advance(10)
    stopping = asyncio.create_task(yard.cleaner.stop())
    await turn()
    await yard.cleaner.start(interval=10.0)
    assert await yard.advance(10) == 0
    yard.gate.set()
    await stopping
    assert await yard.advance(10) == 1


# -- what it came to -----------------------------------------------------------------------------


async def test_it_keeps_the_last_report(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    for _ in range(3):
        await yard.advance(10)
    assert (yard.cleaner.runs, yard.cleaner.last_report) == (3, Report(expired=3))


async def test_an_error_is_kept_until_a_run_succeeds(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    error = yard.error = ZeroDivisionError()
    await yard.advance(10)
    assert yard.cleaner.last_error is error
    yard.error = None
    assert await yard.advance(10) == 1
    assert yard.cleaner.last_error is None


# -- stopping ------------------------------------------------------------------------------------


async def test_stopped_it_leaves_no_timer(yard: Yard) -> None:
    await yard.cleaner.start()
    await yard.cleaner.stop()
    assert yard.clock.pending() == 0


async def test_stop_waits_for_one_that_fails_too(yard: Yard) -> None:
    await yard.cleaner.start(interval=10.0)
    yard.gate.clear()
    yard.error = ZeroDivisionError()
    await yard.advance(10)
    stopping = asyncio.create_task(yard.cleaner.stop())
    await turn()
    assert not stopping.done()
    yard.gate.set()
    await stopping
    assert yard.cleaner.last_error is yard.error


async def test_closed_it_cannot_be_started_again(yard: Yard) -> None:
    await yard.cleaner.start()
    yard.cleaner.close()
    with pytest.raises(ChordClosed):
        await yard.cleaner.start()
    assert yard.clock.pending() == 0
