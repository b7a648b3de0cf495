"""Hold `Crash`: what a runtime lost whose process was killed while it wrote. Pure."""

from __future__ import annotations

import attrs

from benchmarks.play import Runtime
from chord.config import Durability
from examples.scenarios import Audit


@attrs.frozen(kw_only=True)
class Kill:
    """One process that was killed `seconds` after its first acknowledgement.

    `durable` of the acknowledged updates were said to be stored by then, and of those so many were
    `kept`; `unacknowledged` ones were found in the store beside them. `span` is how many seconds
    back from the end the first of what is lost was acknowledged, 0 where nothing is.
    """

    seconds: float
    audit: Audit
    durable: Audit
    unacknowledged: int
    span: float


@attrs.frozen(kw_only=True)
class Crash:
    """The kills of one runtime on one store; `flush_interval` in seconds where that matters."""

    store: str
    runtime: Runtime
    durability: Durability | None
    flush_interval: float | None
    kills: tuple[Kill, ...]

    @property
    def theme(self) -> str:
        return self.store

    @property
    def name(self) -> str:
        return f"kill -9, {self.durability or self.runtime}"

    @property
    def audit(self) -> Audit:
        return sum((kill.audit for kill in self.kills), Audit())

    @property
    def durable(self) -> Audit:
        return sum((kill.durable for kill in self.kills), Audit())

    @property
    def holds(self) -> bool:
        """Whether all is there that was acknowledged as stored."""
        return self.durable.holds
