"""Compare a room in Chord with the same room in pycrdt, as shared maps and arrays.

pycrdt merges what writers did without a server between them; only what both can do is compared: one
writer, and a client that asks what changed since it was there last. Its clients say where they are
by a state vector, ours by a position.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

from pycrdt import Array, Doc, Map

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.harness import Part
from benchmarks.peers.theme import Sizes
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.api import Chord
from chord.codec import MsgspecCodec
from chord.delta import apply
from chord.records import DeltaUpdate
from chord.state import StateDict

CODEC = MsgspecCodec()
ROOM: Final = "room:1"
LONGER: Final = 10
"""How many times as long the past of a room is that shows what a past costs."""


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    async with StatefulChord.open("memory://", durability="memory") as chord:
        rooms: list[Room] = [OurRoom(chord), TheirRoom()]
        yield [*_compare(rooms, sizes), *_weigh(rooms, sizes)]


# -- the rooms -----------------------------------------------------------------------------------


class Room(Protocol):
    """A room at a server; what goes to clients is bytes. Each write changes one field."""

    name: str

    async def begin(self, updates: int) -> None:
        """Begin anew, with so many writes in the past: what one costs may depend on them."""

    async def write(self) -> None: ...

    async def where(self) -> Any:
        """What a client says that knows all that there is now."""

    async def since(self, place: Any) -> bytes:
        """What a client is told that was at that place."""

    async def whole(self) -> bytes:
        """What a new client is told."""

    async def enter(self) -> Client:
        """A new client, which has been told."""


class Client(Protocol):
    """One who has a copy of a room."""

    async def follow(self) -> None:
        """Ask what is new, and take it in."""

    def read(self) -> Any:
        """The copy."""


async def write_on(room: Room, times: int) -> None:
    for _ in range(times):
        await room.write()


class OurRoom:
    """A context that is acknowledged in memory."""

    name = "Chord"

    def __init__(self, chord: Chord) -> None:
        self._chord = chord
        self._patches = write_patches()

    async def begin(self, updates: int) -> None:
        await self._chord.delete_context(ROOM)
        await self._chord.set_context(ROOM, build_room())
        await write_on(self, updates)

    async def write(self) -> None:
        await self._chord.update_context(ROOM, next(self._patches))

    async def where(self) -> Any:
        return (await self._chord.get_context(ROOM)).position

    async def tell(self, place: Any) -> tuple[Any, bytes]:
        """What is new since that place, and the place where a client is that has taken it in."""
        reply = await self._chord.sync_context(ROOM, place)
        assert isinstance(reply, DeltaUpdate)
        return reply.position, CODEC.encode_changes(reply.delta.changes)

    async def since(self, place: Any) -> bytes:
        return (await self.tell(place))[1]

    async def whole(self) -> bytes:
        context = await self._chord.get_context(ROOM)
        assert isinstance(context.state, StateDict)
        return CODEC.encode_state(context.state)

    async def enter(self) -> OurClient:
        return OurClient(self, await self.where(), CODEC.decode_state(await self.whole()))


class OurClient:
    def __init__(self, room: OurRoom, place: Any, state: StateDict) -> None:
        self._room = room
        self._place = place
        self._state = state

    async def follow(self) -> None:
        self._place, changes = await self._room.tell(self._place)
        self._state = apply(self._state, CODEC.decode_changes(changes))

    def read(self) -> Any:
        return self._state


class TheirRoom:
    """A document of pycrdt. Its methods wait for nothing, and are awaited to be like ours."""

    name = "pycrdt"

    def __init__(self) -> None:
        self._patches = write_patches()

    async def begin(self, updates: int) -> None:
        self._doc: Doc[Any] = Doc()
        self._doc["room"] = self._room = share(build_room())
        await write_on(self, updates)

    async def write(self) -> None:
        with self._doc.transaction():
            assign(self._room, next(self._patches))

    async def where(self) -> Any:
        return self._doc.get_state()

    async def since(self, place: Any) -> bytes:
        return self._doc.get_update(place)

    async def whole(self) -> bytes:
        return self._doc.get_update()

    async def enter(self) -> TheirClient:
        return TheirClient(self, await self.whole())


class TheirClient:
    def __init__(self, room: TheirRoom, whole: bytes) -> None:
        self._room = room
        self._doc: Doc[Any] = Doc()
        self._doc.apply_update(whole)

    async def follow(self) -> None:
        self._doc.apply_update(await self._room.since(self._doc.get_state()))

    def read(self) -> Any:
        return self._doc.get("room", type=Map).to_py()


def share(value: Any) -> Any:
    """Make shared types of plain values."""
    if isinstance(value, dict):
        return Map({key: share(inner) for key, inner in value.items()})
    return Array([share(inner) for inner in value]) if isinstance(value, list) else value


def assign(shared: Map[Any], patch: dict[str, Any]) -> None:
    """Write a deep patch into shared maps."""
    for key, value in patch.items():
        if isinstance(value, dict):
            assign(shared[key], value)
        else:
            shared[key] = value


# -- times ---------------------------------------------------------------------------------------


def _compare(rooms: Sequence[Room], sizes: Sizes) -> list[Comparison]:
    def compare(name: str, *contenders: Contender) -> Comparison:
        ours, *others = contenders
        return Comparison(name=name, kind="peer", ours=ours, others=others)

    past = _say_past(sizes.updates)
    return [
        compare(
            f"update one field of a room {past} (update_context; a transaction)",
            *(_writing(room, sizes.updates) for room in rooms),
        ),
        *(
            compare(
                f"ask a room {_say_past(updates)} what changed in the last {sizes.lacking}",
                *(_asking_since(room, updates, sizes.lacking) for room in rooms),
            )
            for updates in (sizes.updates, LONGER * sizes.updates)
        ),
        compare(
            f"lead a client of a room {past}: update, say what is new as bytes, take it in",
            *(_leading(room, sizes.updates) for room in rooms),
        ),
    ]


def _say_past(updates: int) -> str:
    return f"with {updates:,} updates behind it"


def _writing(room: Room, updates: int) -> Contender:
    async def prepare(times: int) -> None:
        await room.begin(updates)

    async def loop(times: Times) -> None:
        for _ in times:
            await room.write()

    return Contender(name=room.name, loop=loop, prepare=prepare)


def _asking_since(room: Room, updates: int, lacking: int) -> Contender:
    place: Any = None

    async def prepare(times: int) -> None:
        nonlocal place
        await room.begin(updates)
        place = await room.where()
        await write_on(room, lacking)

    async def loop(times: Times) -> None:
        for _ in times:
            await room.since(place)

    return Contender(name=room.name, loop=loop, prepare=prepare)


def _leading(room: Room, updates: int) -> Contender:
    client: Client

    async def prepare(times: int) -> None:
        nonlocal client
        await room.begin(updates)
        client = await room.enter()

    async def loop(times: Times) -> None:
        for _ in times:
            await room.write()
            await client.follow()

    return Contender(name=room.name, loop=loop, prepare=prepare)


# -- bytes ---------------------------------------------------------------------------------------


def _weigh(rooms: Sequence[Room], sizes: Sizes) -> list[Figure]:
    def weigh(what: str, room: Room, take: Any) -> Figure:
        return Figure(name=f"{what}: {room.name}", unit="bytes", take=take)

    updates = f"{sizes.updates:,} updates of one field"
    return [
        *(
            weigh(
                f"what a new client is told after {updates}",
                room,
                partial(_weigh_whole, room, sizes.updates),
            )
            for room in rooms
        ),
        *(
            weigh(
                f"what a client is told that lacks the last {sizes.lacking} of {updates}",
                room,
                partial(_weigh_since, room, sizes.updates - sizes.lacking, sizes.lacking),
            )
            for room in rooms
        ),
    ]


async def _weigh_whole(room: Room, updates: int) -> float:
    await room.begin(updates)
    return len(await room.whole())


async def _weigh_since(room: Room, updates: int, lacking: int) -> float:
    await room.begin(updates)
    place = await room.where()
    await write_on(room, lacking)
    return len(await room.since(place))
