"""Compare a busy room in Chord on Redis with one that is kept through redis-py alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.harness import CannotMeasure, Part
from benchmarks.peers.keeping import compare_rooms, open_our_rooms
from benchmarks.peers.rooms import redis as theirs
from benchmarks.peers.theme import Sizes
from chord.testing.servers import Server, ServerMissing, find_redis


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    try:
        program = find_redis()
    except ServerMissing as missing:
        raise CannotMeasure(str(missing)) from missing
    with Server(program) as server:
        async with AsyncExitStack() as stack:
            ours = await open_our_rooms(stack, server.url)
            peers = await stack.enter_async_context(theirs.open_rooms(server.url))
            yield compare_rooms("Redis", ours, peers, sizes)
