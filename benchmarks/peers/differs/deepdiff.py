"""Hold deepdiff: its diff is made into a `Delta`, which is added to a copy of the whole state."""

from __future__ import annotations

from deepdiff import DeepDiff, Delta

from benchmarks.peers.differs.differ import Differ

DIFFER = Differ(
    name="deepdiff",
    diff=DeepDiff,
    ready=Delta,
    apply=lambda state, delta: state + delta,
)
