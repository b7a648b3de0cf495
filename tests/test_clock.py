"""Test the clock that a test moves, and that the system's calls back in the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from chord.clock import ManualClock, SystemClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time=1000.0)


@pytest.fixture
def calls() -> list[str]:
    return []


def note(calls: list[str], name: str) -> Callable[[], None]:
    return lambda: calls.append(name)


def test_a_manual_clock_stands_still(clock: ManualClock) -> None:
    assert (clock.time(), clock.time(), clock.monotonic()) == (1000.0, 1000.0, 0.0)


def test_advancing_moves_both_times(clock: ManualClock) -> None:
    clock.advance(1.5)
    assert (clock.time(), clock.monotonic()) == (1001.5, 1.5)


def test_a_jump_moves_the_wall_clock_alone(clock: ManualClock, calls: list[str]) -> None:
    clock.call_at(1.0, note(calls, "a"))
    clock.jump(100)
    clock.jump(-300)
    assert (clock.time(), clock.monotonic(), calls) == (800.0, 0.0, [])


def test_time_does_not_run_backwards(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_calls_are_made_in_the_order_in_which_they_are_due(
    clock: ManualClock, calls: list[str]
) -> None:
    for when, name in ((3.0, "c"), (1.0, "a"), (2.0, "b1"), (2.0, "b2"), (4.5, "late")):
        clock.call_at(when, note(calls, name))
    clock.advance(4)
    assert calls == ["a", "b1", "b2", "c"]
    assert clock.pending() == 1


def test_a_call_is_due_at_its_very_moment(clock: ManualClock, calls: list[str]) -> None:
    clock.call_at(1.0, note(calls, "a"))
    clock.advance(1.0)
    assert calls == ["a"]


def test_a_call_sees_the_moment_at_which_it_was_due(clock: ManualClock) -> None:
    seen: list[tuple[float, float]] = []
    clock.call_at(2.0, lambda: seen.append((clock.time(), clock.monotonic())))
    clock.advance(5)
    assert seen == [(1002.0, 2.0)]


def test_a_call_that_is_overdue_is_made_when_time_moves_at_all(
    clock: ManualClock, calls: list[str]
) -> None:
    clock.advance(5)
    clock.call_at(1.0, note(calls, "a"))
    assert calls == []
    clock.advance(0)
    assert calls == ["a"]
    assert clock.monotonic() == 5.0


def test_a_call_may_ask_for_the_next(clock: ManualClock) -> None:
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(clock.monotonic())
        clock.call_at(clock.monotonic() + 1, tick)

    clock.call_at(1.0, tick)
    clock.advance(3.5)
    assert ticks == [1.0, 2.0, 3.0]
    assert clock.pending() == 1


def test_a_cancelled_call_is_not_made(clock: ManualClock, calls: list[str]) -> None:
    timer = clock.call_at(1.0, note(calls, "a"))
    clock.call_at(1.0, note(calls, "b"))
    timer.cancel()
    assert clock.pending() == 1
    clock.advance(2)
    assert calls == ["b"]


def test_a_call_may_cancel_the_next(clock: ManualClock, calls: list[str]) -> None:
    clock.call_at(1.0, lambda: later.cancel())
    later = clock.call_at(2.0, note(calls, "later"))
    clock.advance(3)
    assert calls == []


def test_to_cancel_what_was_called_is_harmless(clock: ManualClock, calls: list[str]) -> None:
    timer = clock.call_at(1.0, note(calls, "a"))
    clock.advance(1)
    timer.cancel()
    timer.cancel()
    assert (calls, clock.pending()) == (["a"], 0)


def test_a_manual_clock_shows_where_it_stands(clock: ManualClock) -> None:
    clock.call_at(1.0, lambda: None)
    assert repr(clock) == "<ManualClock time=1000.0 pending=1>"


def test_the_system_clock_is_the_machine_s() -> None:
    clock = SystemClock()
    assert time.time() <= clock.time() <= time.time()
    assert time.monotonic() <= clock.monotonic() <= time.monotonic()
    assert repr(clock) == "SystemClock()"


@pytest.mark.anyio
async def test_the_system_clock_calls_in_the_loop() -> None:
    clock, called = SystemClock(), asyncio.Event()
    clock.call_at(clock.monotonic() - 1, called.set)
    assert not called.is_set()
    await called.wait()


@pytest.mark.anyio
async def test_a_call_of_the_system_clock_can_be_cancelled(calls: list[str]) -> None:
    clock, called = SystemClock(), asyncio.Event()
    clock.call_at(clock.monotonic(), note(calls, "a")).cancel()
    clock.call_at(clock.monotonic(), called.set)
    await called.wait()
    assert calls == []
