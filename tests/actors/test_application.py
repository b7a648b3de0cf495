"""Test commands: what they do to the state, and what they answer."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from actors import ContextActor, command
from chord import (
    Added,
    Append,
    ConfigurationError,
    ContextNotFound,
    DeltaUpdate,
    Event,
    Increment,
    InvalidState,
)
from chord.errors import NoTurn
from tests.actors.rooms import Odd, Room, number, state_of, version_of
from tests.actors.rooms import everywhere as everywhere
from tests.actors.rooms import scene as scene
from tests.actors.scene import Scene, done, staged
from tests.waiting import outcome_of, turn, until

pytestmark = pytest.mark.anyio


class Bare(ContextActor, prefix="bare:"):
    """Says nothing of how to begin."""

    @command
    def put(self, change: dict[str, Any]) -> None:
        self.update(change)


# -- what a command does -------------------------------------------------------------------------


async def test_a_sync_command_answers_with_what_it_returns(everywhere: Scene) -> None:
    assert await everywhere.chord.actor(Room, "room:1").add(by=2) == 2


async def test_an_async_command_answers_with_what_it_returns(everywhere: Scene) -> None:
    Room.gate.set()
    assert await everywhere.chord.actor(Room, "room:1").wait({"n": 5}) == 5


async def test_all_updates_of_a_command_are_one_version(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    since = (await everywhere.chord.get_context("room:1")).position
    await room.put({"a": 1}, {"b": {}}, {"b": {"c": 2}}, {"a": 3})
    reply = await everywhere.chord.sync_context("room:1", since)
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.version == since.version + 1
    assert reply.delta.changes == {"a": Added(3), "b": Added({"c": 2})}


async def test_a_command_that_changes_nothing_makes_no_version(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    await room.put({"x": 1}, {"n": 1})
    await room.put({"x": 2}, {"x": 1})
    assert await version_of(everywhere) == 2


async def test_what_an_async_command_does_is_shown_at_its_end(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    waiting = everywhere.ask(room.wait({"n": 7}))
    await until(lambda: "waits" in Room.notes)
    assert (await state_of(everywhere))["n"] == 1
    Room.gate.set()
    assert await done(waiting) == 7
    assert (await state_of(everywhere))["n"] == 7


async def test_an_async_command_holds_its_turn(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    waiting = everywhere.ask(room.wait({"n": 10}))
    await until(lambda: "waits" in Room.notes)
    adding = everywhere.ask(room.add())
    updating = everywhere.ask(everywhere.chord.update_context("room:1", {"x": 1}))
    await turn()
    assert not adding.done()
    assert not updating.done()
    Room.gate.set()
    assert await waiting == 10
    assert await adding == 11
    assert Room.notes == ["add 1", "waits", "goes on", "add 1"]
    await updating


async def test_commands_and_plain_updates_take_their_turns_in_order(everywhere: Scene) -> None:
    room, chord = everywhere.chord.actor(Room, "room:1"), everywhere.chord
    await room.put({"log": []})
    Room.gate.set()
    await asyncio.gather(
        room.put({"log": Append([1])}),
        chord.update_context("room:1", {"log": Append([2])}),
        room.wait({"log": Append([3])}),
        chord.transform_context("room:1", lambda state: {"log": Append([len(state["log"]) + 1])}),
        room.put({"log": Append([5])}),
        chord.update_context("room:1", {"log": Append([6])}),
    )
    assert (await state_of(everywhere))["log"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("how", ["put_and_raise", "wait_and_raise"])
async def test_a_command_that_raises_tells_its_caller_and_leaves_the_state(
    everywhere: Scene, how: str
) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    before = await everywhere.chord.get_context("room:1")
    Room.gate.set()
    with pytest.raises(LookupError, match="no such thing"):
        await getattr(room, how)({"n": 100, "log": Append(["x"])})
    assert await everywhere.chord.get_context("room:1") == before
    assert await room.add() == 2


@pytest.mark.parametrize("how", ["put_and_raise", "wait_and_raise"])
async def test_a_first_command_that_raises_begins_no_context(everywhere: Scene, how: str) -> None:
    Room.gate.set()
    with pytest.raises(LookupError):
        await getattr(everywhere.chord.actor(Room, "room:1"), how)({})
    with pytest.raises(ContextNotFound):
        await everywhere.chord.get_context("room:1")


async def test_a_command_sees_what_it_has_changed(scene: Scene) -> None:
    assert await scene.chord.actor(Room, "room:1").add(3) == 3


async def test_what_it_is_shown_stays_as_it_is(everywhere: Scene) -> None:
    odd = everywhere.chord.actor(Odd, "odd")
    shown = await odd.keep_what_it_is_shown()
    await everywhere.chord.update_context("odd", {"list": Append([4])})
    assert [state["list"] for state in shown] == [[1], [1, 2], [1, 2, 3]]


async def test_what_it_returns_of_the_state_stays_as_it_is(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    shown = await room.look()
    await room.add()
    await everywhere.chord.update_context("room:1", {"n": Increment()})
    assert shown == {"log": [], "n": 0}


async def test_the_state_cannot_be_written(scene: Scene) -> None:
    with pytest.raises(TypeError, match="read-only"):
        await scene.chord.actor(Odd, "odd").write_into_the_state()


async def test_what_cannot_be_part_of_a_state_is_refused_with_its_path(scene: Scene) -> None:
    with pytest.raises(InvalidState, match=r"\['a'\]\['b'\]"):
        await scene.chord.actor(Room, "room:1").put({"a": {"b": {1, 2}}})


async def test_an_update_that_was_refused_leaves_what_was_changed_before(scene: Scene) -> None:
    room = scene.chord.actor(Odd, "odd")
    refused = await room.try_twice({"list": Append([2]), "id": Increment()}, {"ok": True})
    assert "Increment" in refused
    assert await state_of(scene, "odd") == {"id": "odd", "list": [1], "ok": True}


async def test_what_was_taken_in_is_a_copy(scene: Scene) -> None:
    change = {"a": {"b": [1]}}
    await scene.chord.actor(Room, "room:1").put(change)
    change["a"]["b"].append(2)
    assert (await state_of(scene))["a"] == {"b": [1]}


async def test_a_state_that_is_too_large_is_refused_and_the_next_is_not() -> None:
    async with staged(max_state_bytes=1000) as scene:
        room = scene.chord.actor(Room, "room:1")
        await room.add()
        Room.gate = asyncio.Event()
        Room.gate.set()
        for call in (room.put({"a": "x" * 2000}), room.wait({"a": "x" * 2000})):
            with pytest.raises(InvalidState):
                await call
        assert await room.add() == 2


async def test_a_command_that_another_calls_is_part_of_its_turn(everywhere: Scene) -> None:
    odd = everywhere.chord.actor(Odd, "odd")
    await odd.once()
    assert await odd.double() == 3
    assert await version_of(everywhere, "odd") == 2


async def test_commands_see_the_context_variables_of_their_caller(scene: Scene) -> None:
    odd = scene.chord.actor(Odd, "odd")
    await odd.number()
    number.set(7)
    assert await odd.number() == 7
    assert await odd.number_later() == -1
    assert number.get() == 7


# -- how a context begins ------------------------------------------------------------------------


async def test_a_context_begins_with_initial(everywhere: Scene) -> None:
    await everywhere.chord.actor(Odd, "odd:1").once()
    assert await state_of(everywhere, "odd:1") == {"id": "odd:1", "list": [1], "n": 1}
    assert await version_of(everywhere, "odd:1") == 1


async def test_what_is_there_is_not_begun_again(everywhere: Scene) -> None:
    await everywhere.chord.set_context("room:1", {"n": 41})
    assert await everywhere.chord.actor(Room, "room:1").add() == 42


async def test_without_initial_there_must_be_a_context(everywhere: Scene) -> None:
    bare = everywhere.chord.actor(Bare, "bare:1")
    with pytest.raises(ContextNotFound):
        await bare.put({"a": 1})
    await everywhere.chord.set_context("bare:1", {})
    await bare.put({"a": 1})
    assert await state_of(everywhere, "bare:1") == {"a": 1}


async def test_an_initial_state_that_is_none_is_refused(scene: Scene) -> None:
    class Wrong(ContextActor, prefix="wrong:"):
        def initial(self) -> Any:
            return {"a": object()}

        @command
        def go(self) -> None: ...

    with pytest.raises(InvalidState):
        await scene.chord.actor(Wrong, "wrong:1").go()


def test_initial_cannot_be_async() -> None:
    with pytest.raises(ConfigurationError, match="initial cannot be async"):

        class Wrong(ContextActor, prefix="wrong:"):
            async def initial(self) -> Any:  # type: ignore[override]
                return {}


# -- the state outside of commands ---------------------------------------------------------------


async def test_a_task_that_outlives_its_command_cannot_use_the_state(everywhere: Scene) -> None:
    odd = everywhere.chord.actor(Odd, "odd")
    Room.gate = asyncio.Event()
    await odd.leave_a_task_behind()
    Room.gate.set()
    assert isinstance(await Odd.kept, NoTurn)
    assert "late" not in await state_of(everywhere, "odd")


async def test_nobody_else_can_use_the_state(scene: Scene) -> None:
    actor = await scene.chord.actor(Odd, "odd").show_itself()
    with pytest.raises(NoTurn):
        actor.update({"a": 1})
    with pytest.raises(NoTurn):
        _ = actor.state
    with pytest.raises(NoTurn):
        await actor.once()


# -- its ends ------------------------------------------------------------------------------------


async def test_a_command_that_cancels_itself_is_told_to_its_caller_alone(scene: Scene) -> None:
    odd = scene.chord.actor(Odd, "odd")
    with pytest.raises(RuntimeError, match="was cancelled"):
        await odd.cancel_itself()
    assert await odd.once() == 1


async def test_a_command_may_raise_anything(scene: Scene) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await scene.chord.actor(Odd, "odd").stop_iterating()


async def test_each_command_is_told_once() -> None:
    events: list[Event] = []

    class Log:
        record = staticmethod(events.append)

    async with staged(telemetry=Log()) as scene:
        Room.gate = asyncio.Event()
        Room.gate.set()
        room = scene.chord.actor(Room, "room:1")
        await room.add()
        await room.add()
        await room.look()
        await room.wait({"n": 0})
        await outcome_of(room.put_and_raise({}))
    told = [(event.operation, event.context_id, event.outcome) for event in events]
    assert told == [
        ("command:add", "room:1", "ok"),
        ("command:add", "room:1", "ok"),
        ("command:look", "room:1", "unchanged"),
        ("command:wait", "room:1", "ok"),
        ("command:put_and_raise", "room:1", "LookupError"),
    ]
    assert events[1].size > 0


async def test_a_state_that_was_returned_can_be_copied(scene: Scene) -> None:
    shown = copy.deepcopy(await scene.chord.actor(Room, "room:1").look())
    shown["n"] = 1
    assert (await state_of(scene))["n"] == 0
