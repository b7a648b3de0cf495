"""Hold timelines: a life of a context, with the state of every version and each delta between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from chord.changes import Changes
from chord.delta import update
from chord.history import History
from chord.position import Position
from chord.records import Context, Delta
from chord.state import StateDict, take_in, take_in_changes
from chord.testing.strategies import histories
from tests.laws import pack


def delta_of(changes: Changes, version: int, *, epoch: str = "k", at: float = 1000.0) -> Delta:
    """A delta of one version."""
    return Delta(
        context_id="room:1",
        changes=changes,
        from_version=version - 1,
        version=version,
        epoch=epoch,
        updated_at=at,
    )


def context_of(state: Mapping[str, Any], version: int, *, epoch: str = "k") -> Context:
    return Context(
        context_id="room:1", state=state, position=Position(epoch, version), updated_at=1000.0
    )


@attrs.frozen
class Timeline:
    """Version `first` has the state `states[0]`; each delta leads to the next state."""

    first: int
    states: list[StateDict]
    deltas: list[Delta]
    epoch: str = "k"

    @property
    def head(self) -> int:
        return self.first + len(self.deltas)

    def state(self, version: int) -> StateDict:
        return self.states[version - self.first]

    def context(self, version: int | None = None) -> Context:
        version = self.head if version is None else version
        return context_of(self.state(version), version, epoch=self.epoch)

    def history(self, base: int | None = None, head: int | None = None) -> History:
        """What is remembered from `base` to `head`, sizes in stored bytes."""
        base = self.first if base is None else base
        history = History(base)
        for delta in self.deltas[base - self.first : None if head is None else head - self.first]:
            history.append(delta, len(pack(delta.changes)))
        return history


@st.composite
def timelines(draw: st.DrawFn, max_length: int = 6, epoch: str = "k") -> Timeline:
    """Lives that begin at any version; updated one second apart."""
    state, writes = draw(histories(max_length))
    timeline = Timeline(draw(st.integers(1, 3)), [take_in(state)], [], epoch)
    for write in writes:
        made, changes = update(timeline.states[-1], take_in_changes(write))
        if changes:
            at = 1000.0 + timeline.head
            timeline.deltas.append(delta_of(changes, timeline.head + 1, epoch=epoch, at=at))
            timeline.states.append(made)
    return timeline
