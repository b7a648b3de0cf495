"""Hold `Spread`: the median and the middle half of samples, and what a ratio says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Final, Literal, TypeAlias

import attrs

from benchmarks.comparison import Measured
from benchmarks.timing import Samples

REPEATED: Final = 3
"""Samples from which on something is known of how they spread."""
MANY: Final = 8
"""Samples from which on the middle half of them is telling."""
LEAST: Final = 0.05
"""The part by which a ratio has to differ from 1 at least."""

Verdict: TypeAlias = Literal["more", "less", "noise", "unknown"]


@attrs.frozen
class Spread:
    """The median of `count` samples, the least and the most of them, and between which two the
    middle half is.
    """

    low: float
    median: float
    high: float
    least: float
    most: float
    count: int

    @property
    def verdict(self) -> Verdict:
        """What ratios say: whether they are above 1, or below, by more than their noise.

        They are if the middle half of them is; where there are few, all of them have to be.

        >>> [spread(some).verdict for some in ([2.0, 3.0, 4.0], [0.5, 0.6, 0.7])]
        ['more', 'less']
        >>> [spread(some).verdict for some in ([0.9, 1.2, 1.4], [1.03] * 9, [7.0])]
        ['noise', 'noise', 'unknown']
        """
        if self.count < REPEATED:
            return "unknown"
        low, high = (self.least, self.most) if self.count < MANY else (self.low, self.high)
        if low <= 1 <= high or abs(self.median - 1) < LEAST:
            return "noise"
        return "more" if self.median > 1 else "less"

    def write(self, write: Callable[[float], str]) -> str:
        """The median and the middle half.

        >>> spread([1.0, 2.0, 3.0, 4.0, 5.0]).write(str)
        '3.0 (2.0 to 4.0)'
        """
        if self.count == 1:
            return write(self.median)
        return f"{write(self.median)} ({write(self.low)} to {write(self.high)})"


def spread(samples: Sequence[float]) -> Spread:
    """Of fewer than three samples, the least and the most take the place of the middle half."""
    least, most = min(samples), max(samples)
    if len(samples) < REPEATED:
        return Spread(least, median(samples), most, least, most, len(samples))
    first, second, third = quantiles(samples, n=4, method="inclusive")
    return Spread(first, second, third, least, most, len(samples))


def divide(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """The ratios of samples that were taken by turns, pair by pair.

    >>> divide([6.0, 9.0], [2.0, 3.0, 4.0])
    (3.0, 3.0)
    """
    return tuple(one / other for one, other in zip(over, under, strict=False) if other)


def rate(measured: Measured, other: Samples) -> Spread:
    """How often as much ours costs as a floor, or how often as fast it is as a peer."""
    ours, theirs = measured.ours.seconds, other.seconds
    return spread(divide(ours, theirs) if measured.kind == "floor" else divide(theirs, ours))
