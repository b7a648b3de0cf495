"""Test commands where the store refuses, the lease lapses, or the actor crashes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import ContextActor, command
from chord import BackendUnavailable, Increment, NotApplied
from chord.errors import ChordError
from chord.stateless import StatelessChord
from tests.actors.rooms import Room, state_of, version_of
from tests.actors.rooms import everywhere as everywhere
from tests.actors.rooms import scene as scene
from tests.actors.scene import LEASE, Scene, done, staged
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

GONE = BackendUnavailable("memory://", "gone")


class Waking(ContextActor, prefix="waking:"):
    """Counts how often it wakes."""

    woken = 0

    def on_activate(self) -> None:
        Waking.woken += 1
        self.update({"n": self.state["n"] + 1})

    @command
    def look(self) -> int:
        return int(self.state["n"])


async def test_a_command_is_answered_once_it_is_stored(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    scene.line.hold("commit")
    adding = scene.ask(room.add())
    commit = await scene.line.next("commit")
    await turn()
    assert not adding.done()
    assert (await state_of(scene))["n"] == 1
    await commit.go()
    assert await done(adding) == 2


async def test_commands_share_a_commit(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    before = scene.chord.statistics()["commits"]
    assert sorted(await asyncio.gather(*(room.add() for _ in range(100)))) == list(range(2, 102))
    assert scene.chord.statistics()["commits"] <= before + 2
    assert await version_of(scene) == 101


async def test_a_command_that_was_not_stored_is_undone(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    scene.line.hold("commit")
    adding = scene.ask(room.add(100))
    commit = await scene.line.next("commit")
    scene.line.hold()
    commit.fail(GONE)
    assert isinstance(await done(adding), BackendUnavailable)
    assert await room.look() == {"log": [], "n": 1}


async def test_an_async_command_on_a_version_that_was_not_stored_is_not_applied(
    scene: Scene,
) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    scene.line.hold("commit")
    adding = scene.ask(room.add(100))
    commit = await scene.line.next("commit")
    waiting = scene.ask(room.wait({"x": 1}))
    await until(lambda: "waits" in Room.notes)
    scene.line.hold()
    commit.fail(GONE)
    await turn()
    Room.gate.set()
    assert isinstance(await done(adding), BackendUnavailable)
    assert isinstance(await done(waiting), NotApplied)
    assert await room.look() == {"log": [], "n": 1}


@pytest.mark.parametrize("how", ["look", "put_and_raise", "wait", "wait_and_raise"])
async def test_an_answer_that_rests_on_what_is_not_stored_waits_for_it(
    scene: Scene, how: str
) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    scene.line.hold("commit")
    adding = scene.ask(room.add())
    commit = await scene.line.next("commit")
    Room.gate.set()
    call = room.look() if how == "look" else getattr(room, how)({})
    looking = scene.ask(call)
    await turn()
    assert not looking.done()
    await commit.go()
    await done(adding)
    await done(looking)


async def test_a_part_whose_activation_was_not_stored_begins_again(scene: Scene) -> None:
    Waking.woken = 0
    await scene.chord.set_context("waking:1", {"n": 0})
    waking = scene.chord.actor(Waking, "waking:1")
    scene.line.hold("commit")
    looking = scene.ask(waking.look())
    commit = await scene.line.next("commit")
    scene.line.hold()
    commit.fail(GONE)
    assert isinstance(await done(looking), BackendUnavailable)
    assert await waking.look() == 1
    assert Waking.woken == 2


async def test_a_command_is_not_done_again_after_a_crash(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    scene.line.hold("commit")
    adding = scene.ask(room.add())
    commit = await scene.line.next("commit")
    scene.line.hold()
    commit.fail(RuntimeError("a bug"))
    await scene.pass_time(5)
    assert await done(adding) == 2
    assert Room.notes == ["add 1", "add 1"]


async def test_a_command_with_which_it_crashes_twice_was_not_applied(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    adding = scene.ask(room.add())
    for _ in range(2):
        scene.line.hold("commit")
        commit = await scene.line.next("commit")
        scene.line.hold()
        commit.fail(RuntimeError("a bug"))
        await turn()
        scene.line.hold("commit")
        await scene.pass_time(2)
    scene.line.hold()
    assert isinstance(await done(adding), NotApplied)
    assert Room.notes == ["add 1", "add 1"]
    assert await room.add() == 2


async def test_an_async_command_whose_lease_lapsed_sees_whether_it_is_still_the_owner(
    everywhere: Scene,
) -> None:
    scene = everywhere
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    await scene.chord.flush()
    waiting = scene.ask(room.wait({"n": 50}))
    await until(lambda: "waits" in Room.notes)
    scene.line.hold("renew")
    scene.stall(LEASE + 1)
    Room.gate.set()
    await turn()
    assert not waiting.done()
    assert "renew" in scene.line.seen
    await scene.line.pass_all()
    assert await done(waiting) == 50


async def test_one_who_is_the_owner_no_more_does_nothing(everywhere: Scene) -> None:
    scene = everywhere
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    await scene.chord.flush()
    waiting = scene.ask(room.wait({"n": 50}))
    await until(lambda: "waits" in Room.notes)
    scene.stall(LEASE + 1)
    other = await scene.open(StatelessChord)
    await other.update_context("room:1", {"other": Increment()})
    Room.gate.set()
    assert isinstance(await done(waiting), NotApplied)
    context = await other.get_context("room:1")
    assert context.state == {"log": [], "n": 1, "other": 1}
    assert await room.add() == 2


async def test_an_async_command_is_told_where_nobody_knows_who_is_the_owner(
    everywhere: Scene,
) -> None:
    scene = everywhere
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    await scene.chord.flush()
    waiting = scene.ask(room.wait({"n": 50}))
    await until(lambda: "waits" in Room.notes)
    scene.line.hold("renew")
    scene.stall(LEASE + 1)
    Room.gate.set()
    renewal = await scene.line.next("renew")
    scene.line.hold()
    renewal.fail(GONE)
    outcome = await done(waiting)
    assert isinstance(outcome, ChordError)
    assert outcome.applied is False
    await scene.pass_time(1)
    assert await room.add() == 2


async def test_a_mailbox_that_rejects_does_so_to_commands() -> None:
    Room.gate = asyncio.Event()
    Room.notes.clear()
    async with staged(mailbox_limit=1, mailbox_overflow="reject") as scene:
        room = scene.chord.actor(Room, "room:1")
        await room.add()
        waiting = scene.ask(room.wait())
        await until(lambda: "waits" in Room.notes)
        tasks: list[asyncio.Task[Any]] = [scene.ask(room.add()) for _ in range(3)]
        await turn()
        assert [task.done() for task in tasks] == [False, True, True]
        Room.gate.set()
        await waiting


async def test_what_a_command_is_given_counts_as_mail() -> None:
    Room.gate = asyncio.Event()
    Room.notes.clear()
    async with staged(mailbox_bytes=1000, mailbox_overflow="reject") as scene:
        room = scene.chord.actor(Room, "room:1")
        await room.add()
        waiting = scene.ask(room.wait())
        await until(lambda: "waits" in Room.notes)
        endless: dict[str, Any] = {"x": "x" * 2000}
        endless["self"] = endless
        first = scene.ask(room.put(endless))
        second = scene.ask(room.put({"y": "y"}))
        await turn()
        assert not first.done()
        assert not second.done()
        third = scene.ask(room.wait_and_raise({"z": "z" * 2000}))
        fourth = scene.ask(room.add(by=10**6))
        await turn()
        Room.gate.set()
        for task in (waiting, first, second, third, fourth):
            await task
