"""Test who owns a context: what a runtime may still say when its lease has lapsed, or is lost."""

from __future__ import annotations

import pytest

from chord import (
    BackendUnavailable,
    Commit,
    Fenced,
    NotApplied,
    OutcomeUnknown,
    OwnedElsewhere,
    Position,
    StatelessChord,
)
from tests.actors.scene import DURABILITIES, LEASE, Scene, done, staged
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("memory://", "the line is down")

each_durability = pytest.mark.parametrize("durability", DURABILITIES)
relaxed = pytest.mark.parametrize("durability", DURABILITIES[1:])


async def begin(scene: Scene) -> Position:
    return (await scene.chord.set_context("a", {"n": 0})).position


# -- lapsed --------------------------------------------------------------------------------------


@each_durability
async def test_a_lapsed_lease_is_confirmed_before_anything_is_answered(durability: str) -> None:
    async with staged(durability=durability) as scene:
        first = await begin(scene)
        scene.stall(LEASE + 1)
        scene.line.hold("renew")
        task = scene.add(1)
        renew = await scene.line.next("renew")
        await turn()
        assert not task.done()
        assert scene.line.seen.count("commit") == 1
        await renew.go()
        commit = await done(task)
        assert isinstance(commit, Commit)
        assert commit.position == Position(first.epoch, 2)
        assert scene.line.seen.count("acquire") == 1


@each_durability
async def test_where_it_cannot_be_confirmed_nothing_is_applied(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        scene.stall(LEASE + 1)
        scene.line.hold("renew")
        task = scene.add(1)
        (await scene.line.next("renew")).fail(AWAY)
        assert isinstance(await done(task), BackendUnavailable)
        scene.line.hold()
        assert isinstance(await done(scene.add(2)), Commit)
        await scene.chord.flush("a")
        assert await scene.keys() == {"n", "k2"}


@relaxed
async def test_what_was_shown_is_still_shown_once_a_lapsed_lease_is_confirmed(
    durability: str,
) -> None:
    async with staged(durability=durability, flush_interval=100.0) as scene:
        await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        scene.stall(LEASE + 1)
        assert (await scene.chord.get_context("a")).state == {"n": 1}


@relaxed
async def test_what_was_shown_and_is_lost_is_not_shown_any_more(durability: str) -> None:
    async with staged(durability=durability, flush_interval=100.0) as scene:
        await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        scene.stall(LEASE + 1)
        other = await scene.open(durability=durability)
        await other.update_context("a", {"n": 2})
        await other.flush("a")
        assert (await scene.chord.get_context("a")).state == {"n": 2}


@relaxed
async def test_what_was_shown_is_not_answered_from_the_store_while_nobody_can_tell(
    durability: str,
) -> None:
    async with staged(durability=durability, flush_interval=100.0) as scene:
        await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        scene.stall(LEASE + 1)
        scene.line.hold("renew")
        reading = scene.ask(scene.chord.get_context("a"))
        (await scene.line.next("renew")).fail(OutcomeUnknown("memory://", "the answer was lost"))
        assert isinstance(await done(reading), BackendUnavailable)


async def test_a_lease_that_lapses_while_a_commit_is_in_flight_is_the_stores_to_judge() -> None:
    async with staged() as scene:
        await begin(scene)
        task, commit = await scene.in_flight(1)
        scene.stall(LEASE + 1)
        behind = scene.add(2)
        scene.line.hold()
        await commit.go()
        assert isinstance(await done(task), Commit)
        assert isinstance(await done(behind), Commit)
        assert await scene.keys() == {"n", "k1", "k2"}


@each_durability
async def test_a_commit_that_comes_after_a_takeover_is_refused(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        task = scene.add(1)
        scene.line.hold("commit")
        flushing = scene.ask(scene.chord.flush("a"))
        commit = await scene.line.next("commit")
        scene.stall(LEASE + 1)
        other = await scene.open(durability=durability)
        taken = await other.update_context("a", {"n": 1})
        scene.line.hold()
        await commit.go()
        outcome = await done(task)
        if durability == "write-through":
            assert isinstance(outcome, NotApplied)
        else:
            assert isinstance(await done(flushing), NotApplied)
            assert scene.chord.statistics()["lost"] == 1
        assert isinstance(await done(scene.add(2)), OwnedElsewhere)
        await other.flush("a")
        context = await scene.chord.get_context("a")
        assert (context.state, context.position) == ({"n": 1}, taken.position)


@each_durability
@pytest.mark.parametrize("stateful", [True, False])
async def test_another_takes_over_once_the_lease_has_lapsed(
    durability: str, stateful: bool
) -> None:
    async with staged(durability=durability) as scene:
        first = await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        kind = type(scene.chord) if stateful else StatelessChord
        other = await scene.open(kind, durability=durability)
        with pytest.raises(OwnedElsewhere):
            await other.update_context("a", {"n": 2})
        scene.stall(LEASE + 1)
        taken = await other.update_context("a", {"n": 2})
        same_life = taken.position.epoch == first.epoch
        assert same_life == (durability == "write-through")
        outcome = await done(scene.add(1))
        if stateful:
            assert isinstance(outcome, OwnedElsewhere)
        else:
            assert isinstance(outcome, Commit)
            assert outcome.position.version == taken.position.version + 1


@relaxed
async def test_one_that_was_overtaken_takes_no_lease_to_find_that_out(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        scene.stall(LEASE + 1)
        other = await scene.open(durability=durability)
        await other.update_context("a", {"n": 2})
        kept = await other.update_context("a", {"n": 3})
        scene.stall(LEASE + 1)
        with pytest.raises(NotApplied):
            await scene.chord.flush("a")
        assert (await other.update_context("a", {"n": 4})).position.epoch == kept.position.epoch
        await other.flush("a")
        assert (await scene.stored()).state == {"n": 4}  # type: ignore[union-attr]


# -- renewals ------------------------------------------------------------------------------------


async def test_the_leases_of_contexts_in_use_are_renewed() -> None:
    async with staged() as scene:
        for context_id in ("a", "b"):
            await scene.chord.set_context(context_id, {"n": 0})
        scene.line.hold("renew")
        renewed: set[str] = set()
        for _ in range(40):
            await scene.chord.get_context("a")
            await scene.pass_time(1.0)
            for call in scene.line.calls[:]:
                scene.line.calls.remove(call)
                if scene.clock.monotonic() > 2 * LEASE:
                    renewed |= set(call.argument)
                await call.go()
        assert renewed == {"a"}
        other = await scene.open()
        assert (await other.update_context("b", {"n": 1})).changed
        with pytest.raises(OwnedElsewhere):
            await other.update_context("a", {"n": 1})


async def test_what_was_not_used_goes_on_where_it_was_once_it_is_used_again() -> None:
    async with staged() as scene:
        first = await begin(scene)
        await scene.pass_time(3 * LEASE)
        commit = await done(scene.add(1))
        assert isinstance(commit, Commit)
        assert commit.position == Position(first.epoch, 2)
        assert scene.line.seen.count("acquire") == 1


@each_durability
async def test_a_lost_renewal_makes_it_look(durability: str) -> None:
    async with staged(durability=durability, flush_interval=100.0) as scene:
        await begin(scene)
        await scene.chord.update_context("a", {"n": 1})
        scene.line.hold("renew")
        await scene.pass_time(5.0)
        renew = await scene.line.next("renew")
        scene.stall(LEASE)
        other = await scene.open(durability=durability)
        taken = await other.update_context("a", {"n": 2})
        await other.flush("a")
        scene.line.hold()
        await renew.go()
        await turn()
        assert (await scene.chord.get_context("a")).position == taken.position
        assert scene.chord.statistics()["lost"] == (durability != "write-through")


async def test_a_renewal_that_fails_is_tried_again() -> None:
    async with staged() as scene:
        await begin(scene)
        scene.line.hold("renew")
        await scene.pass_time(5.0)
        (await scene.line.next("renew")).fail(AWAY)
        scene.line.hold()
        await scene.chord.get_context("a")
        await scene.pass_time(LEASE - 1.0)
        other = await scene.open()
        with pytest.raises(OwnedElsewhere):
            await other.update_context("a", {"n": 1})


async def test_a_watcher_is_told_what_the_next_owner_made() -> None:
    async with staged(watch_poll=1.0) as scene:
        await begin(scene)
        async with scene.chord.watch_context("a") as replies:
            await anext(replies)
            scene.stall(LEASE + 1)
            other = await scene.open()
            taken = await other.update_context("a", {"n": 2})
            await scene.pass_time(2.0)
            assert (await anext(replies)).position == taken.position


def test_to_be_fenced_is_not_to_be_applied() -> None:
    assert issubclass(Fenced, NotApplied)
