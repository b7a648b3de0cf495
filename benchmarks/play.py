"""Hold `Play`: a scenario as one runtime played it on one store, and what became of it. Pure."""

from __future__ import annotations

from statistics import median
from typing import Literal, TypeAlias

import attrs

from benchmarks.latency import Latency
from chord.config import Durability
from examples.scenarios import Audit

Runtime: TypeAlias = Literal["stateless", "stateful"]

Timing: TypeAlias = Literal["published", "fair", "open-loop"]
"""``published``: the contexts are set within the time, as in the figures that the scenarios come
from. ``fair``: only the actions are timed, all begun at once. ``open-loop``: they are begun at a
constant rate, whatever became of those before."""


@attrs.frozen(kw_only=True)
class Play:
    """A scenario in one runtime on one store.

    `seconds` has each run's, for `operations` each time. Latencies are counted from when an action
    was meant to begin: with all the others of its run, or by `rate`, in actions per second. How
    much later than that it was begun tells `lateness`. `durable` counts the acknowledged updates
    that were said to be stored by then; `errors` the actions that raised.
    """

    scenario: str
    store: str
    runtime: Runtime
    durability: Durability | None
    timing: Timing
    operations: int
    seconds: tuple[float, ...]
    latency: Latency
    durable: int
    errors: int
    audit: Audit
    rate: float | None = None
    lateness: Latency | None = None

    @property
    def theme(self) -> str:
        return self.store

    @property
    def name(self) -> str:
        return name_play(self.scenario, self.timing, self.runtime, self.durability)

    @property
    def throughput(self) -> float:
        """Operations per second, in the run of median length."""
        return self.operations / median(self.seconds)

    @property
    def holds(self) -> bool:
        """Whether no action failed, no acknowledged update is lost, and all copies are equal."""
        return self.audit.holds and not self.errors


def name_play(
    scenario: str, timing: Timing, runtime: Runtime, durability: Durability | None
) -> str:
    mode = f"{runtime}, {durability}" if durability else runtime
    return f"{scenario}, {timing}, {mode}"
