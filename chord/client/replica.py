"""Hold `Replica`, a copy of a context on the far side of the wire. Pure: no I/O, no clock.

It does what `chord.replica.Replica` does, but for positions that it cannot read: whether one is
older or newer than another it knows only of those that it has been at itself. So once it has
noticed that it lacks something, only an answer can settle that, and to a question asked since;
and when questions do not help, it asks for everything. `docs/wire.md` has the rules.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import attrs

from chord.codec import Codec
from chord.delta.application import apply
from chord.errors import DeltaMismatch
from chord.replica import Taken
from chord.state import adopt
from chord.web.leaves import WireError, raise_changes, raise_value
from chord.web.wire import Current, Deleted, DeltaMessage, Full, StateReply

KEPT: Final = 64
"""How many of the positions that it has been at a replica remembers."""

PATIENCE: Final = 3
"""After how many answers that did not help a replica asks for the full state."""


@attrs.frozen
class Ask:
    """A question to the server: what to send as `since`, and what was known when it was asked."""

    since: str | None
    gaps: int
    moves: int


class Replica:
    """A copy of a context, kept up to date by the server's messages, in whatever order they come.

    >>> replica = Replica()
    >>> question = replica.ask()
    >>> full = Full(context="a", position="k:1", state={"n": 1}, reason="requested")
    >>> replica.receive(full, answers=question), replica.position, replica.needs_sync
    ('applied', 'k:1', False)
    """

    def __init__(self, *, codec: Codec | None = None) -> None:
        self._codec = codec
        self._state: Mapping[str, Any] | None = None
        self._position: str | None = None
        self._passed: OrderedDict[str, None] = OrderedDict()
        self._deleted = False
        self._moves = 0
        self._gaps = 0  # how often something was found to be lacking
        self._settled = 0  # so many of them are made good
        self._fruitless = 0

    @property
    def state(self) -> Mapping[str, Any] | None:
        """The state, read-only; None before the first reply, and once the context is deleted."""
        return self._state

    @property
    def position(self) -> str | None:
        """Where it is; None where nothing is known."""
        return self._position

    @property
    def needs_sync(self) -> bool:
        """Whether the replica knows that it lacks something: `ask`."""
        unknown = self._position is None and not self._deleted
        return unknown or self._settled < self._gaps

    @property
    def deleted(self) -> bool:
        return self._deleted

    def ask(self) -> Ask:
        """Return what to ask a sync or a watch with; give it back with the answer."""
        if self._fruitless < PATIENCE:
            return Ask(self._position, self._gaps, self._moves)
        self._passed.clear()  # whatever the server has is to be taken
        return Ask(None, self._gaps, self._moves)

    def receive(self, message: StateReply, *, answers: Ask | None = None) -> Taken:
        """Take one message; `answers` is the question, where it is the first answer to one.

        Returns ``applied``; ``current``: it told nothing new; ``stale``: it is older than what is
        known; ``gap``: something is missing before it, so ask; ``deleted``.
        Raises `WireError` for a state that cannot be read.
        """
        overtaken = answers is not None and answers.moves != self._moves
        if answers is not None and not overtaken:
            self._passed.pop(message.position, None)  # it is the latest that the server had
        taken = self._take(message)
        if overtaken and taken == "applied" and isinstance(message, Full):
            self._miss()  # nobody can tell whether it is newer than what was held
        if answers is not None:
            self._settle(answers, taken)
        return taken

    def forget(self, *, answers: Ask | None = None) -> Taken:
        """Take the answer that there is no such context; ``gap`` where it was overtaken."""
        if answers is not None and answers.moves != self._moves:
            return self._miss()
        self._state = self._position = None
        self._passed.clear()
        self._deleted = True
        self._settled = self._gaps
        self._fruitless = 0
        return "deleted"

    def _take(self, message: StateReply) -> Taken:
        match message:
            case Full():
                return self._take_full(message)
            case DeltaMessage():
                return self._take_delta(message)
            case Current():
                return self._take_current(message.position)
            case Deleted():
                return self._take_deleted(message.position)

    def _take_full(self, full: Full) -> Taken:
        if full.reason == "ahead":  # the server has lost what we know
            self._passed.clear()
        elif full.position in self._passed:
            return "stale"
        state = raise_value(full.state, full.types, codec=self._codec)
        self._move(full.position, adopt(state))
        self._deleted = False
        return "applied"

    def _take_delta(self, delta: DeltaMessage) -> Taken:
        if self._position is None or delta.from_ != self._position:
            return "stale" if self._knows(delta.position) else self._miss()
        assert self._state is not None
        try:
            changes = raise_changes(delta.changes, delta.types, self._state, codec=self._codec)
            state = apply(self._state, changes)
        except (DeltaMismatch, WireError):
            self._state = self._position = None
            self._passed.clear()
            return self._miss()
        self._move(delta.position, state)
        return "applied"

    def _take_current(self, position: str) -> Taken:
        if position == self._position:
            return "current"
        return "stale" if self._knows(position) else self._miss()

    def _take_deleted(self, position: str) -> Taken:
        if self._position is None or position == self._position:
            return self.forget()
        return "stale" if self._knows(position) else self._miss()

    def _knows(self, position: str) -> bool:
        return position == self._position or position in self._passed

    def _move(self, position: str, state: Mapping[str, Any]) -> None:
        if self._position is not None and self._position != position:
            self._passed[self._position] = None
        if len(self._passed) > KEPT:
            self._passed.popitem(last=False)
        self._passed.pop(position, None)
        self._state = state
        self._position = position
        self._moves += 1

    def _miss(self) -> Taken:
        self._gaps += 1
        return "gap"

    def _settle(self, question: Ask, taken: Taken) -> None:
        if taken != "gap":
            self._settled = max(self._settled, question.gaps)
        self._fruitless = self._fruitless + 1 if self.needs_sync else 0

    def __repr__(self) -> str:
        needs = ", needs a sync" if self.needs_sync else ""
        return f"<Replica at {self._position}{needs}>"
