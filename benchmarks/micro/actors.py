"""Time live contexts where no server is needed: against bare asyncio, and against the other mode.

What is acknowledged "in memory" is stored when a context leaves memory, on the memory backend.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, Final

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.micro.fanout import waking_own
from benchmarks.micro.loops import (
    ROOM,
    gathering_nothing,
    open_round_trip,
    updating,
    updating_at_once,
)
from benchmarks.micro.modes import open_modes
from benchmarks.micro.theme import Sizes
from benchmarks.micro.weights import list_figures
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.api import Chord

FLAT: Final = "flat:1"
KEYS: Final = 10

SPREAD: Final = tuple(f"room:{number}" for number in range(1, 101))
"""As many contexts as updates are spread over."""


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison | Figure]]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        empty = await stack.enter_async_context(open_round_trip())
        chord = await stack.enter_async_context(open_in_memory())
        spread = StatefulChord.open(f"sqlite:///{folder}/spread.db")
        on_disk = await stack.enter_async_context(spread)
        await set_rooms(on_disk, SPREAD)
        told = await stack.enter_async_context(_telling_watches(sizes.watchers))
        own = await stack.enter_async_context(waking_own(sizes.watchers))
        modes = [
            open_modes("memory", "memory://", "memory://", sizes.updates),
            open_modes(
                "SQLite",
                f"sqlite:///{folder}/stateful.db",
                f"sqlite:///{folder}/stateless.db",
                sizes.updates,
            ),
        ]
        yield [
            *_compare_in_memory(chord, empty, sizes.updates),
            compare_spread("SQLite", on_disk, sizes.updates, None),
            Comparison(
                name=f"update a live context until {sizes.watchers:,} watches were told, each",
                kind="floor",
                ours=told,
                others=[own],
            ),
            *[each for mode in modes for each in await stack.enter_async_context(mode)],
            *list_figures(sizes),
        ]


@asynccontextmanager
async def open_in_memory() -> AsyncIterator[StatefulChord]:
    """A runtime that stores nothing before it acknowledges, with a room and a flat context."""
    async with StatefulChord.open("memory://", durability="memory") as chord:
        await set_rooms(chord, [ROOM])
        await chord.set_context(FLAT, {f"key_{number}": "" for number in range(KEYS)})
        yield chord


async def set_rooms(chord: Chord, context_ids: Sequence[str]) -> None:
    await asyncio.gather(*(chord.set_context(each, build_room()) for each in context_ids))


def write_keys() -> Iterator[dict[str, Any]]:
    """Endless patches of one key of the flat context."""
    for number in count(1):
        yield {f"key_{number % KEYS}": str(number)}


def _compare_in_memory(chord: Chord, empty: Contender, count: int) -> list[Comparison]:
    return [
        Comparison(
            name="an update in memory, one field of the room",
            kind="floor",
            ours=updating("update_context", chord, ROOM, write_patches()),
            others=[empty],
            aim=0.6,
        ),
        Comparison(
            name="an update in memory, one key of a small flat state",
            kind="floor",
            ours=updating("update_context", chord, FLAT, write_keys()),
            others=[empty],
            aim=0.6,
        ),
        Comparison(
            name=f"{count:,} concurrent updates of one context in memory, each",
            kind="floor",
            ours=updating_at_once("update_context", chord, count),
            others=[gathering_nothing(count)],
            aim=2,
        ),
    ]


def compare_spread(store: str, chord: Chord, count: int, aim: float | None) -> Comparison:
    """Durable updates of all the contexts that there are, at once."""
    return Comparison(
        name=f"{count:,} concurrent updates of {len(SPREAD)} contexts on {store}, each",
        kind="floor",
        ours=updating_at_once("update_context", chord, count, SPREAD),
        others=[gathering_nothing(count)],
        aim=aim,
    )


@asynccontextmanager
async def _telling_watches(count: int) -> AsyncIterator[Contender]:
    """Updates of a live context, each until the last of so many watches was told of it."""
    patches = write_patches()
    told = 0
    done = asyncio.Event()

    async def read(chord: Chord) -> None:
        nonlocal told
        async with chord.watch_context(ROOM) as replies:
            async for _ in replies:
                told += 1
                if told == count:
                    done.set()

    async def tell_all() -> None:
        nonlocal told
        await done.wait()
        done.clear()
        told = 0

    async with StatefulChord.open("memory://", durability="memory") as chord:
        await set_rooms(chord, [ROOM])
        everyone: list[asyncio.Task[None]] = []

        async def prepare(times: int) -> None:
            if not everyone:
                everyone.extend(asyncio.create_task(read(chord)) for _ in range(count))
                await tell_all()  # of what there is

        async def loop(times: Times) -> None:
            for _ in times:
                await chord.update_context(ROOM, next(patches))
                await tell_all()

        try:
            yield Contender(name="async for", loop=loop, operations=count, prepare=prepare)
        finally:
            for task in everyone:
                task.cancel()
            await asyncio.gather(*everyone, return_exceptions=True)
