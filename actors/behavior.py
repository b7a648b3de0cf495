"""Hold `Behavior`: what a context does under an actor, without its task. Sync and pure.

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
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from actors.messages import Ask, Order, Outcome, copy_error
from chord.changes import Added, Changes
from chord.config import Settings
from chord.delta.application import apply, invert
from chord.delta.composition import merge
from chord.delta.writing import update
from chord.errors import ChordError, ContextNotFound
from chord.history import History
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Batch, Delta, Entry, Fence, Operation, Snapshot
from chord.requests import Delete, Request, Restore, Transform, Update, op_id_of
from chord.state import StateDict, Tree
from chord.transition import Born, Gone, Head, Unchanged, transition

MAX_OPERATIONS: Final = 1000


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
        for ask, outcome in self.waiters if self.others else ((self.first, self.outcome),):
            if ask is not None and outcome is not None:
                error = isinstance(outcome, BaseException)
                ask.tell(copy_error(outcome) if error else outcome)  # type: ignore[arg-type]

    @property
    def waiters(self) -> list[tuple[Ask, Outcome]]:
        """Who waits, in order, and for what."""
        if self.first is None or self.outcome is None:
            return []
        return [(self.first, self.outcome), *(self.others or ())]


Taken: TypeAlias = Step | Unchanged


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


class Behavior:
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
        "_known",
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
            changes = self._encode(delta, state)
        except BaseException:
            if before is state:  # it was written in place
                self._state = apply(state, invert(delta.changes))
                self._owner = object()
            raise
        self._state, self._position = state, position
        step = Step(delta, position, changes, op_id)
        self.steps.append(step)
        self.unstored_bytes += len(changes)
        if self._shared and before is state:
            self._shared = False
        if self._shows_at_once:
            self._show(step)
        elif op_id is not None:
            self._unknown[op_id] = step
        return step

    def _encode(self, delta: Delta, state: StateDict) -> bytes:
        """Encode a delta; where the state may have become too large, see whether it has."""
        changes = self._journal.encode(delta, state)
        bound = self._bound + len(changes)
        if bound > self._settings.max_state_bytes:
            bound = len(self._journal.take_snapshot(state, delta.version).state)
        self._bound = bound
        return changes

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

    def _show(self, step: Step) -> None:
        """Make a step what readers see."""
        live, delta, position, size = self._live, step.delta, step.position, len(step.changes)
        assert live is not None
        assert delta is not None
        assert position is not None
        history = live.history
        history.append(delta, size)
        if len(history) > self._settings.delta_threshold:
            history.trim(count=self._settings.delta_threshold)
        live.position = position
        live.updated_at = delta.updated_at
        live.log_bytes += size
        self._shared = False
        if step.op_id is not None:
            self._remember(step.op_id, position, delta.updated_at)

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

    # -- storing -----------------------------------------------------------------------------------

    def shed(self) -> None:
        """Give up log entries that nobody would be served, where only the newest are ever stored.

        One whose operation is remembered stays, and what is behind it.
        """
        if self._flight or self.alone is not None:
            return
        keep = max(self._settings.delta_threshold, 1)
        while len(self.steps) > keep and not self._is_kept(self.steps[0].op_id):
            step = self.steps.popleft()
            self.unstored_bytes -= len(step.changes)
            if step.op_id is not None:
                self._forgotten.discard(step.op_id)

    def _is_kept(self, op_id: str | None) -> bool:
        known = self._operations.get(op_id) if op_id is not None else None
        if known is None or self._live is None or len(self.steps) > MAX_OPERATIONS:
            return False
        return known.at >= self._live.updated_at - self._settings.op_ttl

    def compose(
        self,
        commit_id: str,
        now: float,
        *,
        fence: Fence,
        lease_ttl: float,
        most: int,
        most_bytes: int,
    ) -> Batch:
        """Make the batch that stores the oldest steps, at most so many, and note its flight."""
        steps = self._choose(most, most_bytes)
        last = steps[-1].delta
        snapshot = None if last is None else self._compose_snapshot(steps)
        trim_to = 0
        if snapshot is not None:
            assert steps[0].delta is not None
            trim_to = max(0, snapshot.version - self._settings.delta_threshold)
            if self._skips:
                trim_to = max(trim_to, steps[0].delta.from_version)
        batch = Batch(
            context_id=self.context_id,
            expect=self.stored,
            position=steps[-1].position,
            updated_at=last.updated_at if last else now,
            entries=tuple(self._make_entry(step, commit_id) for step in steps if step.delta),
            snapshot=snapshot,
            trim_to=trim_to,
            forget_operations=last is None or (steps[0].delta or last).from_version == 0,
            forget_before=now - self._settings.op_ttl,
            fence=fence,
            lease_ttl=lease_ttl,
        )
        self._flight = len(steps)
        return batch

    @property
    def _skips(self) -> bool:
        """Whether there are versions between what is stored and what is still to be stored."""
        first = self.steps[0].delta
        if first is None or self.alone is not None or self.stored is None:
            return False
        return first.from_version > self.stored.version

    def _make_entry(self, step: Step, commit_id: str) -> Entry:
        delta, op_id = step.delta, step.op_id
        assert delta is not None
        if op_id in self._forgotten and self._skips:
            op_id = None  # the store has it from before, and what would make it forget is skipped
        return Entry(
            version=delta.version,
            commit_id=commit_id,
            updated_at=delta.updated_at,
            changes=step.changes,
            op_id=op_id,
        )

    def _choose(self, most: int, most_bytes: int) -> list[Step]:
        chosen: list[Step] = []
        used: set[str] = set()
        size = 0
        for step in self.steps:
            size += len(step.changes)
            if chosen and (len(chosen) == most or size > most_bytes):
                break
            if step.op_id is not None:
                forgotten = chosen and not self._skips and step.op_id in self._forgotten
                if forgotten or step.op_id in used:
                    break  # used again: the store is to forget it first, by what is before
                used.add(step.op_id)
            chosen.append(step)
        return chosen

    def _compose_snapshot(self, steps: list[Step]) -> Snapshot | None:
        """The snapshot of the newest state, if one is due; it can be told of no other."""
        first, live = steps[0].delta, self._live
        assert first is not None
        assert self._state is not None
        assert self._position is not None
        if len(steps) < len(self.steps):
            return None
        if self.alone is not None:
            return self._first
        if live is not None:
            assert self.stored is not None
            added = 0 if self._shows_at_once else _weigh(steps)
            behind = self._position.version - live.snapshot_version
            due = self._journal.outweighs(live.log_bytes + added, live.snapshot_bytes, behind)
            if not due and not self._skips:
                return None
        return self._journal.take_snapshot(self._state, self._position.version)

    def confirm(self, batch: Batch) -> list[Step]:
        """Take note that a batch is stored; return its steps, which are acknowledged now."""
        done = [self.steps.popleft() for _ in range(self._flight)]
        self._flight = 0
        self.stored = batch.position
        self.unstored_bytes -= _weigh(done)
        if not self.steps:
            self._forgotten.clear()
        if self.alone is not None:
            self._confirm_alone(self.alone, batch)
        elif not self._shows_at_once:
            for step in done:
                self._show(step)
                if step.op_id is not None:
                    self._unknown.pop(step.op_id, None)
        if batch.snapshot is not None and self._live is not None:
            self._live.snapshot_version = batch.snapshot.version
            self._live.snapshot_bytes = len(batch.snapshot.state)
            self._live.log_bytes = _weigh(self.steps) if self._shows_at_once else 0
            self._bound = self._live.snapshot_bytes + _weigh(self.steps)
        return done

    def _confirm_alone(self, step: Step, batch: Batch) -> None:
        delta, position = step.delta, step.position
        self.alone, self._first, self._before = None, None, (None, None)
        self._unknown.clear()
        self.damage = None
        if batch.forget_operations:
            self._operations.clear()
        if delta is None or position is None:
            self._live = None
            return
        assert self._state is not None
        self._live = Live(
            context_id=self.context_id,
            state=self._state,
            position=position,
            updated_at=delta.updated_at,
            history=History(delta.version),
            snapshot_version=delta.version,
            snapshot_bytes=0,
        )
        self._owner = object()
        self._shared = True
        if step.op_id is not None:
            self._remember(step.op_id, position, delta.updated_at)

    def ground(self) -> None:
        """Take note that a batch is not under way any more, and is not stored."""
        self._flight = 0

    def refuse(self) -> list[Step]:
        """Undo what is applied and not acknowledged; return its steps, whose asks are to be told.

        What was acknowledged, though it is not stored, stays.
        """
        self._flight = 0
        if self.alone is not None:
            undone = [self.alone]
            self._state, self._position = self._before
            self.alone, self._first, self._before = None, None, (None, None)
        elif self._shows_at_once:
            return []
        else:
            undone = list(self.steps)
            live = self.look()  # its state is that without the steps
            self._state, self._position = (live.state, live.position) if live else (None, None)
        self._owner = object()
        self.steps.clear()
        self._unknown.clear()
        self.unstored_bytes = 0
        self._bound = self._live.state_bytes if self._live else 0
        return undone

    def check(self) -> None:
        """Assert every invariant."""
        live = self._live
        versions = [step.delta.version for step in self.steps if step.delta]
        assert self._flight <= len(self.steps)
        assert self.unstored_bytes == _weigh(self.steps)
        assert (self._state is None) == (self._position is None)
        if self.alone is not None:
            assert list(self.steps) == [self.alone]
            return
        if live is not None:
            live.check()
            assert self._position is not None
            assert live.position.epoch == self._position.epoch
            assert versions == list(
                range(self._position.version - len(versions) + 1, self._position.version + 1)
            )
            behind = 0 if self._shows_at_once else len(self.steps)
            assert live.position.version == self._position.version - behind
        else:
            assert self._state is None
            assert not self.steps

    def __repr__(self) -> str:
        return f"<Behavior {self.context_id!r} {self._position} unstored={len(self.steps)}>"


def _weigh(steps: deque[Step] | list[Step]) -> int:
    return sum(len(step.changes) for step in steps)
