"""Weigh what is held for watchers, beside queues that hold for each of them what it has not read.

By `tracemalloc`: what Python has allocated. Tasks that would read are the application's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from typing import TypeAlias

from actors.stateful import StatefulChord
from benchmarks.curve import Curve, draw
from benchmarks.fanout.sizes import Sizes
from benchmarks.harness import Measurement, Part
from benchmarks.micro.loops import ROOM
from benchmarks.room import build_room, write_patches
from benchmarks.side import open_side
from benchmarks.weighing import weighing
from chord.api import Chord
from chord.records import Delta

Write: TypeAlias = Callable[[int], Awaitable[None]]
"""Has so many versions pass."""

OpenSleepers: TypeAlias = Callable[[Chord, int], AbstractAsyncContextManager[Write]]
"""So many are told of what is written, and read nothing of it."""


@asynccontextmanager
async def open_held(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    sleepers = f"for each of {sizes.sleepers:,}"
    watches = "all open watches (tracemalloc)"
    yield [
        Measurement(watches, partial(_follow_watches, watches, sizes)),
        _follow_missed(f"{sleepers} watchers that do not read (tracemalloc)", _watch, sizes),
        _follow_missed(f"{sleepers} that do not read their queues (tracemalloc)", _queue, sizes),
    ]


async def _follow_watches(name: str, sizes: Sizes) -> Curve:
    samples = {count: [await _weigh_watches(count)] for count in sizes.watchers}
    return draw("held", name, "bytes", "watchers", samples)


async def _weigh_watches(count: int) -> int:
    """The first reply has been read: they are where they would wait for the next."""
    async with _open_room() as chord:
        with weighing() as read:
            async with _watch(chord, count):
                return read()


def _follow_missed(name: str, open_sleepers: OpenSleepers, sizes: Sizes) -> Measurement:
    async def take() -> Curve:
        samples = {
            missed: [await _weigh_missed(open_sleepers, sizes.sleepers, missed)]
            for missed in sizes.missed
        }
        return draw("held", name, "bytes", "versions missed", samples)

    return Measurement(name, take)


async def _weigh_missed(open_sleepers: OpenSleepers, sleepers: int, missed: int) -> float:
    """For each sleeper: what is held of those versions above what is held without any sleeper."""
    held, anyway = [await _weigh_held(open_sleepers, some, missed) for some in (sleepers, 0)]
    return (held - anyway) / sleepers


async def _weigh_held(open_sleepers: OpenSleepers, sleepers: int, missed: int) -> int:
    async with _open_room() as chord, open_sleepers(chord, sleepers) as write:
        await write(1)
        with weighing() as read:
            await write(missed)
            return read()


@asynccontextmanager
async def _open_room() -> AsyncIterator[Chord]:
    async with open_side(StatefulChord, "memory://", durability="memory") as side:
        await side.chord.set_context(ROOM, build_room())
        yield side.chord


@asynccontextmanager
async def _watch(chord: Chord, count: int) -> AsyncIterator[Write]:
    patches = write_patches()

    async def write(versions: int) -> None:
        for patch in islice(patches, versions):
            await chord.update_context(ROOM, patch)

    async with AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(chord.watch_context(ROOM)) for _ in range(count)]
        for watch in watches:
            await anext(watch)
        yield write


@asynccontextmanager
async def _queue(chord: Chord, count: int) -> AsyncIterator[Write]:
    patches = write_patches()
    queues: list[asyncio.Queue[Delta | None]] = [asyncio.Queue() for _ in range(count)]

    async def write(versions: int) -> None:
        for patch in islice(patches, versions):
            commit = await chord.update_context(ROOM, patch)
            for queue in queues:
                queue.put_nowait(commit.delta)

    yield write
