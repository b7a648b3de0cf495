"""Test that commands which would wait for each other, or for themselves, are told so at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors import ContextActor, StatefulChord, command
from chord import Context, NotApplied
from chord.errors import AskCycle
from tests.actors.rooms import Room
from tests.actors.rooms import everywhere as everywhere
from tests.actors.rooms import scene as scene
from tests.actors.scene import Scene, done, staged
from tests.waiting import outcome_of, turn

pytestmark = pytest.mark.anyio


class Node(ContextActor, prefix="node:"):
    """Asks others, as it is told."""

    others: list[StatefulChord] = []

    def initial(self) -> dict[str, Any]:
        return {"n": 0}

    @command
    def add(self) -> int:
        self.update({"n": self.state["n"] + 1})
        return int(self.state["n"])

    @command
    async def ask(self, way: Sequence[str]) -> int:
        """Ask along the way; the last one adds."""
        if not way:
            return 0
        following = self.chord.actor(Node, f"node:{way[0]}")
        return 1 + (await following.ask(way[1:]) if way[1:] else await following.add())

    @command
    async def ask_at_once(self, *ways: Sequence[str]) -> list[int | BaseException]:
        return await asyncio.gather(*(self.ask(way) for way in ways), return_exceptions=True)

    @command
    async def ask_and_go_on(self, way: Sequence[str]) -> str:
        try:
            await self.ask(way)
        except AskCycle:
            self.update({"went": "on"})
        return str(self.state["went"])

    @command
    async def write(self, how: str) -> None:
        chord, own = self.chord, self.context_id
        if how == "update":
            await chord.update_context(own, {"a": 1})
        elif how == "set":
            await chord.set_context(own, {})
        elif how == "transform":
            await chord.transform_context(own, lambda state: {"a": 1})
        elif how == "delete":
            await chord.delete_context(own)
        else:
            await chord.restore_context(own)

    @command
    async def read(self) -> Context:
        await self.chord.sync_context(self.context_id)
        async with self.chord.watch_context(self.context_id) as replies:
            await anext(replies)
        await self.chord.flush(self.context_id)
        await self.chord.list_contexts()
        self.update({"read": True})
        return await self.chord.get_context(self.context_id)

    @command
    async def leave_a_task(self) -> asyncio.Task[int]:
        async def add_later() -> int:
            await Room.gate.wait()
            return await self.chord.actor(Node, self.context_id).add()

        return asyncio.create_task(add_later())

    @command
    async def ask_elsewhere(self) -> int:
        return await self.others[0].actor(Node, self.context_id).add()

    @command
    async def wait_then_ask(self, way: Sequence[str]) -> int:
        await Room.gate.wait()
        return await self.ask(way)


class Waking(Node, prefix="waking:"):
    async def on_activate(self) -> None:
        await self.chord.actor(Node, "node:a").add()


def chain_of(outcome: object) -> list[tuple[str, str]]:
    assert isinstance(outcome, AskCycle)
    return list(outcome.chain)


async def test_a_command_that_asks_its_own_context_is_told_the_chain(everywhere: Scene) -> None:
    outcome = await outcome_of(everywhere.chord.actor(Node, "node:a").ask("a"))
    assert chain_of(outcome) == [("node:a", "ask"), ("node:a", "add")]
    assert str(outcome) == "it would wait for itself: 'node:a'.ask -> 'node:a'.add"


async def test_so_is_one_that_does_by_way_of_others(everywhere: Scene) -> None:
    outcome = await outcome_of(everywhere.chord.actor(Node, "node:a").ask("bcab"))
    names = [("node:a", "ask"), ("node:b", "ask"), ("node:c", "ask"), ("node:a", "ask")]
    assert chain_of(outcome) == names


async def test_a_cycle_was_not_applied_and_holds_nobody_up(everywhere: Scene) -> None:
    node = everywhere.chord.actor(Node, "node:a")
    assert isinstance(await outcome_of(node.ask("ba")), NotApplied)
    assert await node.add() == 1
    assert await node.ask("bc") == 3


async def test_a_command_can_go_on_after_a_cycle(everywhere: Scene) -> None:
    assert await everywhere.chord.actor(Node, "node:a").ask_and_go_on("ba") == "on"


async def test_two_that_ask_the_same_one_make_no_cycle(everywhere: Scene) -> None:
    node = everywhere.chord.actor(Node, "node:a")
    assert await node.ask_at_once("bd", "cd") == [3, 4]


async def test_what_a_gather_asks_is_asked_by_the_command(everywhere: Scene) -> None:
    outcomes = await everywhere.chord.actor(Node, "node:a").ask_at_once("b", "ca")
    assert outcomes[0] == 2
    assert chain_of(outcomes[1]) == [
        ("node:a", "ask_at_once"),
        ("node:c", "ask"),
        ("node:a", "add"),
    ]


async def test_two_that_ask_each_other_do_not_wait_for_ever(everywhere: Scene) -> None:
    one = everywhere.ask(everywhere.chord.actor(Node, "node:a").wait_then_ask("b"))
    other = everywhere.ask(everywhere.chord.actor(Node, "node:b").wait_then_ask("a"))
    await turn()
    Room.gate.set()
    await turn()
    outcomes = [await done(one), await done(other)]
    (cycle,) = [outcome for outcome in outcomes if isinstance(outcome, AskCycle)]
    assert chain_of(cycle) == [("node:b", "wait_then_ask"), ("node:a", "add"), ("node:b", "add")]
    assert 2 in outcomes


async def test_three_that_ask_each_other_in_a_ring_do_not_either(everywhere: Scene) -> None:
    tasks = [
        everywhere.ask(everywhere.chord.actor(Node, f"node:{own}").wait_then_ask(next_one))
        for own, next_one in ("ab", "bc", "ca")
    ]
    await turn()
    Room.gate.set()
    await turn()
    outcomes = [await done(task) for task in tasks]
    assert [isinstance(outcome, AskCycle) for outcome in outcomes].count(True) == 1


@pytest.mark.parametrize("how", ["update", "set", "transform", "delete", "restore"])
async def test_a_plain_write_to_its_own_context_is_a_cycle_too(how: str) -> None:
    async with staged(provider=lambda context_id: {}) as scene:
        outcome = await outcome_of(scene.chord.actor(Node, "node:a").write(how))
        assert chain_of(outcome) == [("node:a", "write"), ("node:a", how)]


async def test_a_command_can_read_its_own_context(everywhere: Scene) -> None:
    node = everywhere.chord.actor(Node, "node:a")
    await node.add()
    assert (await node.read()).state == {"n": 1}


async def test_a_task_that_outlives_its_command_may_ask_for_its_context(everywhere: Scene) -> None:
    Room.gate.clear()
    task = await everywhere.chord.actor(Node, "node:a").leave_a_task()
    Room.gate.set()
    assert await task == 1


async def test_the_same_id_in_another_runtime_is_another_context(scene: Scene) -> None:
    async with StatefulChord.open("memory://", watch_poll=None) as other:
        Node.others[:] = [other]
        assert await scene.chord.actor(Node, "node:a").ask_elsewhere() == 1


async def test_what_is_activated_on_behalf_of_a_command_is_of_its_chain(everywhere: Scene) -> None:
    class Rousing(Node):
        @command
        async def rouse(self) -> int:
            return await self.chord.actor(Waking, "waking:1").add()

    outcome = await outcome_of(everywhere.chord.actor(Rousing, "node:a").rouse())
    assert chain_of(outcome) == [
        ("node:a", "rouse"),
        ("waking:1", "on_activate"),
        ("node:a", "add"),
    ]


async def test_a_long_chain_is_no_cycle(scene: Scene) -> None:
    way = [str(number) for number in range(200)]
    assert await scene.chord.actor(Node, "node:a").ask(way) == 201
