"""Hold a room in a store by what its clients do, play at it, and look for what they did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from examples.scenarios import PARTICIPANTS, Audit


@attrs.frozen(kw_only=True)
class Room:
    """A room in a store: how to set it, how a participant speaks, and what is in the store.

    Who has spoken has one more in his ``said``.
    """

    name: str
    set: Callable[[dict[str, Any]], Awaitable[object]]
    say: Callable[[str], Awaitable[object]]
    get: Callable[[], Awaitable[Mapping[str, Any]]]


def build_silent_room() -> dict[str, Any]:
    room = build_room()
    for participant in room["participants"].values():
        participant["said"] = 0
    return room


def add_one(room: dict[str, Any], user: str) -> None:
    """What one update is."""
    room["participants"][user]["said"] += 1


async def visit(room: Room, clients: int, each: int) -> int:
    """Have so many clients speak so often, all at once; return how often they were answered.

    Every client is another participant, as long as there are enough.
    """

    async def talk(user: str) -> None:
        for _ in range(each):
            await room.say(user)

    users = (f"user_{number % PARTICIPANTS + 1}" for number in range(clients))
    await asyncio.gather(*map(talk, users))
    return clients * each


async def audit(room: Room, acknowledged: int) -> Audit:
    """Count what is in the store of what was acknowledged since it was set."""
    participants = (await room.get())["participants"]
    kept = sum(participant["said"] for participant in participants.values())
    return Audit(acknowledged=acknowledged, kept=kept)


async def visit_and_audit(room: Room, clients: int, each: int) -> Audit:
    await room.set(build_silent_room())
    return await audit(room, await visit(room, clients, each))


def visiting(room: Room, clients: int, each: int) -> Contender:
    """Visits of a room that is new in each round."""

    async def prepare(times: int) -> None:
        await room.set(build_silent_room())

    async def loop(times: Times) -> None:
        for _ in times:
            await visit(room, clients, each)

    return Contender(name=room.name, loop=loop, operations=clients * each, prepare=prepare)
