"""Test requests that wait: operations sent twice, coalescing, deadlines, cancelling, room."""

from __future__ import annotations

import pytest

from chord import (
    BackendUnavailable,
    Commit,
    DeadlineExceeded,
    InvalidState,
    NotApplied,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
)
from tests.actors.scene import Scene, done, staged
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("memory://", "the line is down")


async def begin(scene: Scene) -> None:
    await scene.chord.set_context("a", {"n": 0})


# -- operations ----------------------------------------------------------------------------------


async def test_a_second_call_of_an_operation_waits_for_the_first() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        tasks = [scene.add(1, op_id="op"), scene.add(1, op_id="op")]
        commit = await scene.line.next("commit")
        tasks.append(scene.add(1, op_id="op"))
        await turn()
        assert not any(task.done() for task in tasks)
        await commit.go()
        first, *others = [await done(task) for task in tasks]
        assert all(other == first for other in others)
        assert scene.line.seen.count("commit") == 2


async def test_where_the_first_is_refused_the_second_runs_itself() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        first = scene.add(1, op_id="op")
        commit = await scene.line.next("commit")
        second = scene.add(2, op_id="op")
        await turn()
        scene.line.hold()
        commit.fail(AWAY)
        assert isinstance(await done(first), BackendUnavailable)
        assert isinstance(await done(second), Commit)
        assert await scene.keys() == {"n", "k2"}


async def test_where_nobody_can_tell_of_the_first_the_second_finds_it_out() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit", "acquire")
        first = scene.add(1, op_id="op")
        commit = await scene.line.next("commit")
        second = scene.add(2, op_id="op")
        await turn()
        await commit.carry_out()
        commit.fail(OutcomeUnknown("memory://", "the answer was lost"))
        for _ in range(4):
            (await scene.line.next("acquire")).fail(AWAY)
            await scene.pass_time(2.0)
        assert isinstance(await done(first), OutcomeUnknown)
        scene.line.hold()
        await scene.line.pass_all()
        again = await done(second)
        if isinstance(again, Commit):
            assert again.position.version == 2
        else:
            assert isinstance(again, NotApplied)
        assert await scene.keys() == {"n", "k1"}


# -- coalescing ----------------------------------------------------------------------------------


async def test_ephemeral_updates_behind_a_commit_in_flight_become_one() -> None:
    async with staged() as scene:
        await begin(scene)
        first, commit = await scene.in_flight(1)
        tasks = [scene.add(n, ephemeral=True) for n in (2, 3)]
        plain = scene.add(4)
        tasks.append(scene.add(5, ephemeral=True))
        await turn()
        scene.line.hold()
        await commit.go()
        assert isinstance(await done(first), Commit)
        one, *others = [await done(task) for task in tasks]
        assert isinstance(one, Commit)
        assert all(other == one for other in others)
        between = await done(plain)
        assert isinstance(between, Commit)
        assert (between.position.version, one.position.version) == (3, 4)


async def test_an_ephemeral_update_of_an_idle_context_waits_for_no_more() -> None:
    async with staged() as scene:
        await begin(scene)
        assert isinstance(await done(scene.add(1, ephemeral=True)), Commit)


async def test_an_invalid_ephemeral_update_fails_alone() -> None:
    async with staged() as scene:
        await begin(scene)
        first, commit = await scene.in_flight(1)
        good = scene.add(2, ephemeral=True)
        bad = scene.ask(scene.chord.update_context("a", {"x": {1, 2}}, ephemeral=True))
        scene.line.hold()
        await turn()
        await commit.go()
        assert isinstance(await done(first), Commit)
        assert isinstance(await done(good), Commit)
        assert isinstance(await done(bad), InvalidState)


# -- deadlines and cancelling --------------------------------------------------------------------


async def test_time_that_runs_out_before_the_work_began_leaves_it_undone() -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        task = scene.add(1, create={}, timeout=2.0)
        acquire = await scene.line.next("acquire")
        scene.clock.advance(2.0)
        assert isinstance(await done(task), DeadlineExceeded)
        scene.line.hold()
        await acquire.go()
        await turn()
        assert await scene.stored() is None


async def test_time_that_runs_out_while_the_work_is_under_way_leaves_it_unknown() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        task = scene.add(1, timeout=2.0)
        commit = await scene.line.next("commit")
        scene.clock.advance(2.0)
        assert isinstance(await done(task), OutcomeTimeout)
        await commit.go()
        await turn()
        assert await scene.keys() == {"n", "k1"}


async def test_a_deadline_that_nobody_had_the_time_to_tell_of_holds_too() -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        late = scene.add(1, create={}, timeout=2.0)
        early = scene.add(2, create={})
        acquire = await scene.line.next("acquire")
        scene.stall(3.0)
        scene.line.hold()
        await acquire.go()
        assert isinstance(await done(late), DeadlineExceeded)
        assert isinstance(await done(early), Commit)
        assert await scene.keys() == {"k2"}


async def test_who_is_cancelled_before_the_work_began_takes_it_back() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        deleting = scene.ask(scene.chord.delete_context("a"))
        commit = await scene.line.next("commit")
        waiting = scene.add(1, create={})
        await turn()
        waiting.cancel()
        await turn()
        scene.line.hold()
        await commit.go()
        assert await done(deleting) is True
        assert await scene.stored() is None


async def test_who_is_cancelled_while_the_work_is_under_way_changes_nothing() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        cancelled = scene.add(1)
        commit = await scene.line.next("commit")
        other = scene.add(2)
        cancelled.cancel()
        await turn()
        scene.line.hold()
        await commit.go()
        assert isinstance(await done(other), Commit)
        assert await scene.keys() == {"n", "k1", "k2"}


async def test_a_cancelled_caller_of_a_refused_commit_is_missed_by_nobody() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        cancelled = scene.add(1)
        commit = await scene.line.next("commit")
        cancelled.cancel()
        other = scene.add(2)
        await turn()
        commit.fail(AWAY)
        assert isinstance(await done(other), BackendUnavailable)
        scene.line.hold()
        assert isinstance(await done(scene.add(3)), Commit)
        assert await scene.keys() == {"n", "k3"}


# -- room ----------------------------------------------------------------------------------------


async def test_who_finds_no_room_waits_for_it() -> None:
    async with staged(mailbox_limit=2) as scene:
        scene.line.hold("acquire")
        tasks = [scene.add(n, create={}) for n in range(6)]
        acquire = await scene.line.next("acquire")
        await turn()
        assert not any(task.done() for task in tasks)
        tasks[4].cancel()
        await turn()
        scene.line.hold()
        await acquire.go()
        await turn()
        kept = [task.result() for task in tasks if not task.cancelled()]
        assert [each.position.version for each in kept if isinstance(each, Commit)] == [
            *range(1, 6)
        ]


async def test_who_finds_no_room_is_refused_where_that_is_asked_for() -> None:
    async with staged(mailbox_limit=2, mailbox_overflow="reject") as scene:
        scene.line.hold("acquire")
        tasks = [scene.add(n, create={}) for n in range(4)]
        acquire = await scene.line.next("acquire")
        refused = [await done(task) for task in tasks[2:]]
        assert all(isinstance(each, Overloaded) and each.retry_after > 0 for each in refused)
        scene.line.hold()
        await acquire.go()
        assert all([isinstance(await done(task), Commit) for task in tasks[:2]])
        assert isinstance(await done(scene.add(9)), Commit)


async def test_a_deadline_holds_for_who_stands_in_line_too() -> None:
    async with staged(mailbox_limit=1) as scene:
        scene.line.hold("acquire")
        first = scene.add(1, create={})
        second = scene.add(2, create={}, timeout=1.0)
        acquire = await scene.line.next("acquire")
        await turn()
        scene.clock.advance(1.0)
        assert isinstance(await done(second), DeadlineExceeded)
        scene.line.hold()
        await acquire.go()
        assert isinstance(await done(first), Commit)
        assert await scene.keys() == {"k1"}
