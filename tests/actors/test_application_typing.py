"""Test that a type checker knows a proxy's commands: it reads this file with all others.

`assert_type` says what it must find, and an unused `type: ignore` is an error to it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

import pytest

from actors import ContextActor, command, every
from tests.actors.scene import staged

pytestmark = pytest.mark.anyio


class Chat(ContextActor, prefix="chat:"):
    """Every kind of command."""

    def initial(self) -> dict[str, Any]:
        return {"said": {}}

    @command
    def say(self, name: str, text: str, *, loud: bool = False) -> int:
        self.update({"said": {name: text.upper() if loud else text}})
        return len(self.state["said"])

    @command
    async def ask(self, name: str) -> str | None:
        said: str | None = self.state["said"].get(name)
        return said

    @command
    async def say_twice(self, name: str, text: str) -> int:
        assert_type(await self.say(name, text), int)
        return await self.say(name, text)

    @command
    def clear(self) -> None:
        self.update({"said": {}})

    @command
    def gather(self, /, *names: str, **options: int) -> tuple[int, ...]:
        return (len(names), *options.values())

    @every(60)
    def tidy(self) -> None: ...

    @every(60)
    async def tidy_slowly(self) -> int:
        self.tidy()
        return 1


class Loud(Chat):
    """Says it otherwise; activates asynchronously."""

    async def on_activate(self) -> None: ...

    def on_passivate(self) -> None: ...

    @command
    async def say(self, name: str, text: str, *, loud: bool = True) -> int:
        return 0


async def test_a_type_checker_knows_the_commands() -> None:
    async with staged() as scene:
        chat = scene.chord.actor(Chat, "chat:1")
        assert_type(chat, Chat)
        assert_type(chat.context_id, str)
        assert_type(await chat.say("ana", "hi"), int)
        assert_type(await chat.say("ana", text="hi", loud=True), int)
        assert_type(chat.say("ana", "hi"), Coroutine[Any, Any, int]).close()
        assert_type(await chat.ask("ana"), str | None)
        assert_type(await chat.say_twice("ana", "hi"), int)
        assert_type(await chat.gather("a", "b", c=1), tuple[int, ...])
        clear: Callable[[], Coroutine[Any, Any, None]] = chat.clear
        await clear()
        hurried = scene.chord.actor(Chat, "chat:1", timeout=2.0)
        assert_type(await hurried.ask("ana"), str | None)
        assert_type(await scene.chord.actor(Loud, "chat:2").say("ana", "hi"), int)


async def test_a_type_checker_refuses_wrong_arguments() -> None:
    async with staged() as scene:
        chat = scene.chord.actor(Chat, "chat:1")
        for call in (
            chat.say("ana"),  # type: ignore[call-arg]
            chat.say("ana", "hi", "loud"),  # type: ignore[call-arg,arg-type]
            chat.clear(1),  # type: ignore[call-arg]
        ):
            with pytest.raises(TypeError):
                await call
        chat.say("ana", 1).close()  # type: ignore[arg-type]
        with pytest.raises(AttributeError):
            chat.shout("ana")  # type: ignore[attr-defined]
        length: str = await chat.gather()  # type: ignore[assignment]
        assert length == (0,)  # type: ignore[comparison-overlap]


def test_a_type_checker_knows_a_command_of_the_class() -> None:
    assert Chat.say.is_async is False
    assert Chat.ask.is_async is True
    assert Chat.tidy.seconds == 60
