"""Hold how many watch, how many of them are slow, and how slow."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    Watchers of one context; shares of them that are slow, which read after `every` so many of the
    `versions`, at most 50. Versions between two readings of one watcher, of which there are
    `readings`. Versions that the `sleepers` miss.
    """

    watchers: tuple[int, ...] = (1, 10, 100, 1000, 10_000)
    shares: tuple[float, ...] = (0.0, 0.1, 0.5)
    every: int = 10
    versions: int = 50
    between: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    readings: int = 10
    missed: tuple[int, ...] = (1, 10, 100, 1000)
    sleepers: int = 1000


FULL: Final = Sizes()
QUICK: Final = Sizes(
    watchers=(1, 10, 100, 1000),
    shares=(0.0, 0.1),
    every=5,
    versions=20,
    between=(1, 10, 100),
    readings=3,
    missed=(1, 10, 100),
    sleepers=100,
)
TINY: Final = Sizes(
    watchers=(1, 2, 4),
    shares=(0.0, 0.5),
    every=2,
    versions=5,
    between=(1, 2, 4),
    readings=2,
    missed=(1, 2, 4),
    sleepers=2,
)
