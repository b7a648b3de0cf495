"""Hold `Room` and `Odd`, the actors that the tests of applications play with, and their scenes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from actors import ContextActor, command
from chord import Append, Increment, InvalidState
from tests.actors.scene import DURABILITIES, Scene, staged
from tests.waiting import outcome_of

number = contextvars.ContextVar("number", default=0)


class Room(ContextActor, prefix="room:"):
    """A room. `notes` and `gate` are the test's."""

    notes: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]

    def __init__(self) -> None:
        self.calls = 0

    def initial(self) -> dict[str, Any]:
        return {"log": [], "n": 0}

    @command
    def add(self, by: int = 1) -> int:
        self.calls += 1
        self.update({"n": self.state["n"] + by})
        self.notes.append(f"add {by}")
        return int(self.state["n"])

    @command
    def put(self, *changes: dict[str, Any]) -> None:
        for change in changes:
            self.update(change)

    @command
    def put_and_raise(self, change: dict[str, Any]) -> None:
        self.update(change)
        raise LookupError("no such thing")

    @command
    def look(self) -> dict[str, Any]:
        return self.state

    @command
    def count_calls(self) -> int:
        return self.calls

    @command
    async def wait(self, change: dict[str, Any] | None = None) -> int:
        """Change something, then wait for the gate."""
        self.update(change or {})
        self.notes.append("waits")
        await self.gate.wait()
        self.notes.append("goes on")
        return int(self.state["n"])

    @command
    async def wait_and_raise(self, change: dict[str, Any]) -> None:
        self.update(change)
        await self.gate.wait()
        raise LookupError("no such thing")


class Odd(ContextActor, prefix=""):
    """Does what an application should not, and what it may want to."""

    kept: Any = None

    def initial(self) -> dict[str, Any]:
        return {"id": self.context_id, "list": [1]}

    @command
    def write_into_the_state(self) -> None:
        self.state["list"] = 1

    @command
    def keep_what_it_is_shown(self) -> list[dict[str, Any]]:
        before = self.state
        self.update({"list": Append([2])})
        between = self.state
        self.update({"list": Append([3])})
        return [before, between, self.state]

    @command
    def try_twice(self, bad: dict[str, Any], good: dict[str, Any]) -> str:
        try:
            self.update(bad)
        except InvalidState as error:
            self.update(good)
            return str(error)
        return ""

    @command
    async def double(self) -> int:
        await self.once()
        return await self.once()

    @command
    async def once(self) -> int:
        self.update({"n": Increment()})
        return int(self.state["n"])

    @command
    def number(self) -> int:
        return number.get()

    @command
    async def number_later(self) -> int:
        await asyncio.sleep(0)
        number.set(-1)
        return number.get()

    @command
    async def leave_a_task_behind(self) -> None:
        async def update_later() -> None:
            await Room.gate.wait()
            self.update({"late": True})

        Odd.kept = asyncio.create_task(outcome_of(update_later()))

    @command
    def show_itself(self) -> Odd:
        return self

    @command
    async def cancel_itself(self) -> None:
        task = asyncio.current_task()
        assert task
        task.cancel()
        await asyncio.sleep(0)

    @command
    def stop_iterating(self) -> None:
        raise StopIteration


async def version_of(scene: Scene, context_id: str = "room:1") -> int:
    return (await scene.chord.get_context(context_id)).position.version


async def state_of(scene: Scene, context_id: str = "room:1") -> dict[str, Any]:
    return dict((await scene.chord.get_context(context_id)).state)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A scene where an acknowledgement says that it is stored."""
    _open_rooms()
    async with staged() as scene:
        yield scene


@pytest.fixture(params=DURABILITIES)
async def everywhere(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A scene of each durability in turn."""
    _open_rooms()
    async with staged(durability=request.param) as scene:
        yield scene


def _open_rooms() -> None:
    Room.notes.clear()
    Room.gate = asyncio.Event()
