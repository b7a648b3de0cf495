"""Hold how a cost grows with what it depends on, and fit the exponent of that. Pure.

An exponent of 0 is a cost that does not grow, 1 one that doubles where its cause does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import linear_regression, median
from typing import Final

import attrs

from benchmarks.figure import Unit
from examples.scenarios import Audit

FEWEST: Final = 3
"""Points below which no exponent is fitted: a line goes through any two."""


@attrs.frozen
class Point:
    """What was measured at one size `x`: every sample, in the unit of the curve."""

    x: int
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)


@attrs.frozen(kw_only=True)
class Curve:
    """The costs of one thing at growing sizes; `of` says what `x` counts.

    `exponent` is fitted to the medians, None where there are fewer than three of them above 0.
    `audit` is of all that was written meanwhile, None where only reading was measured.
    """

    theme: str
    name: str
    unit: Unit
    of: str
    points: tuple[Point, ...]
    exponent: float | None
    audit: Audit | None = None


def draw(
    theme: str,
    name: str,
    unit: Unit,
    of: str,
    samples: Mapping[int, Sequence[float]],
    audit: Audit | None = None,
) -> Curve:
    """Make a curve of the samples at each size, and fit its exponent."""
    points = tuple(Point(x, tuple(samples[x])) for x in sorted(samples))
    return Curve(
        theme=theme,
        name=name,
        unit=unit,
        of=of,
        points=points,
        exponent=fit_exponent(points),
        audit=audit,
    )


def fit_exponent(points: Sequence[Point]) -> float | None:
    """The slope of the least-squares line through the medians, on logarithmic scales.

    What is not above 0 has no logarithm, and is left out.

    >>> round(fit_exponent([Point(x, (5e-6 * x**2,)) for x in (1, 10, 100)]), 3)
    2.0
    >>> fit_exponent([Point(1, (1.0,)), Point(10, (1.0,))]) is None
    True
    """
    seen = [(math.log(each.x), math.log(each.median)) for each in points if _has_logarithms(each)]
    if len(seen) < FEWEST:
        return None
    return linear_regression(*zip(*seen, strict=True)).slope


def _has_logarithms(point: Point) -> bool:
    return point.x > 0 and point.median > 0
