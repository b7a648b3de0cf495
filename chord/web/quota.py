"""Hold `Quota`: how often each principal asks over HTTP, and how much at once. Asks nothing."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chord.clock import Clock
from chord.web.faults import SOON, RateLimited, TooMany
from chord.web.gate import ANYONE, Principal
from chord.web.limits import Limits, TokenBucket

REMEMBERED: Final = 10_000
"""Of how many principals the rate is known; who was not heard of for longest begins anew."""


class Quota:
    """Bounds the requests of each principal, over all its connections.

    Who was not asked for a name is not told from others, and not counted.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: OrderedDict[Principal, TokenBucket] = OrderedDict()
        self._pending: Counter[Principal] = Counter()

    @contextmanager
    def take(self, principal: Principal) -> Iterator[None]:
        """Let a request be under way meanwhile. Raises `RateLimited` and `TooMany`."""
        if principal is ANYONE:
            yield
            return
        self._check_rate(principal)
        limit = self._limits.max_pending
        if self._pending[principal] >= limit:
            raise TooMany("requests under way", limit, SOON)
        self._pending[principal] += 1
        try:
            yield
        finally:
            self._leave(principal)

    def _check_rate(self, principal: Principal) -> None:
        limits, now = self._limits, self._clock.monotonic()
        bucket = self._buckets.pop(principal, None) or TokenBucket(
            rate=limits.rate, burst=limits.burst, now=now
        )
        self._buckets[principal] = bucket
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if wait := bucket.take(now):
            raise RateLimited(wait)

    def _leave(self, principal: Principal) -> None:
        self._pending[principal] -= 1
        if not self._pending[principal]:
            del self._pending[principal]

    def check(self) -> None:
        """Assert every invariant."""
        assert len(self._buckets) <= REMEMBERED
        assert all(0 < count <= self._limits.max_pending for count in self._pending.values())

    def __len__(self) -> int:
        """How many requests are under way."""
        return self._pending.total()

    def __repr__(self) -> str:
        return f"<Quota of {len(self._buckets)}, {len(self)} under way>"
