"""Hold the loops that put updates to a runtime: one awaited after the other, or all at once; and
those that do as little as asyncio lets them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice
from typing import Any

from benchmarks.room import write_patches
from benchmarks.timing import Contender, Times
from chord.api import Chord

ROOM = "room:1"


# -- updates -------------------------------------------------------------------------------------


def updating_alone(name: str, *chords: Chord) -> Contender:
    """Uncontended updates of one context; with more than one runtime, by each of them in turn."""
    patches = write_patches()

    async def loop(times: Times) -> None:
        for _ in times:
            for chord in chords:
                await chord.update_context(ROOM, next(patches))

    return Contender(name=name, loop=loop, operations=len(chords))


def updating(
    name: str, chord: Chord, context_id: str, patches: Iterator[dict[str, Any]]
) -> Contender:
    """Uncontended updates of one context."""

    async def loop(times: Times) -> None:
        for _ in times:
            await chord.update_context(context_id, next(patches))

    return Contender(name=name, loop=loop)


def updating_in_sequence(name: str, chord: Chord, count: int) -> Contender:
    """So many updates of one context, each awaited before the next."""
    patches = write_patches()

    async def loop(times: Times) -> None:
        for _ in times:
            for patch in islice(patches, count):
                await chord.update_context(ROOM, patch)

    return Contender(name=name, loop=loop, operations=count)


def updating_at_once(
    name: str, chord: Chord, count: int, context_ids: Sequence[str] = (ROOM,)
) -> Contender:
    """So many concurrent updates of one context, or of several in turn."""
    patches = write_patches()
    ids = cycle(context_ids)

    async def loop(times: Times) -> None:
        for _ in times:
            updates = (chord.update_context(next(ids), patch) for patch in islice(patches, count))
            await asyncio.gather(*updates)

    return Contender(name=name, loop=loop, operations=count)


# -- nothing -------------------------------------------------------------------------------------


def gathering_nothing(count: int) -> Contender:
    """So many tasks at once that do nothing."""

    async def do_nothing() -> None:
        pass

    async def loop(times: Times) -> None:
        for _ in times:
            await asyncio.gather(*(do_nothing() for _ in range(count)))

    return Contender(name="empty tasks, gathered", loop=loop, operations=count)


@asynccontextmanager
async def open_round_trip() -> AsyncIterator[Contender]:
    """What a task asks another, which answers with nothing: a deque there, a future back."""
    running = asyncio.get_running_loop()
    inbox: deque[asyncio.Future[None]] = deque()
    news: asyncio.Future[None] = running.create_future()

    async def answer() -> None:
        nonlocal news
        while True:
            await news
            news = running.create_future()
            while inbox:
                inbox.popleft().set_result(None)

    async def loop(times: Times) -> None:
        for _ in times:
            future: asyncio.Future[None] = running.create_future()
            inbox.append(future)
            if not news.done():
                news.set_result(None)
            await future

    answering = asyncio.create_task(answer())
    try:
        yield Contender(name="an empty ask of another task", loop=loop)
    finally:
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering
