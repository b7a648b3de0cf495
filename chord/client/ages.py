"""Hold `Ages`, by which it is told how old something is, though the machine may have slept."""

from __future__ import annotations

from chord.clock import Clock


class Ages:
    """A time that goes on by what passed on the monotonic clock, or on the wall if that is more.

    The monotonic clock may stand still while a machine sleeps, and the wall clock may be set back.

    >>> from chord.clock import ManualClock
    >>> clock = ManualClock()
    >>> ages = Ages(clock)
    >>> clock.advance(5), clock.jump(100), ages.now()
    (None, None, 105.0)
    >>> clock.jump(-100), clock.advance(5), ages.now()
    (None, None, 110.0)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic()
        self._wall = clock.time()
        self._now = 0.0

    def now(self) -> float:
        """Seconds since this was made, or more."""
        monotonic, wall = self._clock.monotonic(), self._clock.time()
        self._now += max(0.0, monotonic - self._monotonic, wall - self._wall)
        self._monotonic, self._wall = monotonic, wall
        return self._now
