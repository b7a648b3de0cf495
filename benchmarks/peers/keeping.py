"""Compare rooms that many clients write to at once: how fast they are, and what they lose."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.harness import Part
from benchmarks.peers.rooms import ours
from benchmarks.peers.rooms.room import Room, visit_and_audit, visiting
from benchmarks.peers.theme import Sizes
from chord.stateless import StatelessChord


async def open_our_rooms(stack: AsyncExitStack, url: str) -> list[Room]:
    """A room in each of our runtimes, on a part of the store that is its own."""
    return [
        await stack.enter_async_context(ours.open_room(runtime, url))
        for runtime in (StatefulChord, StatelessChord)
    ]


def compare_rooms(
    store: str, ours: Sequence[Room], peers: Sequence[Room], sizes: Sizes
) -> list[Part]:
    """The time of one update, with each of our runtimes; and what each room loses."""
    clients = f"{sizes.clients} clients of one room on {store}"
    comparisons = [
        Comparison(
            name=f"{clients}, an update of {room.name}",
            kind="peer",
            ours=visiting(room, sizes.clients, sizes.each),
            others=[visiting(peer, sizes.clients, sizes.each) for peer in peers],
        )
        for room in ours
        if peers
    ]
    updates = f"{sizes.clients * sizes.each:,} acknowledged updates"
    losses = [
        Figure(
            name=f"{clients}, lost of {updates}: {room.name}",
            unit="count",
            take=partial(count_lost, room, sizes, may_lose=room in peers),
            aim=None if room in peers else 0,
        )
        for room in (*ours, *peers)
    ]
    return [*comparisons, *losses]


async def count_lost(room: Room, sizes: Sizes, *, may_lose: bool) -> float:
    """Visit the room once, and look for what was acknowledged. Raises where none may be lost."""
    found = await visit_and_audit(room, sizes.clients, sizes.each)
    if found.lost and not may_lose:
        raise RuntimeError(f"{room.name}: {found}")
    return found.lost
