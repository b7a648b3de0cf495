"""Test wake-ups: that none is lost, that many are one, and when there are no more to come."""

from __future__ import annotations

import asyncio

import pytest

from chord.clock import ManualClock
from chord.fanout import Fanout, Watcher
from chord.position import Position
from tests.waiting import turn

pytestmark = pytest.mark.anyio

LAST = Position("k", 7)


@pytest.fixture
def fanout() -> Fanout:
    return Fanout()


async def is_awake(watcher: Watcher) -> bool:
    """Whether there is something to look for; a wake-up that is found is taken."""
    waiting = asyncio.create_task(watcher.wait())
    await turn()
    awake = waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return awake


# -- a watcher -----------------------------------------------------------------------------------


async def test_a_watcher_sleeps_until_there_is_something(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    waiting = asyncio.create_task(watcher.wait())
    await turn()
    assert not waiting.done()
    fanout.publish("a")
    await waiting


async def test_a_wake_up_is_kept_while_nobody_waits(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    fanout.publish("a")
    assert await is_awake(watcher)


async def test_many_wake_ups_are_one(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    for _ in range(10):
        fanout.publish("a")
    assert [await is_awake(watcher), await is_awake(watcher)] == [True, False]


async def test_a_wake_up_outlives_who_gave_up_waiting(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    waiting = asyncio.create_task(watcher.wait())
    await turn()
    waiting.cancel()
    fanout.publish("a")
    await asyncio.gather(waiting, return_exceptions=True)
    assert await is_awake(watcher)


async def test_all_who_watch_are_woken_and_counted(fanout: Fanout) -> None:
    watchers = [fanout.attach("a"), fanout.attach("a")]
    other = fanout.attach("b")
    fanout.publish("a")
    fanout.publish("nobody's")
    assert [await is_awake(each) for each in (*watchers, other)] == [True, True, False]
    assert fanout.wakeups == 2


async def test_rest_lasts_until_its_moment(fanout: Fanout) -> None:
    clock = ManualClock()
    watcher = fanout.attach("a")
    resting = asyncio.create_task(watcher.rest(clock, 2.0))
    await turn()
    fanout.publish("a")
    clock.advance(1.0)
    await turn()
    assert not resting.done()
    clock.advance(1.0)
    await resting


async def test_rest_ends_with_the_runtime_and_leaves_no_timer(fanout: Fanout) -> None:
    clock = ManualClock()
    resting = asyncio.create_task(fanout.attach("a").rest(clock, 2.0))
    await turn()
    fanout.close()
    await resting
    assert clock.pending() == 0


# -- all of them ---------------------------------------------------------------------------------


def test_detaching_leaves_nothing_behind(fanout: Fanout) -> None:
    first, second = fanout.attach("a"), fanout.attach("a")
    fanout.detach("a", first)
    assert (len(fanout), fanout.watched()) == (1, ["a"])
    fanout.detach("a", second)
    fanout.detach("a", second)
    assert (len(fanout), fanout.watched()) == (0, [])


def test_who_detached_is_not_woken(fanout: Fanout) -> None:
    fanout.detach("a", fanout.attach("a"))
    fanout.publish("a")
    assert fanout.wakeups == 0


async def test_an_end_tells_the_last_position_and_lets_go(fanout: Fanout) -> None:
    ended, other = fanout.attach("a"), fanout.attach("b")
    fanout.end("a", LAST)
    assert (ended.ended, ended.last, other.ended) == (True, LAST, False)
    assert fanout.watched() == ["b"]
    assert [await is_awake(ended), await is_awake(ended)] == [True, True]


def test_after_an_end_others_may_watch(fanout: Fanout) -> None:
    ended = fanout.attach("a")
    fanout.end("a", LAST)
    watcher = fanout.attach("a")
    fanout.detach("a", ended)
    assert not watcher.ended
    assert len(fanout) == 1


async def test_closing_ends_all_without_a_position(fanout: Fanout) -> None:
    watchers = [fanout.attach("a"), fanout.attach("b")]
    fanout.close()
    assert [(each.ended, each.last) for each in watchers] == [(True, None)] * 2
    assert all([await is_awake(each) for each in watchers])
    assert len(fanout) == 0


def test_check_holds_through_a_life(fanout: Fanout) -> None:
    for context_id in "aab":
        fanout.attach(context_id)
        fanout.check()
    fanout.end("a", LAST)
    fanout.check()


def test_check_finds_one_that_ended_and_was_not_let_go(fanout: Fanout) -> None:
    fanout.attach("a").end(LAST)
    with pytest.raises(AssertionError):
        fanout.check()
