"""Fill a process with contexts: what they take, and how long the garbage collector is busy then.

As a program it is that process, which holds nothing else: it prints the bytes, and the seconds of
each collection.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal, TypeAlias

import attrs

from actors.stateful import StatefulChord
from benchmarks.nowhere import Nowhere
from chord.clock import ManualClock
from chord.records import Delta

Way: TypeAlias = Literal["hibernating", "awake"]
WAYS: Final[tuple[Way, ...]] = ("hibernating", "awake")

RESIDENT: Final = Path("/proc/self/statm")
"""Where Linux says how much memory is resident; elsewhere that is not measured."""

YEAR: Final = 31_536_000.0
NAP: Final = 30.0
AT_A_TIME: Final = 1000
COLLECTIONS: Final = 5


# -- contexts ------------------------------------------------------------------------------------


@asynccontextmanager
async def gather_crowd(count: int, updates: int, way: Way) -> AsyncIterator[StatefulChord]:
    """A runtime in which so many contexts are live, on a store that keeps nothing."""
    clock = ManualClock()
    async with StatefulChord(
        Nowhere(),
        clock=clock,
        watch_poll=None,
        max_live_contexts=max(1, count),
        hibernate_after=NAP,
        idle_ttl=YEAR,
        lease_ttl=YEAR,
    ) as chord:
        for number in range(count):
            await bring(chord, number, updates)
            if way == "hibernating" and number % AT_A_TIME == 0:
                clock.advance(2 * NAP)
        if way == "hibernating":
            clock.advance(2 * NAP)
        dormant = chord.statistics()["dormant"]
        if dormant != (count if way == "hibernating" else 0):
            raise RuntimeError(f"{dormant} of {count} hibernate")
        yield chord


async def bring(chord: StatefulChord, number: int, updates: int) -> list[Delta | None]:
    """Set a context and update it so often; return the deltas of that."""
    context_id = f"room:{number}"
    await chord.set_context(context_id, build_small(number))
    patches = ({"typing": True, "seen": f"{number}-{seen}"} for seen in range(updates))
    return [(await chord.update_context(context_id, patch)).delta for patch in patches]


def build_small(number: int) -> dict[str, Any]:
    return {"name": f"Room {number}", "typing": False, "seen": f"{number}-0", "people": {}}


# -- a process of them ---------------------------------------------------------------------------


@attrs.frozen
class Filled:
    """The bytes by which a process grew, resident, and the seconds of each full collection."""

    grown: int
    collections: tuple[float, ...]


async def fill_process(count: int, way: Way) -> Filled:
    """Have so many contexts in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(count), way),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the process of {count} contexts failed")
    grown, *collections = said.split()
    return Filled(int(grown), tuple(map(float, collections)))


async def _measure(count: int, way: Way) -> Filled:
    """The growth, and collections that walk only the contexts."""
    async with gather_crowd(1, 0, way):
        pass  # what is made once
    gc.collect()
    gc.freeze()
    before = _read_resident()
    async with gather_crowd(count, 0, way):
        gc.collect()
        grown = _read_resident() - before
        return Filled(grown, tuple(_time_collection() for _ in range(COLLECTIONS)))


def _read_resident() -> int:
    if not RESIDENT.exists():
        return 0
    return int(RESIDENT.read_text().split()[1]) * resource.getpagesize()


def _time_collection() -> float:
    started = perf_counter()
    gc.collect()
    return perf_counter() - started


def main(arguments: Sequence[str]) -> None:
    count, way = arguments
    found = asyncio.run(_measure(int(count), "awake" if way == "awake" else "hibernating"))
    print(found.grown, *found.collections)


if __name__ == "__main__":
    main(sys.argv[1:])
