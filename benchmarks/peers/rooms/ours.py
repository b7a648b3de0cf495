"""Keep the room in a context of Chord; a client speaks by one `update_context`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from actors.stateful import StatefulChord
from benchmarks.peers.rooms.room import Room
from chord.api import Chord
from chord.changes import Increment
from chord.stateless import StatelessChord

ROOM = "room:1"


@asynccontextmanager
async def open_room(
    runtime: type[StatefulChord] | type[StatelessChord], url: str
) -> AsyncIterator[Room]:
    """A room in a namespace of its own."""
    namespace = runtime.__name__.lower()
    async with (
        runtime.open(url, namespace=namespace) as chord,
        StatelessChord.open(url, namespace=namespace) as reader,
    ):
        yield keep(runtime.__name__, chord, reader)


def keep(name: str, chord: Chord, reader: Chord) -> Room:
    """A room that `chord` writes; `reader` does not write, so it knows only what is stored."""

    async def set(state: dict[str, Any]) -> None:
        await chord.set_context(ROOM, state)

    async def say(user: str) -> None:
        await chord.update_context(ROOM, {"participants": {user: {"said": Increment()}}})

    async def get() -> Mapping[str, Any]:
        return (await reader.get_context(ROOM)).state

    return Room(name=name, set=set, say=say, get=get)
