"""Follow a histogram of latencies from one percentile to the next. Pure."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

from benchmarks.latency import Latency

_NINES: Final = tuple(10 ** (step / 12) for step in range(73))


def follow(latency: Latency) -> list[tuple[float, float]]:
    """Up to one of how many each latency is the longest, and that latency, in seconds.

    >>> from benchmarks.latency import sum_up
    >>> [(round(nines), round(found, 1)) for nines, found in follow(sum_up([0.1] * 9 + [2.0]))][-2:]
    [(8, 0.1), (10, 2.0)]
    """
    reached = list(accumulate(count for _, count in latency.buckets))
    steps = [nines for nines in _NINES if nines < latency.count]
    found = [
        (nines, latency.buckets[bisect_left(reached, latency.count * (1 - 1 / nines))][0])
        for nines in steps
    ]
    return [*found, (float(latency.count), latency.max)]
