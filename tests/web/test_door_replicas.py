"""Test that what a viewer puts together from the frames is exactly their view, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.delta import apply, equal
from chord.state import adopt, take_in
from chord.stateless import StatelessChord
from chord.testing.strategies import histories
from chord.web.leaves import raise_changes, raise_value
from chord.web.wire import Current, DeltaMessage, Encoding, Full, decode_reply
from tests.waiting import turn
from tests.web.cards import make_door
from tests.web.visitor import Visitor, visit


class Viewer:
    """Keeps the state that the frames lead to, and must never lack one."""

    def __init__(self, name: str, encoding: Encoding) -> None:
        self.name = name
        self.encoding = encoding
        self.state: Mapping[str, Any] | None = None
        self.position: str | None = None
        self.deltas = 0

    def take(self, data: str | bytes) -> None:
        match decode_reply(data, self.encoding):
            case Full(position=position, state=state, types=types):
                self.state, self.position = adopt(raise_value(state, types)), position
            case DeltaMessage(from_=origin, position=position, changes=tree, types=types):
                assert origin == self.position
                assert self.state is not None
                changes = raise_changes(tree, types, self.state)
                assert changes, "nothing that shows"
                self.state, self.position = apply(self.state, changes), position
                self.deltas += 1
            case Current(position=position):
                assert position == self.position


def hide(value: Any, player: Any) -> Any:
    """What a player sees: by key, by value, and in lists, as "odd" or "even"."""
    if isinstance(value, dict):
        return {
            key: hide(inner, player)
            for key, inner in value.items()
            if _is_shown(key, inner, player)
        }
    if isinstance(value, list):
        return [hide(inner, player) for inner in value if _is_shown("", inner, player)]
    return value


def _is_shown(key: str, value: Any, player: str) -> bool:
    if type(value) is int:
        return (value % 2 == 1) == (player == "odd")
    return not key or (len(key) % 2 == 1) == (player == "odd") or isinstance(value, (dict, list))


async def follow(history: Any, breaks: list[bool], encoding: Encoding) -> None:
    """Have viewers watch a history, coming and going, and compare what they have."""
    first, writes = history
    async with StatelessChord.open("memory://") as chord, AsyncExitStack() as stack:
        await chord.set_context("game", first)
        door = make_door(chord, project=hide)
        viewers = [Viewer("odd", encoding), Viewer("even", encoding)]
        visitors = [await come(stack, door, viewer) for viewer in viewers]
        for write, break_off in zip(writes, breaks, strict=False):
            await chord.update_context("game", write)
            if break_off:
                visitors = [await come(stack, door, viewer) for viewer in viewers]
            await turn()
            state = (await chord.get_context("game")).state
            for viewer, visitor in zip(viewers, visitors, strict=True):
                while not visitor.heard_nothing():
                    await visitor.hear()
                    viewer.take(visitor.frames[-1])
                assert equal(viewer.state, take_in(hide(state, viewer.name)))
        door.check()


async def come(stack: AsyncExitStack, door: Any, viewer: Viewer) -> Visitor:
    """Watch from where the viewer is."""
    visitor = await stack.enter_async_context(visit(door, viewer.name, encoding=viewer.encoding))
    await visitor.ask("watch", context="game", since=viewer.position)
    viewer.take(visitor.frames[-1])
    return visitor


@pytest.mark.parametrize("encoding", list(Encoding))
@given(history=histories(), breaks=st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_viewer_has_exactly_their_view(
    history: Any, breaks: list[bool], encoding: Encoding
) -> None:
    asyncio.run(follow(history, breaks, encoding))
