"""Test wake-ups: that none is lost, that many are one, and when there are no more to come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.clock import ManualClock
from chord.fanout import MOST_REMEMBERED, Fanout, Watcher
from chord.position import Position
from chord.records import NoChange
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


async def test_who_gave_up_waiting_while_woken_keeps_the_wake_up(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    waiting = asyncio.create_task(watcher.wait())
    await turn()
    fanout.publish("a")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert [await is_awake(watcher), await is_awake(watcher)] == [True, False]


async def test_who_comes_later_is_not_woken_by_what_was_before(fanout: Fanout) -> None:
    fanout.attach("a")
    fanout.publish("a")
    assert not await is_awake(fanout.attach("a"))


async def test_one_is_woken_alone(fanout: Fanout) -> None:
    watchers = [fanout.attach("a"), fanout.attach("a")]
    waiting = [asyncio.create_task(each.wait()) for each in watchers]
    await turn()
    watchers[0].wake()
    await turn()
    assert [task.done() for task in waiting] == [True, False]
    fanout.check()
    fanout.publish("a")
    await waiting[1]


async def test_who_is_woken_alone_again_and_again_leaves_nothing_behind(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    for _ in range(10):
        waiting = asyncio.create_task(watcher.wait())
        await turn(1)
        watcher.wake()
        await waiting
        assert watcher.topic.sleepers == []


async def test_sleepers_are_woken_in_the_order_in_which_they_fell_asleep(fanout: Fanout) -> None:
    woken: list[int] = []

    async def sleep(number: int, watcher: Watcher) -> None:
        await watcher.wait()
        woken.append(number)

    watchers = [fanout.attach("a") for _ in range(50)]
    asleep = [asyncio.create_task(sleep(n, watchers[-n])) for n in range(50)]
    await turn()
    fanout.publish("a")
    await asyncio.gather(*asleep)
    assert woken == list(range(50))


async def test_a_publication_lets_go_of_the_sleepers(fanout: Fanout) -> None:
    watcher = fanout.attach("a")
    waiting = asyncio.create_task(watcher.wait())
    await turn()
    fanout.publish("a")
    assert watcher.topic.sleepers == []
    await waiting


@pytest.mark.parametrize("others", [0, 1, 10])
async def test_one_who_gives_up_again_and_again_leaves_no_more_than_there_are_sleepers(
    fanout: Fanout, others: int
) -> None:
    asleep = [asyncio.create_task(fanout.attach("a").wait()) for _ in range(others)]
    watcher = fanout.attach("a")
    for _ in range(1000):
        waiting = asyncio.create_task(watcher.wait())
        await turn(1)
        waiting.cancel()
        await turn(2)
        assert len(watcher.topic.sleepers) <= 2 * others
        fanout.check()
    fanout.publish("a")
    fanout.check()
    await asyncio.gather(*asleep)


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


OPERATIONS = st.tuples(
    st.sampled_from(["wait", "wait", "turn", "turn", "cancel", "wake", "publish"]),
    st.integers(0, 2),
)


@given(st.lists(OPERATIONS, min_size=15, max_size=60))
def test_wake_ups_are_those_of_a_flag_for_each_watcher(
    operations: Sequence[tuple[str, int]],
) -> None:
    asyncio.run(compare_with_flags(operations))


async def compare_with_flags(operations: Sequence[tuple[str, int]]) -> None:
    """A task that is cancelled takes no wake-up; one that runs on takes all that there were."""
    fanout = Fanout()
    watchers = [fanout.attach("a") for _ in range(3)]
    flags = [False] * 3
    tasks: dict[int, asyncio.Task[None]] = {}
    cancelled: set[int] = set()
    for operation, number in [*operations, ("turn", 0)]:
        match operation:
            case "publish":
                fanout.publish("a")
                flags = [True] * 3
            case "wake":
                watchers[number].wake()
                flags[number] = True
            case "wait" if number not in tasks:
                tasks[number] = asyncio.create_task(watchers[number].wait())
            case "cancel" if number in tasks:
                tasks[number].cancel()
                cancelled.add(number)
            case "turn":
                await turn(3)
                done = {number for number in tasks if number in cancelled or flags[number]}
                assert {number for number, task in tasks.items() if task.done()} == done
                for number in done:
                    assert tasks.pop(number).cancelled() == (number in cancelled)
                    flags[number] = flags[number] and number in cancelled
                cancelled.clear()
                fanout.check()
                assert len(watchers[0].topic.sleepers) <= 2 * len(tasks)
    fanout.close()
    await asyncio.gather(*tasks.values())


# -- replies that are shared ---------------------------------------------------------------------

SINCE = Position("k", 6)
REPLY = NoChange(LAST)


def test_a_reply_is_remembered_by_context_and_position(fanout: Fanout) -> None:
    fanout.attach("a")
    fanout.attach("b")
    fanout.remember("a", SINCE, REPLY, fanout.cursor("a"))
    assert fanout.remembered("a", Position("k", 6)) is REPLY
    for context_id, since in (("a", LAST), ("a", 6), ("a", None), ("b", SINCE), ("c", SINCE)):
        assert fanout.remembered(context_id, since) is None


def test_a_publication_drops_what_was_remembered_of_its_context(fanout: Fanout) -> None:
    for context_id in "ab":
        fanout.attach(context_id)
        fanout.remember(context_id, SINCE, REPLY, fanout.cursor(context_id))
    fanout.publish("a")
    assert fanout.remembered("a", SINCE) is None
    assert fanout.remembered("b", SINCE) is REPLY


def test_a_reply_that_was_overtaken_by_a_publication_is_not_kept(fanout: Fanout) -> None:
    fanout.attach("a")
    cursor = fanout.cursor("a")
    fanout.publish("a")
    fanout.remember("a", SINCE, REPLY, cursor)
    assert fanout.remembered("a", SINCE) is None


@pytest.mark.parametrize("others", [0, 3])
def test_nor_is_one_from_before_nobody_watched(fanout: Fanout, others: int) -> None:
    watcher = fanout.attach("a")
    cursor = fanout.cursor("a")
    fanout.detach("a", watcher)
    for number in range(others):
        fanout.attach(str(number))
    fanout.publish("a")
    fanout.remember("a", SINCE, REPLY, fanout.cursor("a"))
    fanout.attach("a")
    fanout.remember("a", SINCE, REPLY, cursor)
    fanout.remember("a", SINCE, REPLY, None)
    assert fanout.remembered("a", SINCE) is None


def test_nor_is_one_from_before_an_end(fanout: Fanout) -> None:
    fanout.attach("a")
    cursor = fanout.cursor("a")
    fanout.remember("a", SINCE, REPLY, cursor)
    fanout.end("a", LAST)
    fanout.attach("a")
    assert fanout.remembered("a", SINCE) is None
    fanout.remember("a", SINCE, REPLY, cursor)
    assert fanout.remembered("a", SINCE) is None


@given(st.lists(st.sampled_from(["attach", "detach", "publish", "end", "elsewhere"])))
def test_no_cursor_is_given_twice(operations: Sequence[str]) -> None:
    fanout, watchers = Fanout(), list[Watcher]()
    seen: list[int] = []
    for operation in operations:
        before = fanout.cursor("a")
        match operation:
            case "attach":
                watchers.append(fanout.attach("a"))
            case "detach" if watchers:
                fanout.detach("a", watchers.pop())
            case "publish":
                fanout.publish("a")
            case "end":
                fanout.end("a", LAST)
                watchers.clear()
            case "elsewhere":
                fanout.attach("b")
                fanout.publish("b")
        fanout.check()
        now = fanout.cursor("a")
        assert (now is None) == (not watchers)
        if now is not None and now != before:
            assert now not in seen
            seen.append(now)
        assert now != before or operation != "publish" or now is None


def test_replies_are_remembered_from_so_many_positions_only(fanout: Fanout) -> None:
    fanout.attach("a")
    for version in range(1000):
        fanout.remember("a", Position("k", version), REPLY, fanout.cursor("a"))
        fanout.check()
    kept = [n for n in range(1000) if fanout.remembered("a", Position("k", n))]
    assert kept == list(range(MOST_REMEMBERED))


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


async def test_detaching_wakes_who_still_sleeps(fanout: Fanout) -> None:
    watcher, other = fanout.attach("a"), fanout.attach("a")
    waiting = asyncio.create_task(watcher.wait())
    sleeping = asyncio.create_task(other.wait())
    await turn()
    fanout.detach("a", watcher)
    await waiting
    assert not sleeping.done()
    fanout.check()
    fanout.publish("a")
    await sleeping


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
