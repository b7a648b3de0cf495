"""Hold `Pace`: how fast a client may speak, so that its server refuses nothing. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any, Final

from chord.clock import Clock, Timer
from chord.web.limits import TokenBucket

SHARE: Final = 0.75
"""How much of what a server allows is used: messages arrive less evenly than they were sent."""


TOKEN: Final = 16 * 1024
"""Bytes for which a long message counts as one more."""


class Pace:
    """Lets messages go by the limits of the server. `wake` is called when one may go again."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._bucket: TokenBucket | None = None
        self._burst = inf
        self._debt = 0.0
        self._timer: Timer | None = None

    def begin(self, limits: Mapping[str, Any]) -> None:
        """There is a new connection; `limits` are those of its `hello`."""
        self.stop()
        rate, burst = (SHARE * read_limit(limits, name) for name in ("rate", "burst"))
        if isfinite(rate):
            now = self._clock.monotonic()
            self._burst = max(1.0, burst)
            self._bucket = TokenBucket(rate=rate, burst=self._burst, now=now)

    def allows(self) -> bool:
        """Whether a message may go now; then it is counted."""
        while self._debt and self._takes(part := min(self._debt, self._burst)):
            self._debt -= part
        return not self._debt and self._takes(1.0)

    def add(self, size: int) -> None:
        """What went was so many bytes: a long message counts for several."""
        if self._bucket is not None:
            self._debt = max(0.0, min(size / TOKEN, self._burst / SHARE) - 1.0)

    def _takes(self, count: float) -> bool:
        if self._bucket is None:
            return True
        if self._timer is not None:
            return False
        now = self._clock.monotonic()
        wait = self._bucket.take(now, count)
        if wait:
            self._timer = self._clock.call_at(now + wait, self._go_on)
        return not wait

    def stop(self) -> None:
        """There is no connection, and no limit."""
        self._bucket = None
        self._debt = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        self._wake()


def read_limit(limits: Mapping[str, Any], name: str) -> float:
    """Return a limit that a server told of; what is no positive number limits nothing.

    >>> read_limit({"rate": 5, "burst": "many"}, "rate"), read_limit({"burst": "many"}, "burst")
    (5.0, inf)
    """
    limit: Any = limits.get(name)
    return float(limit) if type(limit) in (int, float) and limit > 0 else inf
