"""Compare a busy room in Chord on SQLite with one that is kept through aiosqlite."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.harness import Part
from benchmarks.peers.keeping import compare_rooms, open_our_rooms
from benchmarks.peers.theme import Sizes, find_peers


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    found, missing = find_peers("sqlite", "benchmarks.peers.rooms", ["aiosqlite"])
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = await open_our_rooms(stack, f"sqlite:///{folder}/ours.db")
        peers = [
            room
            for each in found
            for room in await stack.enter_async_context(each.open_rooms(folder))
        ]
        yield [*compare_rooms("SQLite", ours, peers, sizes), *missing]
