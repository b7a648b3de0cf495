"""Time updates on the memory backend, where nothing is waited for but the turns themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.comparison import Comparison
from benchmarks.micro.commits import open_committing
from benchmarks.micro.loops import ROOM, updating_alone, updating_at_once
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.backends.open import open_backend
from chord.stateless import StatelessChord


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    async with open_backend("memory://") as backend, StatelessChord(backend) as chord:
        await chord.set_context(ROOM, build_room())
        yield [
            Comparison(
                name="stateless, an uncontended update",
                kind="floor",
                ours=updating_alone("update_context", chord),
                others=[Contender(name="an empty task and a future", loop=spawn_and_wait)],
            ),
            Comparison(
                name=f"stateless, {sizes.updates:,} concurrent updates, each",
                kind="floor",
                ours=updating_at_once("update_context", chord, sizes.updates),
                others=[Contender(name="an empty task and a future", loop=spawn_and_wait)],
            ),
            Comparison(
                name="a commit of one entry to the backend itself",
                kind="floor",
                ours=await open_committing(backend),
                others=[Contender(name="a bare coroutine that appends it", loop=append_alone)],
            ),
        ]


async def append_alone(times: Times) -> None:
    log: list[bytes] = []

    async def append(entry: bytes) -> None:
        log.append(entry)

    for _ in times:
        await append(b"")


async def spawn_and_wait(times: Times) -> None:
    loop = asyncio.get_running_loop()
    for _ in times:
        future: asyncio.Future[None] = loop.create_future()
        task = loop.create_task(_resolve(future))
        await future
        await task


async def _resolve(future: asyncio.Future[None]) -> None:
    future.set_result(None)
