"""Hold `Step`, a version that is not stored yet and who waits for it, and `Turn`, a command's own.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actors.messages import Ask, Outcome
from chord.changes import Changes
from chord.delta.composition import merge
from chord.delta.writing import update
from chord.position import Position
from chord.records import Delta
from chord.state import StateDict
from chord.turns import Answer, copy_error


class Step(msgspec.Struct, eq=False, gc=False):
    """A version that was applied and is not stored; without a `delta`, the end of a life.

    Who waits for it is answered once it is acknowledged: the first, and whoever comes later.
    """

    delta: Delta | None
    position: Position | None
    changes: bytes
    op_id: str | None
    first: Ask | None = None
    outcome: Outcome | None = None
    others: list[tuple[Ask, Outcome]] | None = None

    def wait(self, ask: Ask, outcome: Outcome) -> None:
        """Have somebody wait, who is told this outcome if the step is acknowledged."""
        if self.first is None:
            self.first, self.outcome = ask, outcome
        elif self.others is None:
            self.others = [(ask, outcome)]
        else:
            self.others.append((ask, outcome))

    def acknowledge(self) -> None:
        """Tell who waits what it came to."""
        first, outcome = self.first, self.outcome
        if first is not None and self.others is None and type(outcome) is Answer:
            first.answer(outcome)  # by far the most
            return
        for ask, outcome in self.waiters:
            error = isinstance(outcome, BaseException)
            ask.tell(copy_error(outcome) if error else outcome)  # type: ignore[arg-type]

    @property
    def waiters(self) -> list[tuple[Ask, Outcome]]:
        """Who waits, in order, and for what."""
        if self.first is None or self.outcome is None:
            return []
        return [(self.first, self.outcome), *(self.others or ())]


class Turn:
    """What a command may do to the state while it has the turn: nothing of it is shown before.

    `position` is where it begins, None where it is to begin a life.
    """

    __slots__ = ("_owner", "_parts", "position", "state")

    def __init__(self, state: StateDict, position: Position | None) -> None:
        self.state = state
        self.position = position
        self._owner: object = object()
        self._parts: list[Changes] = []

    def update(self, partial: Mapping[str, Any]) -> Changes:
        """Put changes that were taken in to the state. Raises `InvalidState`."""
        self.state, changes = update(self.state, partial, owner=self._owner)
        if changes:
            self._parts.append(changes)
        return changes

    def share(self) -> StateDict:
        """The state as it is now, for good: the next update leaves it alone."""
        self._owner = object()
        return self.state

    @property
    def changes(self) -> Changes:
        return self._parts[0] if len(self._parts) == 1 else merge(self._parts)
