"""Hold `Limits`, what a door puts up with, and `TokenBucket`, how often. Pure."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Final

import attrs

from chord.errors import ConfigurationError

COUNTS: Final = (
    *("max_message", "max_depth", "max_contexts", "max_sockets", "max_pending", "max_malformed"),
    *("remembered_bytes", "remembered_views"),
)
SECONDS: Final = ("rate", "burst", "heartbeat")


@attrs.frozen(kw_only=True)
class Limits:
    """What a client may ask for, and what the door keeps. Sizes are in bytes, times in seconds.

    A message, or a body, is at most `max_message` long, and nested `max_depth` deep. A socket says
    at most `rate` messages per second, `burst` at once, where a long one counts for one per 16 KB;
    it watches at most `max_contexts`, and has at most `max_pending` requests under way: then it is
    not read. Over HTTP a principal asks as often, and has as much under way, on all its connections
    together; the rest is refused. A principal has at most `max_sockets`, streams of events counted
    in. After `max_malformed` malformed messages, or as many beyond its rate as `burst`, a socket is
    closed.

    Who says nothing for two times `heartbeat` is taken for dead. Encoded replies of up to
    `remembered_bytes` are kept for who asks the same, and the last `remembered_views` projections.
    """

    max_message: int = 1024 * 1024
    max_depth: int = 64
    rate: float = 100.0
    burst: float = 200.0
    max_contexts: int = 100
    max_sockets: int = 100
    max_pending: int = 64
    max_malformed: int = 10
    heartbeat: float = 20.0
    remembered_bytes: int = 64 * 1024 * 1024
    remembered_views: int = 4096

    def __attrs_post_init__(self) -> None:
        for name in COUNTS:
            self._require(name, "an int, 1 or more", lambda value: type(value) is int and value > 0)
        for name in SECONDS:
            self._require(name, "positive", lambda value: isfinite(value) and value > 0)
        self._require("max_depth", "at most 200", lambda value: value <= 200)
        self._require("burst", "1 or more", lambda value: value >= 1)

    def _require(self, name: str, wanted: str, holds: Callable[[float], bool]) -> None:
        value = getattr(self, name)
        try:
            if holds(value):
                return
        except TypeError:
            pass
        raise ConfigurationError(f"{name} must be {wanted}, not {value!r}")

    def describe(self) -> dict[str, float]:
        """What a client has to know of them.

        >>> Limits(rate=5.0).describe()["rate"]
        5.0
        """
        names = ("max_message", "max_depth", "rate", "burst", "max_contexts")
        return {name: getattr(self, name) for name in names}


class TokenBucket:
    """Says how often something may be done: `rate` times a second, and `burst` times at once.

    >>> bucket = TokenBucket(rate=2.0, burst=1.0, now=0.0)
    >>> bucket.take(now=0.0), bucket.take(now=0.0), bucket.take(now=0.5)
    (0.0, 0.5, 0.0)
    """

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._then = now

    def take(self, now: float, count: float = 1.0) -> float:
        """Take so many tokens, and return 0.0; where they lack, the seconds until they are there.

        Who wants more than `burst` gets it for that many: else it would never.
        """
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._then) * self._rate)
        self._then = max(now, self._then)
        wanted = min(count, self._burst)
        if self._tokens < wanted:
            return (wanted - self._tokens) / self._rate
        self._tokens -= wanted
        return 0.0

    def check(self) -> None:
        """Assert every invariant."""
        assert 0.0 <= self._tokens <= self._burst

    def __repr__(self) -> str:
        return f"<TokenBucket {self._tokens:.3g} of {self._burst:.3g}>"
