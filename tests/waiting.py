"""Hold what tests wait with: they let the loop turn, or let a clock run, until something holds."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from chord.backends.base import Backend
from chord.clock import ManualClock

T = TypeVar("T")
B = TypeVar("B", bound=Backend)

PATIENCE: Final = 60.0
"""Seconds in which a busy machine surely does what was asked; what never happens fails then."""

STEP: Final = 0.05

CALLS: Final = (
    *("load", "commit", "heads", "list", "due", "trim"),
    *("acquire", "renew", "release", "flush"),
)


class PatientClock(ManualClock):
    """Waits for the stores that it attends: while one works, `running` lets no time pass.

    A store that works in a thread or in a process of its own takes real time, many turns of the
    loop on a busy machine; a deadline or a lease would run out for no other reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0

    def attend(self, backend: B) -> B:
        """Wait for this store from now on."""
        for name in CALLS:
            setattr(backend, name, self._count(getattr(backend, name)))
        return backend

    def _count(self, call: Callable[..., Coroutine[Any, Any, T]]) -> Any:
        @functools.wraps(call)
        async def counted(*arguments: Any, **options: Any) -> T:
            self.under_way += 1
            try:
                return await call(*arguments, **options)
            finally:
                self.under_way -= 1

        return counted


def pass_time(clock: ManualClock, seconds: float) -> None:
    """Let a moment pass, unless a store works that the clock waits for."""
    if not (isinstance(clock, PatientClock) and clock.under_way):
        clock.advance(seconds)


async def turn(times: int = 20) -> None:
    """Let everything run that can run now."""
    for _ in range(times):
        await asyncio.sleep(0)


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until this holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come to pass"
        await asyncio.sleep(0)


async def while_time_runs(clock: ManualClock, call: Coroutine[Any, Any, T]) -> T:
    """What a call returns while the clock runs: as fast as it can, in small steps."""
    task = asyncio.create_task(call)
    async with running(clock):
        return await task


@asynccontextmanager
async def running(clock: ManualClock, *, patiently: bool = True) -> AsyncIterator[None]:
    """Let the clock run meanwhile: what waits for it goes on."""
    task = asyncio.create_task(_run(pass_time if patiently else ManualClock.advance, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _run(advance: Callable[[ManualClock, float], None], clock: ManualClock) -> None:
    while True:
        advance(clock, STEP)
        await asyncio.sleep(0)


async def outcome_of(call: Awaitable[T]) -> T | Exception:
    """What a call returns, or what it raises."""
    try:
        return await call
    except Exception as error:
        return error
