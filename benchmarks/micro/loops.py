"""Hold the loops that put updates to a runtime: one awaited after the other, or all at once."""

from __future__ import annotations

import asyncio
from itertools import islice

from benchmarks.room import write_patches
from benchmarks.timing import Contender, Times
from chord.api import Chord

ROOM = "room:1"


def updating_alone(name: str, *chords: Chord) -> Contender:
    """Uncontended updates of one context; with more than one runtime, by each of them in turn."""
    patches = write_patches()

    async def loop(times: Times) -> None:
        for _ in times:
            for chord in chords:
                await chord.update_context(ROOM, next(patches))

    return Contender(name=name, loop=loop, operations=len(chords))


def updating_in_sequence(name: str, chord: Chord, count: int) -> Contender:
    """So many updates of one context, each awaited before the next."""
    patches = write_patches()

    async def loop(times: Times) -> None:
        for _ in times:
            for patch in islice(patches, count):
                await chord.update_context(ROOM, patch)

    return Contender(name=name, loop=loop, operations=count)


def updating_at_once(name: str, chord: Chord, count: int) -> Contender:
    """So many concurrent updates of one context."""
    patches = write_patches()

    async def loop(times: Times) -> None:
        for _ in times:
            updates = (chord.update_context(ROOM, patch) for patch in islice(patches, count))
            await asyncio.gather(*updates)

    return Contender(name=name, loop=loop, operations=count)
