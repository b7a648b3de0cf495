"""Test commits in flight: what comes meanwhile, and what becomes of it in the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    BackendUnavailable,
    Commit,
    ContextNotFound,
    DeltaUpdate,
    FullContext,
    NotApplied,
    OutcomeUnknown,
    OwnedElsewhere,
    Position,
    VersionConflict,
)
from tests.actors.scene import DURABILITIES, LEASE, Scene, done, staged
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("memory://", "the line is down")
LOST = OutcomeUnknown("memory://", "the answer was lost")

each_durability = pytest.mark.parametrize("durability", DURABILITIES)


async def begin(scene: Scene) -> Position:
    """Have a context `a` at version 1."""
    return (await scene.chord.set_context("a", {"n": 0})).position


def version_of(outcome: Any) -> int:
    assert isinstance(outcome, Commit), repr(outcome)
    return outcome.position.version


# -- refused -------------------------------------------------------------------------------------


async def test_what_comes_while_a_commit_is_in_flight_is_the_next_commit() -> None:
    async with staged() as scene:
        await begin(scene)
        first, commit = await scene.in_flight(1)
        others = [scene.add(n) for n in (2, 3, 4)]
        await turn()
        assert not scene.line.calls
        await commit.go()
        assert version_of(await done(first)) == 2
        commit = await scene.line.next("commit")
        assert [entry.version for entry in commit.argument.entries] == [3, 4, 5]
        await commit.go()
        assert [version_of(await done(task)) for task in others] == [3, 4, 5]


async def test_a_refused_commit_takes_back_what_was_applied_behind_it_too() -> None:
    async with staged() as scene:
        first = await begin(scene)
        tasks = [scene.add(1)]
        scene.line.hold("commit")
        tasks += [scene.add(2), scene.add(3)]
        commit = await scene.line.next("commit")
        tasks += [scene.add(4), scene.add(5, op_id="op")]
        await turn()
        commit.fail(AWAY)
        for task in tasks:
            assert isinstance(await done(task), BackendUnavailable)
        assert (await scene.chord.get_context("a")).state == {"n": 0}
        scene.line.hold()
        assert (await scene.chord.get_context("a")).position == first
        assert version_of(await done(scene.add(5, op_id="op"))) == 2
        assert version_of(await done(scene.add(6))) == 3
        live = await scene.stored()
        assert live is not None
        assert live.state == {"n": 0, "k5": 5, "k6": 6}
        assert isinstance(await scene.chord.sync_context("a", first), DeltaUpdate)


@pytest.mark.parametrize("applied", [True, False])
async def test_an_answer_that_rests_on_what_is_in_flight_waits_for_it(applied: bool) -> None:
    async with staged() as scene:
        await begin(scene)
        first, commit = await scene.in_flight(1)
        chord = scene.chord
        unchanged = scene.add(1)
        conflict = scene.ask(chord.update_context("a", {"n": 9}, expected=1))
        await turn()
        assert not unchanged.done()
        assert not conflict.done()
        if applied:
            await commit.go()
            assert version_of(await done(first)) == 2
            same = await done(unchanged)
            assert isinstance(same, Commit)
            assert (same.changed, same.position.version) == (False, 2)
            assert isinstance(await done(conflict), VersionConflict)
        else:
            commit.fail(AWAY)
            for task in (first, unchanged, conflict):
                assert isinstance(await done(task), BackendUnavailable)


@each_durability
@pytest.mark.parametrize("applied", [True, False])
async def test_what_is_missing_behind_a_delete_in_flight_waits_for_it(
    durability: str, applied: bool
) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        scene.line.hold("commit")
        deleting = scene.ask(scene.chord.delete_context("a"))
        commit = await scene.line.next("commit")
        missing = scene.add(1)
        again = scene.ask(scene.chord.delete_context("a"))
        await turn()
        assert not missing.done()
        assert not again.done()
        scene.line.hold()
        if applied:
            await commit.go()
            assert await done(deleting) is True
            assert isinstance(await done(missing), ContextNotFound)
            assert await done(again) is False
        else:
            commit.fail(AWAY)
            assert isinstance(await done(deleting), BackendUnavailable)
            outcome = await done(missing)
            assert isinstance(outcome, Commit | BackendUnavailable)


async def test_readers_see_the_last_acknowledged_version_while_a_commit_is_in_flight() -> None:
    async with staged() as scene:
        first = await begin(scene)
        chord = scene.chord
        async with chord.watch_context("a", first) as replies:
            await anext(replies)
            watching = asyncio.ensure_future(anext(replies))
            task, commit = await scene.in_flight(1)
            await commit.carry_out()
            await turn()
            assert (await chord.get_context("a")).position == first
            assert (await chord.sync_context("a", first)).position == first
            assert not watching.done()
            commit.answer()
            assert version_of(await done(task)) == 2
            assert isinstance(await done(watching), DeltaUpdate)
            assert (await chord.get_context("a")).state == {"n": 0, "k1": 1}


async def test_a_state_that_was_read_stays_as_it_was() -> None:
    async with staged() as scene:
        await begin(scene)
        task, commit = await scene.in_flight(1)
        seen = await scene.chord.get_context("a")
        scene.add(2)
        await turn()
        await commit.go()
        await turn()
        assert seen.state == {"n": 0}
        assert version_of(await done(task)) == 2


# -- in doubt ------------------------------------------------------------------------------------


async def doubtful(scene: Scene, *, applied: bool) -> list[Any]:
    """Lose the answer to a commit, with another update behind it; hold what is asked about it."""
    scene.line.hold("commit", "acquire")
    tasks = [scene.add(1)]
    commit = await scene.line.next("commit")
    tasks.append(scene.add(2))
    await turn()
    if applied:
        await commit.carry_out()
    commit.fail(LOST)
    return tasks


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_is_found_out(applied: bool) -> None:
    async with staged() as scene:
        await begin(scene)
        tasks = await doubtful(scene, applied=applied)
        acquire = await scene.line.next("acquire")
        scene.line.hold()
        await acquire.go()
        assert [version_of(await done(task)) for task in tasks] == [2, 3]
        assert await scene.keys() == {"n", "k1", "k2"}


async def test_where_nobody_can_tell_only_what_was_sent_is_unknown() -> None:
    async with staged() as scene:
        await begin(scene)
        first, second = await doubtful(scene, applied=True)
        for _ in range(4):
            (await scene.line.next("acquire")).fail(AWAY)
            await scene.pass_time(2.0)
        assert isinstance(await done(first), OutcomeUnknown)
        behind = await done(second)
        assert isinstance(behind, NotApplied)
        scene.line.hold()
        assert version_of(await done(scene.add(3))) == 3
        assert await scene.keys() == {"n", "k1", "k3"}


async def test_where_another_has_taken_over_what_was_sent_is_unknown() -> None:
    async with staged() as scene:
        await begin(scene)
        first, second = await doubtful(scene, applied=True)
        acquire = await scene.line.next("acquire")
        scene.stall(LEASE)
        other = await scene.open()
        await other.update_context("a", {"n": 1})
        scene.line.hold()
        await acquire.go()
        assert isinstance(await done(first), OutcomeUnknown)
        assert isinstance(await done(second), NotApplied)
        assert isinstance(await done(scene.add(3)), OwnedElsewhere)
        assert (await scene.chord.get_context("a")).state == {"n": 1, "k1": 1}


async def test_a_late_commit_under_an_old_token_is_refused() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        task = scene.add(1)
        late = await scene.line.next("commit")
        scene.line.hold()
        late.fail(LOST)
        assert version_of(await done(task)) == 2
        await late.carry_out()
        assert version_of(await done(scene.add(2))) == 3
        live = await scene.stored()
        assert live is not None
        assert live.state == {"n": 0, "k1": 1, "k2": 2}


async def test_no_operation_is_run_twice_because_of_a_lost_answer() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("commit")
        first = scene.add(1, op_id="op")
        commit = await scene.line.next("commit")
        second = scene.add(1, op_id="op")
        await turn()
        await commit.carry_out()
        scene.line.hold()
        commit.fail(LOST)
        assert version_of(await done(first)) == version_of(await done(second)) == 2
        assert scene.line.seen.count("commit") == 2


@pytest.mark.parametrize("durability", ["write-behind", "memory"])
async def test_what_was_shown_is_not_given_up_while_nobody_can_tell(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        scene.line.hold("commit", "acquire")
        shown = await scene.chord.update_context("a", {"n": 1})
        flushing = scene.ask(scene.chord.flush("a"))
        (await scene.line.next("commit")).fail(LOST)
        for _ in range(8):
            await scene.pass_time(3.0)
            for call in scene.line.calls[:]:
                scene.line.calls.remove(call)
                call.fail(AWAY)
        assert isinstance(await done(flushing), OutcomeUnknown | NotApplied)
        scene.line.hold()
        await scene.line.pass_all()
        await scene.pass_time(40.0)
        assert (await scene.chord.get_context("a")).position == shown.position
        await scene.chord.flush("a")
        assert (await scene.stored()).position == shown.position  # type: ignore[union-attr]


# -- lives ---------------------------------------------------------------------------------------


@each_durability
async def test_a_delete_takes_its_turn_behind_updates_in_flight(durability: str) -> None:
    async with staged(durability=durability) as scene:
        first = await begin(scene)
        scene.line.hold("commit")
        updating = scene.add(1)
        deleting = scene.ask(scene.chord.delete_context("a"))
        commit = await scene.line.next("commit")
        assert commit.argument.position == Position(first.epoch, 2)
        beginning = scene.ask(scene.chord.set_context("a", {"n": 9}))
        await turn()
        assert not deleting.done()
        scene.line.hold()
        await commit.go()
        assert version_of(await done(updating)) == 2
        assert await done(deleting) is True
        born = await done(beginning)
        assert isinstance(born, Commit)
        assert born.position.version == 1
        assert born.position.epoch != first.epoch
        assert scene.line.seen.count("acquire") == 1
        assert await scene.keys() == {"n"}


async def test_a_birth_that_was_refused_leaves_nothing() -> None:
    async with staged() as scene:
        scene.line.hold("commit")
        birth = scene.ask(scene.chord.set_context("a", {"n": 0}))
        commit = await scene.line.next("commit")
        update = scene.add(1)
        await turn()
        scene.line.hold()
        commit.fail(AWAY)
        assert isinstance(await done(birth), BackendUnavailable)
        assert isinstance(await done(update), BackendUnavailable | ContextNotFound)
        with pytest.raises(ContextNotFound):
            await scene.chord.get_context("a")
        assert await scene.chord.list_contexts() == []


# -- flush ---------------------------------------------------------------------------------------


@each_durability
async def test_flush_returns_when_all_that_was_acknowledged_is_stored(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        last = await done(scene.add(1))
        assert version_of(last) == 2
        scene.line.hold("commit")
        flushing = scene.ask(scene.chord.flush("a"))
        await turn()
        if durability != "write-through":
            assert not flushing.done()
            await (await scene.line.next("commit")).go()
        assert await done(flushing) is None
        assert await scene.keys() == {"n", "k1"}


@pytest.mark.parametrize("durability", ["write-behind", "memory"])
async def test_a_flush_that_fails_says_so_and_keeps_everything(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        await done(scene.add(1))
        scene.line.hold("commit")
        flushing = scene.ask(scene.chord.flush())
        (await scene.line.next("commit")).fail(AWAY)
        assert isinstance(await done(flushing), BackendUnavailable)
        assert (await scene.chord.get_context("a")).state == {"n": 0, "k1": 1}
        scene.line.hold()
        again = scene.ask(scene.chord.flush())
        await scene.pass_time(1.0)
        assert await done(again) is None
        assert await scene.keys() == {"n", "k1"}


async def test_write_behind_stores_within_its_interval() -> None:
    async with staged(durability="write-behind", flush_interval=2.0) as scene:
        await begin(scene)
        commits = [await done(scene.add(n)) for n in (1, 2, 3)]
        assert [commit.durable for commit in commits if isinstance(commit, Commit)] == [False] * 3
        await scene.pass_time(1.5)
        assert await scene.keys() == {"n"}
        await scene.pass_time(1.0)
        assert await scene.keys() == {"n", "k1", "k2", "k3"}
        assert scene.line.seen.count("commit") == 2


async def test_in_memory_nothing_is_stored_before_it_leaves() -> None:
    async with staged(durability="memory", idle_ttl=60.0) as scene:
        await begin(scene)
        await done(scene.add(1))
        await scene.pass_time(50.0)
        assert await scene.keys() == {"n"}
        reply = await scene.chord.sync_context("a")
        assert isinstance(reply, FullContext)
        assert reply.context.state == {"n": 0, "k1": 1}
        await scene.pass_time(150.0)
        assert await scene.keys() == {"n", "k1"}
