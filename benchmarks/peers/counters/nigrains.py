"""Count in a grain of nigrains, a virtual actor that lets one call in at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nigrains import Grain, Runtime

from benchmarks.peers.counters.counter import Counter, make_counter


class Counting(Grain):
    grain_type = "counting"

    async def activate(self) -> None:
        self.number = 0

    async def add(self) -> int:
        self.number += 1
        return self.number


@asynccontextmanager
async def open_counter() -> AsyncIterator[Counter]:
    runtime = Runtime()
    runtime.register(Counting)
    async with runtime:
        grain = runtime.reference(Counting, "one")
        yield make_counter("nigrains", lambda: grain.add())
