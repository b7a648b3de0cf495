"""Hold what tests wait with: they let the loop turn, or let a clock run, until something holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from chord.clock import ManualClock

T = TypeVar("T")

MOST_TURNS: Final = 200_000
"""Enough for a real server to answer in; what never happens fails in seconds."""

STEP: Final = 0.05


async def turn(times: int = 20) -> None:
    """Let everything run that can run now."""
    for _ in range(times):
        await asyncio.sleep(0)


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until this holds."""
    for _ in range(MOST_TURNS):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("what was waited for did not come to pass")


async def while_time_runs(clock: ManualClock, call: Coroutine[Any, Any, T]) -> T:
    """What a call returns while the clock runs: as fast as it can, in small steps."""
    task = asyncio.create_task(call)
    for _ in range(MOST_TURNS):
        if task.done():
            break
        if clock.pending():
            clock.advance(STEP)
        await asyncio.sleep(0)
    return await task


@asynccontextmanager
async def running(clock: ManualClock) -> AsyncIterator[None]:
    """Let the clock run meanwhile: what waits for it goes on."""
    task = asyncio.create_task(_run(clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _run(clock: ManualClock) -> None:
    while True:
        clock.advance(STEP)
        await asyncio.sleep(0)


async def outcome_of(call: Awaitable[T]) -> T | Exception:
    """What a call returns, or what it raises."""
    try:
        return await call
    except Exception as error:
        return error
