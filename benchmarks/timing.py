"""Time loops against each other in interleaved rounds; every sample is kept.

A round of each contender follows a round of the one before it: what slows the machine for a while
slows them alike, so ratios are taken within one turn of all. What was there before the first round
is frozen, so that a garbage collection, which stays on as it is in an application, walks only what
the contenders make. Each round begins after a full one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import Final, TypeAlias

import attrs

Times: TypeAlias = Iterable[None]
"""As many Nones as a loop is to go round."""

Loop: TypeAlias = Callable[[Times], None] | Callable[[Times], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Contender:
    """Something to be timed: a loop that does so many `operations` each time round.

    `prepare` makes ready, untimed, for as many times round as it is given.
    """

    name: str
    loop: Loop
    operations: int = 1
    prepare: Callable[[int], Awaitable[None]] | None = None


@attrs.frozen(kw_only=True)
class Effort:
    """How hard to look: so many `rounds`, of about `round_seconds` for each contender.

    Where those would take longer than `most_seconds` there are less, but not below `fewest`.
    """

    rounds: int = 31
    fewest: int = 7
    round_seconds: float = 0.03
    most_seconds: float = 15.0


THOROUGH: Final = Effort()
QUICK: Final = Effort(rounds=5, fewest=3, round_seconds=0.005, most_seconds=3.0)


@attrs.frozen(kw_only=True)
class Samples:
    """What a contender took: the seconds of one operation, in each of its rounds."""

    name: str
    count: int
    operations: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)


async def measure(contenders: Sequence[Contender], effort: Effort) -> list[Samples]:
    """Time the contenders, each of them warmed by its calibration."""
    with frozen_garbage():
        counts = [await _calibrate(contender, effort.round_seconds) for contender in contenders]
        rounds = 0
        taken: list[list[float]] = [[] for _ in contenders]
        started = perf_counter()
        while rounds < effort.rounds:
            for contender, count, seconds in zip(contenders, counts, taken, strict=True):
                seconds.append(await _time(contender, count))
            rounds += 1
            if rounds >= effort.fewest and perf_counter() - started > effort.most_seconds:
                break
    return [
        _sum_up(contender, count, seconds)
        for contender, count, seconds in zip(contenders, counts, taken, strict=True)
    ]


def _sum_up(contender: Contender, count: int, seconds: Sequence[float]) -> Samples:
    operations = count * contender.operations
    return Samples(
        name=contender.name,
        count=count,
        operations=contender.operations,
        seconds=tuple(round_seconds / operations for round_seconds in seconds),
    )


async def _calibrate(contender: Contender, seconds: float) -> int:
    """How often the loop has to go round to take about so long."""
    count = 1
    while True:
        taken = await _time(contender, count)
        if taken > seconds / 4:
            return max(1, round(count * seconds / taken))
        count *= 2


async def _time(contender: Contender, count: int) -> float:
    if contender.prepare is not None:
        await contender.prepare(count)
    await asyncio.sleep(0)  # the loop still has to let go of the tasks of the contender before
    gc.collect()
    started = perf_counter()
    under_way = contender.loop(repeat(None, count))
    if under_way is not None:
        await under_way
    return perf_counter() - started


@contextlib.contextmanager
def frozen_garbage() -> Iterator[None]:
    """Let the garbage collector pass over what there is already."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
