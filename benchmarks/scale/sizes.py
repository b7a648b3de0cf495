"""Hold the sizes over which costs are followed."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """At least three of each, for an exponent.

    Keys of a state, deltas of a history, versions that a client is behind, contexts in a runtime,
    contexts in a process that holds nothing else, concurrent clients of one context.
    """

    keys: tuple[int, ...] = (10, 100, 1000, 10_000, 100_000)
    deltas: tuple[int, ...] = (1, 10, 100, 1000, 10_000)
    behind: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)
    contexts: tuple[int, ...] = (1, 10, 100, 1000, 10_000, 100_000)
    crowds: tuple[int, ...] = (1000, 3000, 10_000, 30_000, 100_000)
    clients: tuple[int, ...] = (1, 10, 100, 1000, 10_000)


FULL: Final = Sizes()
QUICK: Final = Sizes(
    keys=(10, 100, 1000, 10_000),
    deltas=(1, 10, 100, 1000),
    behind=(1, 10, 100),
    contexts=(1, 10, 100, 1000),
    crowds=(1000, 3000, 10_000),
    clients=(1, 10, 100, 1000),
)
TINY: Final = Sizes(
    keys=(2, 4, 40),
    deltas=(1, 2, 4),
    behind=(1, 2, 4),
    contexts=(1, 2, 4),
    crowds=(1, 2, 4),
    clients=(1, 2, 4),
)
