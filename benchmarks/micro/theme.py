"""Hold how large the themes measure."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    Keys of a flat context, deltas of a history, updates at once, watchers of one context, contexts
    that are weighed, contexts that a process is full of.
    """

    keys: int = 100_000
    deltas: int = 100
    updates: int = 1000
    watchers: int = 10_000
    weighed: int = 10_000
    crowd: int = 100_000


LARGE: Final = Sizes()
SMALL: Final = Sizes(weighed=1000, crowd=10_000)
