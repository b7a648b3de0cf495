"""Test how a context comes into memory: once, whoever asks, and never by mistake as a new one."""

from __future__ import annotations

from typing import Any

import pytest

from chord import BackendUnavailable, Commit, ContextNotFound, NotApplied, OutcomeUnknown
from tests.actors.scene import DURABILITIES, Scene, done, staged
from tests.waiting import turn

pytestmark = pytest.mark.anyio

AWAY = BackendUnavailable("memory://", "the line is down")


async def settle_elsewhere(scene: Scene) -> None:
    """Have the context stored by another, who is gone."""
    async with type(scene.chord)(scene.store, clock=scene.clock, watch_poll=None) as other:
        await other.set_context("a", {"n": 0})


async def test_all_who_ask_at_once_wait_for_one_activation() -> None:
    async with staged() as scene:
        await settle_elsewhere(scene)
        scene.line.hold("acquire")
        tasks = [scene.add(n) for n in range(5)]
        acquire = await scene.line.next("acquire")
        await turn()
        assert scene.line.seen.count("acquire") == 1
        await acquire.go()
        versions = [(await done(task)).position.version for task in tasks]  # type: ignore[union-attr]
        assert versions == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("who", range(3))
async def test_who_gives_up_while_it_is_activated_fails_nobody_else(who: int) -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        tasks = [scene.add(n, create={}) for n in range(3)]
        acquire = await scene.line.next("acquire")
        tasks[who].cancel()
        await turn()
        await acquire.go()
        await turn()
        kept = [task for task in tasks if not task.cancelled()]
        assert len(kept) == 2
        assert all(isinstance(task.result(), Commit) for task in kept)
        assert f"k{who}" not in await scene.keys()


async def test_where_all_have_given_up_it_can_be_asked_again() -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        task = scene.add(create={})
        acquire = await scene.line.next("acquire")
        task.cancel()
        await turn()
        scene.line.hold()
        await acquire.go()
        await turn()
        assert await scene.stored() is None
        assert isinstance(await done(scene.add(create={})), Commit)


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_what_could_not_be_loaded_is_not_taken_for_missing(durability: str) -> None:
    async with staged(durability=durability) as scene:
        await settle_elsewhere(scene)
        scene.line.hold("acquire")
        chord = scene.chord
        calls: list[Any] = [
            chord.set_context("a", {}, expected=0),
            chord.update_context("a", {"k": 1}, create={}),
            chord.update_context("a", {"k": 1}),
            chord.delete_context("a"),
        ]
        tasks = [scene.ask(call) for call in calls]
        (await scene.line.next("acquire")).fail(AWAY)
        for task in tasks:
            assert isinstance(await done(task), BackendUnavailable)
        assert (await scene.stored()).state == {"n": 0}  # type: ignore[union-attr]
        scene.line.hold()
        commit = await chord.update_context("a", {"k": 1}, create={})
        assert commit.position.version == 2


async def test_what_is_missing_is_missing_for_all_who_asked() -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        tasks = [scene.add(1), scene.add(2, create={}), scene.add(3)]
        await (await scene.line.next("acquire")).go()
        first, second, third = [await done(task) for task in tasks]
        assert isinstance(first, ContextNotFound)
        assert isinstance(second, Commit)
        assert isinstance(third, Commit)


async def test_a_lease_that_nobody_can_tell_of_leaves_the_write_not_applied() -> None:
    async with staged() as scene:
        scene.line.hold("acquire")
        task = scene.add(create={})
        call = await scene.line.next("acquire")
        await call.carry_out()
        call.fail(OutcomeUnknown("memory://", "the answer was lost"))
        assert isinstance(await done(task), NotApplied)
        scene.line.hold()
        assert isinstance(await done(scene.add(create={})), Commit)


async def test_reading_activates_nothing() -> None:
    async with staged() as scene:
        await settle_elsewhere(scene)
        await scene.chord.get_context("a")
        await scene.chord.sync_context("a")
        async with scene.chord.watch_context("a") as replies:
            await anext(replies)
        assert scene.chord.inspect("a") is None
        assert "acquire" not in scene.line.seen


async def test_it_is_read_from_the_store_while_it_is_activated() -> None:
    async with staged() as scene:
        await settle_elsewhere(scene)
        scene.line.hold("acquire")
        task = scene.add()
        acquire = await scene.line.next("acquire")
        assert (await scene.chord.get_context("a")).state == {"n": 0}
        await acquire.go()
        assert isinstance(await done(task), Commit)
