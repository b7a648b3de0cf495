"""Test how a context leaves memory: nothing is lost, and who comes meanwhile is served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.stateful import StatefulChord
from chord import BackendUnavailable, ChordError, Commit, DeltaUpdate, FullContext, NoChange
from chord.errors import NotStored
from tests.actors.scene import DURABILITIES, Scene, done, staged
from tests.by_hand import ByHand
from tests.waiting import turn, while_time_runs

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("memory://", "the line is down")

IDLE = {"hibernate_after": 5.0, "idle_ttl": 20.0}

each_durability = pytest.mark.parametrize("durability", DURABILITIES)


async def leave_by_time(scene: Scene) -> None:
    await scene.pass_time(30.0)


async def leave_for_room(scene: Scene) -> None:
    """Needs `max_live_contexts=1`."""
    await scene.chord.update_context("b", {}, create={})
    await turn()


each_way = pytest.mark.parametrize("leave", [leave_by_time, leave_for_room])


@each_durability
@each_way
async def test_an_arrival_while_the_lease_is_given_back_finds_the_next_activation(
    durability: str, leave: object
) -> None:
    async with staged(durability=durability, max_live_contexts=1, **IDLE) as scene:
        await scene.chord.set_context("a", {"n": 0})
        last = await scene.chord.update_context("a", {"n": 1})
        scene.line.hold("release")
        await leave(scene)  # type: ignore[operator]
        release = await scene.line.next("release")
        assert release.argument == "a"
        task = scene.add()
        await turn()
        await release.go()
        scene.line.hold()
        await turn()
        commit = await done(task)
        assert isinstance(commit, Commit)
        assert commit.position == type(last.position)(last.position.epoch, 3)
        await scene.chord.flush("a")
        assert await scene.keys() == {"n", "k1"}


async def test_an_arrival_before_it_has_left_keeps_it() -> None:
    async with staged(durability="write-behind", max_live_contexts=1) as scene:
        await scene.chord.set_context("a", {"n": 0})
        await scene.chord.update_context("a", {"n": 1})
        scene.line.hold("commit")
        asyncio.create_task(scene.chord.set_context("b", {}))
        commit = await scene.line.next("commit")
        assert commit.argument.context_id == "a"
        later = await scene.chord.update_context("a", {"n": 2})
        await commit.go()
        scene.line.hold()
        await turn()
        assert "release" not in scene.line.seen
        assert (await scene.chord.get_context("a")).position == later.position
        assert scene.line.seen.count("acquire") == 2


@each_durability
async def test_who_left_in_time_goes_on_in_the_same_life(durability: str) -> None:
    async with staged(durability=durability, **IDLE) as scene:
        await scene.chord.set_context("a", {"n": 0})
        last = await scene.chord.update_context("a", {"n": 1})
        await scene.pass_time(40.0)
        assert scene.chord.inspect("a") is None
        assert (await scene.stored()).position == last.position  # type: ignore[union-attr]
        again = await scene.chord.update_context("a", {"n": 2})
        assert again.position.epoch == last.position.epoch
        assert isinstance(await scene.chord.sync_context("a", last.position), DeltaUpdate)


async def test_a_failed_flush_keeps_it_awake_and_is_tried_again_ever_later() -> None:
    async with staged(durability="write-behind", flush_interval=1.0, **IDLE) as scene:
        await scene.chord.set_context("a", {"n": 0})
        last = await scene.chord.update_context("a", {"n": 1})
        scene.line.hold("commit")
        failed_at = []
        await scene.pass_time(1.5)
        for _ in range(6):
            while not scene.line.calls:
                await scene.pass_time(0.1, step=0.05)
            failed_at.append(scene.clock.monotonic())
            scene.line.calls.pop().fail(AWAY)
            await turn()
            assert (await scene.chord.get_context("a")).position == last.position
        pauses = [after - before for before, after in zip(failed_at, failed_at[1:], strict=False)]
        assert pauses[-1] > pauses[0] * 4
        await scene.pass_time(30.0)
        assert scene.chord.inspect("a") is not None
        scene.line.hold()
        await scene.line.pass_all()
        await scene.pass_time(10.0)
        assert (await scene.stored()).position == last.position  # type: ignore[union-attr]


async def test_those_used_longest_ago_make_room() -> None:
    async with staged(max_live_contexts=2) as scene:
        for context_id in ("a", "b"):
            await scene.chord.set_context(context_id, {})
        await scene.chord.get_context("a")
        await scene.chord.set_context("c", {})
        await turn()
        live = [context_id for context_id in "abc" if scene.chord.inspect(context_id)]
        assert live == ["a", "c"]


async def test_what_hibernates_makes_room_first() -> None:
    async with staged(max_live_contexts=2, hibernate_after=5.0, idle_ttl=100.0) as scene:
        await scene.chord.set_context("a", {})
        await scene.pass_time(20.0)
        assert scene.chord.inspect("a").phase == "dormant"  # type: ignore[union-attr]
        await scene.chord.set_context("b", {})
        await scene.chord.set_context("c", {})
        await turn()
        assert scene.chord.inspect("a") is None
        assert scene.chord.inspect("b") is not None


@each_durability
async def test_what_hibernates_answers_as_before(durability: str) -> None:
    async with staged(durability=durability, hibernate_after=5.0, idle_ttl=1000.0) as scene:
        chord = scene.chord
        first = await chord.set_context("a", {"n": 0, "deep": {"x": 1}})
        second = await chord.update_context("a", {"n": 1}, op_id="op")
        third = await chord.update_context("a", {"deep": {"x": 2}})
        await chord.flush("a")
        before = [
            await chord.get_context("a"),
            *[await chord.sync_context("a", each.position) for each in (first, second, third)],
        ]
        assert [type(each) for each in before[1:]] == [DeltaUpdate, DeltaUpdate, NoChange]
        for write in (False, True):
            await scene.pass_time(8.0)
            assert chord.inspect("a").phase == "dormant"  # type: ignore[union-attr]
            if write:
                break
            after = [
                await chord.get_context("a"),
                *[await chord.sync_context("a", each.position) for each in (first, second, third)],
            ]
            assert after == before
        again = await chord.update_context("a", {"n": 1}, op_id="op")
        assert (again.position, again.delta) == (second.position, second.delta)
        fourth = await chord.update_context("a", {"n": 4})
        assert fourth.position == type(first.position)(first.position.epoch, 4)
        assert third.context.state == {"n": 1, "deep": {"x": 2}}
        assert "load" not in scene.line.seen


async def test_what_hibernates_gives_its_lease_back() -> None:
    async with staged(**IDLE) as scene:
        await scene.chord.set_context("a", {})
        await scene.pass_time(30.0)
        other = await scene.open()
        assert (await other.update_context("a", {"n": 1})).changed


# -- closing -------------------------------------------------------------------------------------


@each_durability
async def test_what_is_closed_has_stored_everything(durability: str) -> None:
    async with staged(durability=durability) as scene:
        other = type(scene.chord)(scene.store, clock=scene.clock, durability=durability)
        async with other as chord:
            await chord.set_context("a", {"n": 0})
            commits = [await chord.update_context("a", {"n": n}) for n in (1, 2, 3)]
        live = await scene.stored()
        assert live is not None
        assert live.position == commits[-1].position
        assert not live.ended


async def hold_open(chord: StatefulChord, opened: asyncio.Event, closing: asyncio.Event) -> None:
    async with chord:
        opened.set()
        await closing.wait()


@each_durability
async def test_closing_with_the_store_away_says_what_is_not_stored(durability: str) -> None:
    async with staged() as scene:
        line = ByHand(scene.store)
        chord = StatefulChord(
            line, clock=scene.clock, durability=durability, drain_timeout=5.0, watch_poll=None
        )
        opened, closing = asyncio.Event(), asyncio.Event()
        living = scene.ask(hold_open(chord, opened, closing))
        await opened.wait()
        for context_id in ("a", "b", "c"):
            await chord.set_context(context_id, {"n": 0})
        line.hold("commit", "release", "acquire", "renew")
        calls: list[Any] = [
            chord.update_context("b", {"n": 1}),
            chord.update_context("a", {"n": 1}),
            chord.delete_context("c"),
            chord.update_context("c", {"n": 1}, create={}),
        ]
        tasks = [scene.ask(call) for call in calls]
        await turn()
        closing.set()
        outcome = await while_time_runs(scene.clock, asyncio.wait_for(living, None))
        if durability == "write-through":
            assert outcome is None
        else:
            assert isinstance(outcome, NotStored)
            assert outcome.context_ids == ("a", "b")
        await turn()
        assert all(task.done() for task in tasks)
        assert all(isinstance(task.result(), ChordError) for task in tasks[2:])


async def test_a_reader_who_knew_it_in_memory_is_told_the_rest_after_it_left() -> None:
    async with staged(**IDLE) as scene:
        await scene.chord.set_context("a", {"n": 0})
        async with scene.chord.watch_context("a") as replies:
            assert isinstance(await anext(replies), FullContext)
            await scene.pass_time(40.0)
            assert scene.chord.inspect("a") is None
            await scene.chord.update_context("a", {"n": 1})
            assert isinstance(await anext(replies), DeltaUpdate)
