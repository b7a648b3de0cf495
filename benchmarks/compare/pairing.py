"""Pair what two runs measured by its name, and judge whether it changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import geometric_mean, median, quantiles
from typing import Final, TypeAlias

import attrs

from benchmarks.figure import Unit
from benchmarks.results import Results

LEAST: Final = 0.05
"""The part by which medians have to differ at least."""
LEAST_UNREPEATED: Final = 0.25
"""The same for a time that was taken only once or twice, of which no spread is known."""
REPEATED: Final = 3
"""Samples from which on there is a spread."""

Name: TypeAlias = tuple[str, str]
"""A theme, and a name within it."""


@attrs.frozen
class Sampled:
    """What a run says of one thing, whose less is better."""

    unit: Unit
    samples: tuple[float, ...]

    @property
    def middle(self) -> tuple[float, float]:
        """Between which two the middle half of the samples is."""
        if len(self.samples) < REPEATED:
            return min(self.samples), max(self.samples)
        first, _, third = quantiles(self.samples, n=4, method="inclusive")
        return first, third


@attrs.frozen(kw_only=True)
class Pair:
    """The same thing in two runs."""

    theme: str
    name: str
    before: Sampled
    after: Sampled

    @property
    def ratio(self) -> float:
        """How often as much it takes now; 1 where it took nothing before and now."""
        before, after = median(self.before.samples), median(self.after.samples)
        if before == after:
            return 1.0
        return after / before if before else float("inf")

    @property
    def verdict(self) -> str:
        """``same`` unless medians are well apart, and the middle halves of the samples, too."""
        if abs(self.ratio - 1) < self._least or self._overlaps():
            return "same"
        less, more = ("faster", "slower") if self.before.unit == "seconds" else ("less", "more")
        return less if self.ratio < 1 else more

    @property
    def _least(self) -> float:
        fewest = min(len(self.before.samples), len(self.after.samples))
        is_guess = self.before.unit == "seconds" and fewest < REPEATED
        return LEAST_UNREPEATED if is_guess else LEAST

    def _overlaps(self) -> bool:
        (low, high), (lower, higher) = self.before.middle, self.after.middle
        return low <= higher and lower <= high


@attrs.frozen(kw_only=True)
class Compared:
    """Two runs beside each other; `drift` is how often as much what is not ours took."""

    pairs: tuple[Pair, ...]
    gone: tuple[Name, ...]
    new: tuple[Name, ...]
    drift: float | None


def compare(before: Results, after: Results) -> Compared:
    """Pair what both runs have, in the order of the first. Raises `ValueError` for two kinds."""
    if before.benchmark != after.benchmark:
        raise ValueError(f"{before.benchmark} cannot be compared with {after.benchmark}")
    old, new = dict(find_ours(before)), dict(find_ours(after))
    return Compared(
        pairs=_pair(old, new),
        gone=tuple(name for name in old if name not in new),
        new=tuple(name for name in new if name not in old),
        drift=_find_drift(dict(find_others(before)), dict(find_others(after))),
    )


def _pair(old: Mapping[Name, Sampled], new: Mapping[Name, Sampled]) -> tuple[Pair, ...]:
    return tuple(
        Pair(theme=name[0], name=name[1], before=old[name], after=new[name])
        for name in old
        if name in new
    )


def _find_drift(old: Mapping[Name, Sampled], new: Mapping[Name, Sampled]) -> float | None:
    """Floors and peers did not change: if they take longer, it is the machine."""
    return find_mean([pair.ratio for pair in _pair(old, new)])


def find_mean(ratios: Sequence[float]) -> float | None:
    """The geometric mean of those that say something.

    >>> find_mean([0.5, 2.0, float("inf")])
    1.0
    """
    finite = [ratio for ratio in ratios if 0 < ratio < float("inf")]
    return geometric_mean(finite) if finite else None


# -- what a run says -----------------------------------------------------------------------------


def find_ours(results: Results) -> Iterator[tuple[Name, Sampled]]:
    """Everything of ours that takes something, by its name."""
    for measured in results.measured:
        yield (measured.theme, measured.name), Sampled("seconds", measured.ours.seconds)
    for figure in results.figures:
        yield (figure.theme, figure.name), Sampled(figure.unit, (figure.value,))
    yield from _find_plays(results)
    yield from _find_points(results)


def _find_plays(results: Results) -> Iterator[tuple[Name, Sampled]]:
    for play in results.plays:
        each = tuple(seconds / play.operations for seconds in play.seconds)
        if play.timing != "open-loop":  # where the rate is given, and only latencies are ours
            yield (play.theme, f"{play.name}, each action"), Sampled("seconds", each)
        for name, latency in (("p50", play.latency.p50), ("p99", play.latency.p99)):
            yield (play.theme, f"{play.name}, {name}"), Sampled("seconds", (latency,))


def _find_points(results: Results) -> Iterator[tuple[Name, Sampled]]:
    for curve in results.curves:
        for point in curve.points:
            name = f"{curve.name}, {point.x:,g} {curve.of}"
            yield (curve.theme, name), Sampled(curve.unit, point.samples)


def find_others(results: Results) -> Iterator[tuple[Name, Sampled]]:
    """Everything that ours was held against."""
    for measured in results.measured:
        for other in measured.others:
            name = f"{measured.name}: {other.name}"
            yield (measured.theme, name), Sampled("seconds", other.seconds)
