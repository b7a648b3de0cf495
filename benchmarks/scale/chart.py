"""Hold `Chart`: what the curves of one theme have in common, and how their points are taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import attrs

from benchmarks.clicks import Clicks
from benchmarks.curve import Curve, draw
from benchmarks.figure import Unit
from benchmarks.harness import Measurement
from benchmarks.timing import Contender, Effort, measure
from examples.scenarios import Audit


@attrs.frozen(kw_only=True)
class Chart:
    """Curves under one `theme`, over the same `sizes`; `of` says what those count."""

    theme: str
    of: str
    sizes: Sequence[int]
    effort: Effort

    def time(
        self, name: str, contend: Callable[[int], Contender], clicks: Collection[Clicks] = ()
    ) -> Measurement:
        """Time what `contend` makes for each size: the seconds of one operation, in each round.

        A round goes over all sizes: what slows the machine for a while slows them alike. With
        `clicks`, the ones that the contenders write, the curve has their audit.
        """

        async def take() -> Curve:
            taken = await measure([contend(size) for size in self.sizes], self.effort)
            seconds = [each.seconds for each in taken]
            return self.draw(name, "seconds", seconds, await _audit(clicks))

        return Measurement(name, take)

    def weigh(self, name: str, unit: Unit, weigh: Callable[[int], Awaitable[float]]) -> Measurement:
        """Take a number once for each size."""

        async def take() -> Curve:
            return self.draw(name, unit, [[await weigh(size)] for size in self.sizes])

        return Measurement(name, take)

    def draw(
        self,
        name: str,
        unit: Unit,
        samples: Sequence[Sequence[float]],
        audit: Audit | None = None,
    ) -> Curve:
        """Make a curve of the samples at each of the sizes, in their order."""
        by_size = dict(zip(self.sizes, samples, strict=True))
        return draw(self.theme, name, unit, self.of, by_size, audit)


async def _audit(clicks: Collection[Clicks]) -> Audit | None:
    return sum([await each.audit() for each in clicks], Audit()) if clicks else None
