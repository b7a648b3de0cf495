"""Hold how long single operations took: a histogram of all, and the percentiles that matter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
from hdrh.histogram import HdrHistogram

LONGEST: Final = 3600.0
"""Seconds above which a latency counts as that long."""
DIGITS: Final = 2
"""How many of a latency are kept, at least: it is told to a hundredth."""


@attrs.frozen(kw_only=True)
class Latency:
    """Latencies in seconds. `buckets` are what `count` latencies fell into, shortest first:
    each the longest latency that belongs to it, and how many did.
    """

    count: int
    p50: float
    p99: float
    p999: float
    max: float
    buckets: tuple[tuple[float, int], ...]


def sum_up(latencies: Iterable[float]) -> Latency:
    """Count latencies, in seconds.

    >>> found = sum_up([0.001] * 98 + [0.002, 0.003])
    >>> found.count, round(found.p50, 4), round(found.p99, 4), round(found.max, 4)
    (100, 0.001, 0.002, 0.003)
    """
    histogram = HdrHistogram(1, _count_nanoseconds(LONGEST), DIGITS)
    for latency in latencies:
        histogram.record_value(_count_nanoseconds(min(latency, LONGEST)))
    return _read(histogram)


def _read(histogram: HdrHistogram) -> Latency:
    if not histogram.get_total_count():
        return Latency(count=0, p50=0.0, p99=0.0, p999=0.0, max=0.0, buckets=())
    p50, p99, p999, most = (
        histogram.get_value_at_percentile(percentile) / 1e9 for percentile in (50, 99, 99.9, 100)
    )
    return Latency(
        count=histogram.get_total_count(),
        p50=p50,
        p99=p99,
        p999=p999,
        max=most,
        buckets=tuple(
            (each.value_iterated_to / 1e9, each.count_added_in_this_iter_step)
            for each in histogram.get_recorded_iterator()
        ),
    )


def _count_nanoseconds(seconds: float) -> int:
    return max(1, round(seconds * 1e9))
