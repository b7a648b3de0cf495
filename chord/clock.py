"""Hold `Clock`, the port through which time comes in, the system's and one for tests."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not call; harmless when it was called already."""


class Clock(Protocol):
    """Wall time, monotonic time, and calls at a monotonic time. Seconds, as `float`."""

    def time(self) -> float:
        """Seconds since the Unix epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call once, in the running event loop, when `monotonic()` has reached `when`."""


class SystemClock:
    """The machine's clock, with the running event loop's timers."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, when - time.monotonic()), call)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock:
    """A clock that stands still until it is moved, then runs what has fallen due, in order.

    >>> clock = ManualClock(time=1000.0)
    >>> timer = clock.call_at(clock.monotonic() + 5, lambda: print("due at", clock.time()))
    >>> clock.advance(4); clock.advance(4)
    due at 1005.0
    >>> clock.time()
    1008.0
    """

    def __init__(self, time: float = 1_000_000.0) -> None:
        self._time = time
        self._monotonic = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, _ManualTimer]] = []

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        timer = _ManualTimer(call)
        heapq.heappush(self._due, (when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass; a call that is due sees the moment at which it is due."""
        if seconds < 0:
            raise ValueError("time does not run backwards; use jump() for the wall clock")
        end = self._monotonic + seconds
        while self._due and self._due[0][0] <= end:
            when, _, timer = heapq.heappop(self._due)
            self._move_to(max(when, self._monotonic))
            timer.run()
        self._move_to(end)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP may; nothing falls due."""
        self._time += seconds

    def pending(self) -> int:
        """How many calls are waiting."""
        return sum(not timer.cancelled for _, _, timer in self._due)

    def _move_to(self, monotonic: float) -> None:
        self._time += monotonic - self._monotonic
        self._monotonic = monotonic

    def __repr__(self) -> str:
        return f"<ManualClock time={self._time} pending={self.pending()}>"


class _ManualTimer:
    __slots__ = ("_call", "cancelled")

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self._call()
