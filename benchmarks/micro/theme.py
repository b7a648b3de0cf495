"""Hold what the themes share: how large they measure, and the shape that they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from benchmarks.comparison import Comparison
from benchmarks.figure import Figure


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


Theme: TypeAlias = Callable[[Sizes], AbstractAsyncContextManager[Sequence[Comparison | Figure]]]
"""What a theme's `open_theme` is: everything that it needs is there until it is left."""


class CannotMeasure(Exception):
    """Something that a theme needs is not on this machine."""
