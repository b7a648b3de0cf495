"""Fill a process with contexts: what each takes, and how long the garbage collector is busy then.

As a program it is that process, which holds nothing else: it prints the bytes, and the seconds.
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
from statistics import median
from time import perf_counter
from typing import Any, Final, Literal, TypeAlias

from actors.stateful import StatefulChord
from benchmarks.figure import Figure
from benchmarks.micro.nowhere import Nowhere
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
async def gather_crowd(count: int, updates: int, way: Way) -> AsyncIterator[None]:
    """Have so many contexts live in a runtime, on a store that keeps nothing."""
    clock = ManualClock()
    async with StatefulChord(
        Nowhere(),
        clock=clock,
        watch_poll=None,
        max_live_contexts=count,
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
        yield


async def bring(chord: StatefulChord, number: int, updates: int) -> list[Delta | None]:
    """Set a context and update it so often; return the deltas of that."""
    context_id = f"room:{number}"
    await chord.set_context(context_id, build_small(number))
    patches = ({"typing": True, "seen": f"{number}-{seen}"} for seen in range(updates))
    return [(await chord.update_context(context_id, patch)).delta for patch in patches]


def build_small(number: int) -> dict[str, Any]:
    return {"name": f"Room {number}", "typing": False, "seen": f"{number}-0", "people": {}}


# -- a process of them ---------------------------------------------------------------------------


class Crowd:
    """So many contexts in a process of their own, which is run once for all its figures."""

    def __init__(self, count: int, way: Way) -> None:
        self._count = count
        self._way = way
        self._said: tuple[float, float] | None = None

    def list_figures(self) -> list[Figure]:
        crowd = f"{self._count:,} contexts, {self._way}"
        resident = Figure(
            name=f"{crowd}: resident memory for each, its state included",
            unit="bytes",
            take=self._find_bytes,
        )
        collection = Figure(
            name=f"{crowd}: a full garbage collection", unit="seconds", take=self._find_seconds
        )
        return [resident, collection] if RESIDENT.exists() else [collection]

    async def _find_bytes(self) -> float:
        return (await self._ask())[0]

    async def _find_seconds(self) -> float:
        return (await self._ask())[1]

    async def _ask(self) -> tuple[float, float]:
        if self._said is None:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", __name__, str(self._count), self._way),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=asyncio.subprocess.PIPE,
            )
            said, _ = await process.communicate()
            if process.returncode:
                raise RuntimeError(f"the process of {self._count} contexts failed")
            grown, seconds = said.split()
            self._said = float(grown), float(seconds)
        return self._said


async def _measure(count: int, way: Way) -> tuple[float, float]:
    """The bytes that a context takes, and the seconds of a collection that walks only them."""
    async with gather_crowd(1, 0, way):
        pass  # what is made once
    gc.collect()
    gc.freeze()
    before = _read_resident()
    async with gather_crowd(count, 0, way):
        gc.collect()
        grown = _read_resident() - before
        return grown / count, median(_time_collection() for _ in range(COLLECTIONS))


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
    print(*asyncio.run(_measure(int(count), "awake" if way == "awake" else "hibernating")))


if __name__ == "__main__":
    main(sys.argv[1:])
