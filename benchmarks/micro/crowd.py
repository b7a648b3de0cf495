"""Name the figures of a process that is full of contexts."""

from __future__ import annotations

from statistics import median

from benchmarks.crowd import RESIDENT, Filled, Way, fill_process
from benchmarks.figure import Figure


class Crowd:
    """So many contexts in a process of their own, which is run once for all its figures."""

    def __init__(self, count: int, way: Way) -> None:
        self._count = count
        self._way = way
        self._filled: Filled | None = None

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
        return (await self._fill()).grown / self._count

    async def _find_seconds(self) -> float:
        return median((await self._fill()).collections)

    async def _fill(self) -> Filled:
        if self._filled is None:
            self._filled = await fill_process(self._count, self._way)
        return self._filled
