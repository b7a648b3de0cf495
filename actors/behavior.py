"""Hold `Behavior`: what a context does under an actor, without its task. Sync and pure.

To how requests make versions it adds how those are stored: what a batch is made of, and what is
shown, or undone, once it is known what became of it.
"""

from __future__ import annotations

from collections import deque

from actors.steps import Step
from actors.versions import MAX_OPERATIONS, Versions
from chord.history import History
from chord.live import Live
from chord.records import Batch, Entry, Fence, Snapshot


class Behavior(Versions):
    """One context, loaded: all that can be done with it that takes no time."""

    __slots__ = ()

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
            entries=self._make_entries(steps, commit_id),
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

    def _make_entries(self, steps: list[Step], commit_id: str) -> tuple[Entry, ...]:
        if self._skips:
            told = self._find_operations(steps)
            return tuple(
                _make_entry(step, commit_id, told.get(step.op_id) is step) for step in steps
            )
        return tuple(_make_entry(step, commit_id, True) for step in steps if step.delta)

    def _find_operations(self, steps: list[Step]) -> dict[str | None, Step]:
        """The steps whose operations a batch that skips can tell: the last of each.

        Not those that the store has from before: what would make it forget them is skipped.
        """
        return {step.op_id: step for step in steps if step.op_id not in self._forgotten}

    def _choose(self, most: int, most_bytes: int) -> list[Step]:
        if self._skips:
            return list(self.steps)  # the snapshot that it takes is of the newest
        chosen: list[Step] = []
        used: set[str] = set()
        size = 0
        for step in self.steps:
            size += len(step.changes)
            if chosen and (len(chosen) == most or size > most_bytes):
                break
            if step.op_id is not None:
                if step.op_id in used or (chosen and step.op_id in self._forgotten):
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
        assert self._flight == max(1, len(batch.entries))
        done = [self.steps.popleft() for _ in range(self._flight)]
        self._flight = 0
        self.stored = batch.position
        self.unstored_bytes -= _weigh(done)
        if not self.steps:
            self._forgotten.clear()
        if self.alone is not None:
            self._confirm_alone(self.alone, batch)
        elif not self._shows_at_once:
            self._show(done)
            for step in done:
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


def _make_entry(step: Step, commit_id: str, tells_operation: bool) -> Entry:
    delta = step.delta
    assert delta is not None
    return Entry(
        version=delta.version,
        commit_id=commit_id,
        updated_at=delta.updated_at,
        changes=step.changes,
        op_id=step.op_id if tells_operation else None,
    )


def _weigh(steps: deque[Step] | list[Step]) -> int:
    return sum(len(step.changes) for step in steps)
