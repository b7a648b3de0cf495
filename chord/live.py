"""Hold `Live`, a context in memory, and `Draft`, what is to become of one. Pure."""

from __future__ import annotations

import attrs
import msgspec

from chord.delta.application import apply, invert
from chord.errors import VersionGone
from chord.history import History
from chord.position import Position
from chord.records import Context, Delta
from chord.requests import Request, Transform, op_id_of
from chord.state import EMPTY, StateDict
from chord.transition import Born, Gone, Head, Outcome, transition


@attrs.define(kw_only=True)
class Live:
    """A context as it was last committed, with its recent deltas.

    Sizes are in bytes: of the last snapshot, and of the log since. With `ended`, its epoch is not
    to be continued.
    """

    context_id: str
    state: StateDict
    position: Position
    updated_at: float
    history: History
    snapshot_version: int
    snapshot_bytes: int
    log_bytes: int = 0
    ended: bool = False

    @property
    def state_bytes(self) -> int:
        """What the state takes when it is stored: the last snapshot and the log since."""
        return self.snapshot_bytes + self.log_bytes

    def context(self) -> Context:
        return Context(
            context_id=self.context_id,
            state=self.state,
            position=self.position,
            updated_at=self.updated_at,
        )

    def recall(self, position: Position, updated_at: float, reach: int) -> Context:
        """Return the context as it was at `position`, at most `reach` versions ago.

        Raises `VersionGone`. O(size of the changes since).
        """
        if position == self.position:
            return self.context()
        behind = self.position.version - position.version
        delta = self.history.since(position.version) if 0 < behind <= reach else None
        if delta is None or position.epoch != self.position.epoch:
            raise VersionGone(self.context_id, position)
        return Context(
            context_id=self.context_id,
            state=apply(self.state, invert(delta.changes)),
            position=position,
            updated_at=updated_at,
        )

    def check(self) -> None:
        """Assert every invariant."""
        self.history.check()
        assert self.history.head == self.position.version
        assert self.snapshot_version <= self.position.version
        assert self.log_bytes >= 0
        assert self.snapshot_bytes >= 0


def make_unreadable(context_id: str, position: Position, updated_at: float = 0.0) -> Live:
    """A context of which only the position can be read: enough to end its life."""
    return Live(
        context_id=context_id,
        state=EMPTY,
        position=position,
        updated_at=updated_at,
        history=History(position.version),
        snapshot_version=position.version,
        snapshot_bytes=0,
    )


class Birth(msgspec.Struct, frozen=True, gc=False):
    """A version of a draft: its delta, and the op id under which it is remembered."""

    delta: Delta
    op_id: str | None


class Draft:
    """The next versions of a context, on top of a `Live` that stays as it is.

    Containers are written in place from the second write on: the draft has an owner token of its
    own. After a request has raised, the draft is as it was before it.
    """

    def __init__(self, context_id: str, base: Live | None) -> None:
        self.context_id = context_id
        self.base = base
        self.births: list[Birth] = []
        self.gone = False
        self._owner = object()
        self._state = base.state if base else None
        self._position = base.position if base else None

    @property
    def state(self) -> StateDict | None:
        return self._state

    @property
    def position(self) -> Position | None:
        return self._position

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return self.gone or bool(self.births)

    def take(self, request: Request, now: float, fresh_epoch: str) -> Outcome:
        """Put one more request on top; raise what `transition` raises."""
        if isinstance(request, Transform):
            self._owner = object()  # the function may keep what it is shown
        outcome = transition(self._head(), request, now, fresh_epoch)
        if isinstance(outcome, Born):
            self._state = outcome.state
            self._position = outcome.delta.position
            self.births.append(Birth(outcome.delta, op_id_of(request)))
        elif isinstance(outcome, Gone):
            self._state = self._position = None
            self.gone = True
        return outcome

    def retract(self) -> None:
        """Take back the newest version."""
        delta = self.births.pop().delta
        self._owner = object()  # what comes back from the delta is shared with it
        if delta.from_version == 0:
            self._state = self.base.state if self.base else None
        else:
            assert self._state is not None
            self._state = apply(self._state, invert(delta.changes))
        self._position = self.base.position if self.base else None
        if self.births:
            self._position = self.births[-1].delta.position

    def _head(self) -> Head:
        ended = self.base is not None and self.base.ended and not self.births
        return Head(self.context_id, self._state, self._position, self._owner, ended)

    def __repr__(self) -> str:
        base = self.base.position if self.base else None
        return f"<Draft {self.context_id!r} {base} -> {self._position}>"
