"""Hold what is compared with what, and judge it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal, TypeAlias

import attrs

from benchmarks.timing import Contender, Effort, Samples, measure

Kind: TypeAlias = Literal["floor", "peer"]
"""A floor does the least that could be done: the ratio tells how often we cost as much. A peer does
what we do: the ratio tells how often as fast we are."""


@attrs.frozen(kw_only=True)
class Comparison:
    """Something of ours, and the others that it is held against.

    `aim` is the ratio that was aimed at: at most that to a floor, at least that to a peer, and
    among several to the fastest of them. None where the numbers are only to be known.
    """

    name: str
    kind: Kind
    ours: Contender
    others: Sequence[Contender]
    aim: float | None = None


@attrs.frozen(kw_only=True)
class Measured:
    """A comparison with its samples."""

    theme: str
    name: str
    kind: Kind
    aim: float | None
    ours: Samples
    others: tuple[Samples, ...]

    def rate(self, other: Samples) -> float:
        """The ratio to another: the median of those of the rounds, each taken pair by pair."""
        pairs = zip(self.ours.seconds, other.seconds, strict=True)
        if self.kind == "floor":
            return median(ours / theirs for ours, theirs in pairs)
        return median(theirs / ours for ours, theirs in pairs)

    @property
    def ratio(self) -> float:
        """The ratio to the fastest of the others, which the aim is about."""
        return self.rate(min(self.others, key=lambda other: other.median))

    @property
    def is_met(self) -> bool | None:
        """Whether the aim was met, None where there is none."""
        if self.aim is None:
            return None
        return self.ratio <= self.aim if self.kind == "floor" else self.ratio >= self.aim


async def run(theme: str, comparison: Comparison, effort: Effort) -> Measured:
    """Time a comparison."""
    ours, *others = await measure([comparison.ours, *comparison.others], effort)
    return Measured(
        theme=theme,
        name=comparison.name,
        kind=comparison.kind,
        aim=comparison.aim,
        ours=ours,
        others=tuple(others),
    )
