"""Hold `Versions`: a context's versions under an actor, and how a request makes one. Sync and pure.

It keeps three versions apart. *Applied* is what the next request finds. *Shown* is what readers
and watchers see: the last version that was acknowledged. *Stored* is what the backend has. Writes
go to the applied state in place, by its owner token, and an applied version that comes to nothing
is undone by its inverse delta; so an update costs in proportion to the change, and a snapshot for
a reader costs nothing until the next write.

What has no version to go on from (a birth), or ends a life, is done *alone*: with everything
before it stored, and nothing behind it until it is stored itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from actors.messages import Ask, Order
from actors.steps import Step, Turn
from chord.changes import Added, Changes
from chord.config import Settings
from chord.delta.application import apply, invert
from chord.errors import ChordError, ContextNotFound
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Delta, Operation, Snapshot
from chord.requests import Delete, Request, Restore, Transform, Update, op_id_of
from chord.state import StateDict, Tree
from chord.transition import Born, Gone, Head, Unchanged, transition

MAX_OPERATIONS: Final = 1000


Taken: TypeAlias = Step | Unchanged


class Versions:
    """One context, loaded. `shows_at_once`: what is applied is acknowledged without being stored.

    `steps` are the versions that were applied and are not stored, and `unstored_bytes` what they
    take in the log; `alone` is the one that can have nothing behind it. A method that raises leaves
    everything as it was.
    """

    __slots__ = (
        "_before",
        "_first",
        "_forgotten",
        "_bound",
        "_flight",
        "_journal",
        "_live",
        "_operations",
        "_owner",
        "_position",
        "_settings",
        "_shared",
        "_shows_at_once",
        "_state",
        "_unknown",
        "alone",
        "context_id",
        "damage",
        "steps",
        "stored",
        "unstored_bytes",
    )

    def __init__(
        self,
        context_id: str,
        live: Live | None,
        operations: Mapping[str, Operation],
        journal: Journal,
        settings: Settings,
        *,
        shows_at_once: bool,
        damage: ChordError | None = None,
    ) -> None:
        self.context_id = context_id
        self.damage = damage
        self.stored: Position | None = live.position if live else None
        self.unstored_bytes = 0
        self._journal = journal
        self._settings = settings
        self._shows_at_once = shows_at_once
        self._live = live
        self._state: StateDict | None = live.state if live else None
        self._position: Position | None = live.position if live else None
        self._owner: object = object()
        self._shared = True  # whether `_live.state` is the shown state, and is not written
        self._bound = live.state_bytes if live else 0
        self.steps: deque[Step] = deque()
        self._flight = 0
        self.alone: Step | None = None
        self._before: tuple[StateDict | None, Position | None] = (None, None)
        self._first: Snapshot | None = None
        self._forgotten: set[str] = set()  # operations, since not all is stored
        self._operations = dict(operations)
        self._unknown: dict[str, Step] = {}

    # -- what it is asked --------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is a context, as far as the next request is concerned."""
        return self._state is not None

    @property
    def position(self) -> Position | None:
        """Of the applied version."""
        return self._position

    @property
    def updated_at(self) -> float:
        """Of the applied version; 0 where there is no context."""
        if self._state is None:
            return 0.0
        last = self.steps[-1].delta if self.steps else None
        if last is not None:
            return last.updated_at
        return self._live.updated_at if self._live else 0.0

    def has_stored(self, position: Position) -> bool:
        """Whether a version that was acknowledged is in the store."""
        stored = self.stored
        if stored is None or stored.epoch != position.epoch:
            return True  # of a life before: it was stored before this one began
        return position.version <= stored.version

    @property
    def shown(self) -> Position | None:
        return self._live.position if self._live else None

    @property
    def is_settled(self) -> bool:
        """Whether all that was applied is stored."""
        return not self.steps

    @property
    def in_flight(self) -> int:
        """How many steps are in the commit that is under way."""
        return self._flight

    def list_asks(self) -> list[Ask]:
        """All who wait for steps to be stored."""
        return [ask for step in self.steps for ask, _ in step.waiters]

    @property
    def unstored(self) -> int:
        """How many versions are applied and not stored."""
        return len(self.steps)

    @property
    def awaited(self) -> Step | None:
        """The newest step that is not acknowledged: what is answered now rests on it."""
        if not self.steps or (self._shows_at_once and self.alone is None):
            return None
        return self.steps[-1]

    def stands_alone(self, request: Order) -> bool:
        """Whether a request can be taken only when all is settled."""
        if self._state is None or type(request) is Delete or type(request) is Restore:
            return True
        return self._live is not None and self._live.ended

    def look(self) -> Live | None:
        """The context as it is shown; its state stays as it is."""
        live = self._live
        if live is not None and not self._shared:
            live.state = self._find_shown()
            self._owner = object()
            self._shared = True
        return live

    def peek(self) -> Live | None:
        """The same, but the state in it may be out of date: for its history and its position."""
        return self._live

    def _find_shown(self) -> StateDict:
        state = self._before[0] if self.alone else self._state
        assert state is not None
        if self._shows_at_once or self.alone:
            return state
        for step in reversed(self.steps):
            assert step.delta is not None
            state = apply(state, invert(step.delta.changes))
        return state

    @property
    def operations(self) -> dict[str, Operation]:
        """The operations that are remembered, the oldest first."""
        return self._operations

    def recall_operation(self, op_id: str, since: float) -> Operation | Step | None:
        """What is known of an operation: where it came to, or the step that is to decide that."""
        step = self._unknown.get(op_id)
        if step is not None:
            return step
        known = self._operations.get(op_id)
        return known if known is not None and known.at >= since else None

    # -- taking requests ---------------------------------------------------------------------------

    def take(self, request: Request, now: float, name: Callable[[], str]) -> Taken:
        """Apply a request; raise what `transition` raises. It must be settled if it stands alone.

        `name` makes a name for the epoch that this begins, should it begin one.
        """
        live = self._live
        ended = live is not None and live.ended
        if type(request) is not Update:
            self._prepare(request)
        elif self.damage is not None:
            raise self.damage
        begins = ended or self._state is None or type(request) is Restore
        epoch = name() if begins else ""
        head = Head(self.context_id, self._state, self._position, self._owner, ended)
        outcome = transition(head, request, now, epoch)
        if isinstance(outcome, Born):
            return self._bear(outcome.state, outcome.delta, op_id_of(request))
        if isinstance(outcome, Gone):
            step = Step(None, None, b"", None)
            return self._go_alone(step, (self._state, self._position))
        return outcome

    def _prepare(self, request: Request) -> None:
        if self.damage is not None and not isinstance(request, (Delete, Restore)):
            raise self.damage
        if isinstance(request, Transform):
            self._owner = object()  # its function may keep what it is shown

    def open_turn(self, initial: Callable[[], StateDict] | None) -> Turn:
        """Begin a command's turn. Raises `ContextNotFound` where nothing says how to begin."""
        if self.damage is not None:
            raise self.damage
        if self._state is not None:
            self._owner = object()  # the command may keep what it is shown
            return Turn(self._state, self._position)
        if initial is None:
            raise ContextNotFound(self.context_id)
        return Turn(initial(), None)

    def continues(self, turn: Turn) -> bool:
        """Whether what a turn began with still holds: it may have been undone meanwhile."""
        return self._position == turn.position

    def close_turn(self, turn: Turn, now: float, name: Callable[[], str]) -> Taken:
        """Apply what a command did in its turn, as one version. Nothing else came between."""
        assert self.continues(turn)
        changes = turn.changes
        state = turn.share()
        position = turn.position
        if position is None:
            changes = Tree({key: Added(value) for key, value in state.items()})
            return self._bear(state, self._make_delta(changes, 0, name(), now), None)
        if not changes:
            return Unchanged(position)
        ended = self._live is not None and self._live.ended
        epoch = name() if ended else position.epoch
        return self._bear(state, self._make_delta(changes, position.version, epoch, now), None)

    def _make_delta(self, changes: Changes, version: int, epoch: str, now: float) -> Delta:
        return Delta(
            context_id=self.context_id,
            changes=changes,
            from_version=version,
            version=version + 1,
            epoch=epoch,
            updated_at=now,
        )

    def _bear(self, state: StateDict, delta: Delta, op_id: str | None) -> Step:
        last, before = self._position, self._state
        position = Position(delta.epoch, delta.version)
        if last is None or last.epoch != delta.epoch:
            snapshot = self._journal.take_snapshot(state, delta.version)
            self._state, self._position = state, position
            step = Step(delta, position, b"", op_id)
            return self._go_alone(step, (before, last), snapshot)
        try:
            changes = self._journal.encode(delta, state)
            bound = self._bound + len(changes)
            if bound > self._settings.max_state_bytes:  # it may be: see whether it is
                bound = len(self._journal.take_snapshot(state, delta.version).state)
        except BaseException:
            if before is state:  # it was written in place
                self._state = apply(state, invert(delta.changes))
                self._owner = object()
            raise
        self._state, self._position, self._bound = state, position, bound
        step = Step(delta, position, changes, op_id)
        self.steps.append(step)
        self.unstored_bytes += len(changes)
        if self._shared and before is state:
            self._shared = False
        if self._shows_at_once:
            self._show((step,))
        elif op_id is not None:
            self._unknown[op_id] = step
        return step


    def _go_alone(
        self,
        step: Step,
        before: tuple[StateDict | None, Position | None],
        snapshot: Snapshot | None = None,
    ) -> Step:
        assert not self.steps
        self._before = before
        self._first = snapshot
        self.alone = step
        self.steps.append(step)
        if step.op_id is not None:
            self._unknown[step.op_id] = step
        if step.delta is None:
            self._state = self._position = None
        return step

    def _show(self, steps: Sequence[Step]) -> None:
        """Make the last of these steps what readers see."""
        live, last = self._live, steps[-1]
        assert live is not None
        assert last.delta is not None
        assert last.position is not None
        history = live.history
        for step in steps:
            delta, size = step.delta, len(step.changes)
            assert delta is not None
            history.append(delta, size)
            live.log_bytes += size
            if step.op_id is not None:
                self._remember(step.op_id, delta.position, delta.updated_at)
        live.position = last.position
        live.updated_at = last.delta.updated_at
        if len(history) > self._settings.delta_threshold:
            history.trim(count=self._settings.delta_threshold)
        self._shared = False

    def _remember(self, op_id: str, position: Position, at: float) -> None:
        known = self._operations
        known.pop(op_id, None)
        known[op_id] = Operation(position, at)
        before = at - self._settings.op_ttl
        while len(known) > MAX_OPERATIONS or known[next(iter(known))].at < before:
            oldest = next(iter(known))
            if self._will_be_stored(known.pop(oldest).position):
                self._forgotten.add(oldest)

    def _will_be_stored(self, position: Position) -> bool:
        """Whether the store has this version by the time when all else is stored."""
        first = self.steps[0].position if self.steps else None
        return first is not None and (
            self.has_stored(position) or position.version >= first.version
        )
