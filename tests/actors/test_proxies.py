"""Test how an application's actors are reached: by which ids, by which class, by which names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import ContextActor, command
from chord import ChordError, ConfigurationError, InvalidArgument, InvalidContextId
from chord.errors import WrongActor
from tests.actors.rooms import Odd, Room
from tests.actors.rooms import everywhere as everywhere
from tests.actors.rooms import scene as scene
from tests.actors.scene import Scene, staged

pytestmark = pytest.mark.anyio


async def test_a_plain_attribute_lives_as_long_as_the_actor(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    await room.add()
    await room.add()
    assert await room.count_calls() == 2
    await scene.pass_time(400)
    assert await room.count_calls() == 0


async def test_an_id_must_have_the_prefix(scene: Scene) -> None:
    with pytest.raises(InvalidArgument, match="begins with 'room:', as Room says"):
        scene.chord.actor(Room, "chat:1")


async def test_an_id_must_be_usable(scene: Scene) -> None:
    with pytest.raises(InvalidContextId):
        scene.chord.actor(Odd, "")


async def test_a_class_must_name_its_prefix(scene: Scene) -> None:
    class Nameless(ContextActor): ...

    with pytest.raises(ConfigurationError, match="Nameless names no prefix"):
        scene.chord.actor(Nameless, "a")


async def test_a_class_must_be_an_actors(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="not a subclass of ContextActor"):
        scene.chord.actor(dict, "a")  # type: ignore[type-var]


def test_a_prefix_can_be_an_attribute_and_is_inherited() -> None:
    class Base(ContextActor):
        prefix = "base:"

    class Derived(Base): ...

    assert Derived.prefix == "base:"


def test_a_prefix_must_be_usable() -> None:
    with pytest.raises(InvalidArgument, match="prefix"):

        class Wrong(ContextActor, prefix="\0"): ...


def test_a_command_cannot_have_a_name_of_ours() -> None:
    with pytest.raises(ConfigurationError, match="update"):

        class Wrong(ContextActor, prefix="wrong:"):
            @command
            def update(self, changes: Any) -> None: ...  # type: ignore[override]


async def test_a_proxy_has_the_commands_and_nothing_else(scene: Scene) -> None:
    room = scene.chord.actor(Room, "room:1")
    assert room.context_id == "room:1"
    assert repr(room) == "<proxy of Room 'room:1'>"
    for name in ("state", "update", "initial", "calls", "nothing"):
        with pytest.raises(AttributeError, match=f"'{name}' is no command of Room"):
            getattr(room, name)


async def test_a_derived_class_has_the_commands_of_its_base(scene: Scene) -> None:
    class Derived(Room):
        @command
        def add(self, by: int = 1) -> int:
            self.update({"n": self.state["n"] + 10 * by})
            return int(self.state["n"])

    derived = scene.chord.actor(Derived, "room:1")
    await derived.put({"n": 1})
    assert await derived.add() == 11


async def test_a_command_of_another_class_is_refused_while_one_plays(everywhere: Scene) -> None:
    await everywhere.chord.actor(Room, "room:1").add()
    with pytest.raises(WrongActor, match="'room:1' is played by Room, .* of Odd"):
        await everywhere.chord.actor(Odd, "room:1").once()
    with pytest.raises(WrongActor):
        await everywhere.chord.actor(Odd, "room:1").keep_what_it_is_shown()
    await everywhere.pass_time(400)
    assert await everywhere.chord.actor(Odd, "room:1").double() == 3


async def test_wrong_arguments_are_their_callers_error(scene: Scene) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'bye'"):
        await scene.chord.actor(Room, "room:1").add(bye=1)  # type: ignore[call-arg]


async def test_a_plain_method_that_returns_a_coroutine_is_refused(scene: Scene) -> None:
    class Wrong(ContextActor, prefix="wrong:"):
        def initial(self) -> dict[str, Any]:
            return {}

        @command
        def go(self) -> Any:
            return asyncio.sleep(0)

    with pytest.raises(TypeError, match="async def"):
        await scene.chord.actor(Wrong, "wrong:1").go()


async def test_a_proxy_of_a_closed_runtime_is_refused() -> None:
    async with staged() as scene:
        room = scene.chord.actor(Room, "room:1")
    with pytest.raises(ChordError, match="not open"):
        await room.add()
