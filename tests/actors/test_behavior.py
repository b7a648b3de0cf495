"""Test what a context does under an actor, without a loop: against a list of states by version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from itertools import count
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.behavior import Behavior
from actors.steps import Step
from chord.backends.base import check_batch
from chord.config import Settings
from chord.delta import apply, equal, update
from chord.errors import ChordError, ContextNotFound, InvalidState
from chord.position import Position
from chord.records import Batch, Fence, Operation
from chord.requests import Delete, Request, Restore, Set, Transform, Update
from chord.state import StateDict, take_in, take_in_changes
from chord.testing.strategies import patches, states
from chord.transition import Unchanged
from tests.laws import CODEC, fresh, pack
from tests.paper import Paper, make_journal, put

FEW: dict[str, Any] = {"delta_threshold": 3, "snapshot_every": 2, "op_ttl": 5.0}

Foresee: TypeAlias = Callable[[], StateDict | None]  # the state that a request leads to, or raise
Version: TypeAlias = tuple[Position, StateDict] | None  # its state is shared with nothing


def load(state: Any, *, at_once: bool = False, ended: bool = False, **fields: Any) -> Behavior:
    """A context that was loaded at version 1 of a life; without a state, there is none."""
    paper = Paper(make_journal(**fields))
    if state is not None:
        paper.run(Set(state=take_in(state)))
        assert paper.live is not None
        paper.live.ended = ended
    limits = Settings(**fields)
    return Behavior("room:1", paper.live, {}, paper.journal, limits, shows_at_once=at_once)


def take(behavior: Behavior, request: Request) -> Any:
    return behavior.take(request, 1000.0, lambda: "fresh")


def written(state: StateDict | None, write: Mapping[str, Any]) -> StateDict:
    if state is None:
        raise ContextNotFound("room:1")
    return fresh(update(fresh(state), write)[0])


def place(version: Version) -> Position | None:
    return version[0] if version else None


class Life(RuleBasedStateMachine):
    """Whatever may be done with a context, in any order in which an actor may do it."""

    @initialize(
        state=st.none() | states(2),
        ended=st.booleans(),
        at_once=st.booleans(),
        threshold=st.sampled_from([1, 3]),
        op_ttl=st.sampled_from([2.0, 5.0]),
        patience=st.sampled_from([1, 1, 4]),
    )
    def begin(
        self,
        state: dict[str, Any] | None,
        ended: bool,
        at_once: bool,
        threshold: int,
        op_ttl: float,
        patience: int,
    ) -> None:
        few = {**FEW, "delta_threshold": threshold, "op_ttl": op_ttl}
        self.behavior = load(state, at_once=at_once, ended=ended, **few)
        self.op_ttl, self.patience = op_ttl, patience  # a commit is late: what can be shed is
        self.at_once, self.now, self.epochs = at_once, 1000.0, count()
        self.ended = ended and state is not None
        first = None if state is None else (Position("k", 1), fresh(take_in(state)))
        self.applied = self.shown = self.stored = first
        self.behind: list[tuple[Step, Version]] = []  # what is applied and not stored
        self.states = dict([first] if first else [])
        self.given: list[tuple[Callable[[], bytes], bytes]] = []  # its bytes now, and then
        self.kept: dict[str, float] = {}  # the op ids that the store has
        self.batch: Batch | None = None

    @precondition(lambda self: self.behavior.alone is None)
    @rule(
        data=st.data(),
        kind=st.sampled_from([Update, Update, Update, Update, Transform, Set, Delete, Restore]),
        op_id=st.sampled_from([None, None, "a", "b"]),
        seconds=st.sampled_from([0.0, 1.0, 4.0]),
    )
    def take(self, data: st.DataObject, kind: Any, op_id: str | None, seconds: float) -> None:
        self.now += seconds
        request, foresee = self.draw(data, kind, op_id)
        alone = self.applied is None or self.ended or kind in (Delete, Restore)
        assert self.behavior.stands_alone(request) is alone
        known = self.behavior.recall_operation(op_id or "", self.now - self.op_ttl)
        if known or (alone and self.behind):
            return  # it would be answered from memory, or have to wait
        epoch = f"e{next(self.epochs)}"
        try:
            state = foresee()
        except ChordError as error:
            with pytest.raises(type(error)):
                self.behavior.take(request, self.now, lambda: epoch)
            return
        taken = self.behavior.take(request, self.now, lambda: epoch)
        before = self.applied
        same = before and state is not None and kind is not Restore and equal(before[1], state)
        if same or (before is None and state is None):
            assert taken == Unchanged(place(before))
            return
        assert isinstance(taken, Step)
        old = place(before) if kind is not Restore else None
        version = old.version + 1 if old else 1
        life = old.epoch if old and not self.ended else epoch
        self.applied = None if state is None else (Position(life, version), state)
        self.behind.append((taken, self.applied))
        if taken.delta is not None and taken.changes:
            self.given.append((partial(pack, taken.delta.changes), taken.changes))
        if self.at_once and not alone:
            self.show(self.applied)

    def draw(self, data: st.DataObject, kind: Any, op_id: str | None) -> tuple[Request, Foresee]:
        if kind is Delete:
            return Delete(), lambda: None
        if kind in (Set, Restore):
            state = data.draw(states(2))
            return kind(state=take_in(state)), lambda: fresh(state)
        base = self.applied[1] if self.applied else None
        write = data.draw(patches(base) | patches())
        if kind is Update:
            create = data.draw(st.none() | states(1).map(take_in))
            base = create if base is None else base
            return put(write, op_id=op_id, create=create), lambda: written(base, write)
        fn = partial(self.keep, then=write)  # it keeps what it is shown
        return Transform(fn=fn, take_in=take_in_changes, op_id=op_id), lambda: written(base, write)

    def show(self, version: Version) -> None:
        self.shown = version
        if version is not None:
            self.states[version[0]] = version[1]

    @precondition(lambda self: self.behind and self.batch is None and self.is_time())
    @rule(most=st.integers(1, 5), size=st.sampled_from([1, 40, 10**6]))
    def compose(self, most: int, size: int) -> None:
        batch = self.batch = self.behavior.compose(
            "c", self.now, fence=Fence("us", 1), lease_ttl=9.0, most=most, most_bytes=size
        )
        steps = self.behind[: self.behavior.in_flight]
        check_batch(batch)  # without a hole, or with all that it takes to skip
        assert batch.expect == place(self.stored)
        assert 1 <= len(steps) <= most or len(steps) == len(self.behind)  # it skips: it takes all
        head = steps[-1][1]
        assert batch.position == place(head)
        known = {op_id for op_id, at in self.kept.items() if at >= batch.forget_before}
        assert known.isdisjoint(entry.op_id for entry in batch.entries)
        if head is None:
            return
        if batch.snapshot is not None:
            assert batch.snapshot.version == head[0].version
            assert equal(CODEC.decode_state(batch.snapshot.state), head[1])
        if self.stored and self.stored[0] == Position(head[0].epoch, batch.entries[0].version - 1):
            changes = [CODEC.decode_changes(entry.changes) for entry in batch.entries]
            assert equal(reduce(apply, changes, self.stored[1]), head[1])
        else:
            assert batch.snapshot is not None

    def is_time(self) -> bool:
        return len(self.behind) >= self.patience or self.behavior.alone is not None

    @precondition(lambda self: self.batch is not None)
    @rule(confirmed=st.booleans())
    def end_commit(self, confirmed: bool) -> None:
        batch, self.batch = self.batch, None
        assert batch is not None
        if not confirmed:
            return self.behavior.ground()
        alone = self.behavior.alone
        done = self.behavior.confirm(batch)
        steps, self.behind = self.behind[: len(done)], self.behind[len(done) :]
        assert done == [step for step, _ in steps]
        self.stored = steps[-1][1]
        if batch.forget_operations:
            self.kept.clear()
        self.kept.update((e.op_id, e.updated_at) for e in batch.entries if e.op_id)
        self.ended = self.ended and alone is None
        for _, version in steps if alone or not self.at_once else ():
            self.show(version)

    @rule()
    def refuse(self) -> None:
        self.batch = None
        undone = [] if self.at_once and not self.behavior.alone else [s for s, _ in self.behind]
        assert self.behavior.refuse() == undone
        if undone:
            self.behind, self.applied = [], self.shown

    @precondition(lambda self: self.at_once)
    @rule()
    def shed(self) -> None:
        self.behavior.shed()
        self.behind = self.behind[len(self.behind) - self.behavior.unstored :]

    def keep(self, state: Any, then: Any = None) -> Any:
        self.given.append((partial(CODEC.encode_state, state), CODEC.encode_state(state)))
        return then

    @rule()
    def look(self) -> None:
        live = self.behavior.look()
        assert (live and live.position) == place(self.shown)
        if live and self.shown:
            self.keep(live.state)
            assert equal(live.state, self.shown[1])
            for delta in live.history.deltas():  # no hole: each leads on from the one before
                before = self.states[Position(delta.epoch, delta.from_version)]
                assert equal(apply(before, delta.changes), self.states[delta.position])

    @invariant()
    def it_is_where_the_model_is(self) -> None:
        self.behavior.check()
        assert self.behavior.position == place(self.applied)
        assert self.behavior.shown == place(self.shown)
        assert [step for step, _ in self.behind] == list(self.behavior.steps)

    def teardown(self) -> None:
        for encode, then in self.given:
            assert encode() == then


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=40)


def test_an_operation_is_remembered_for_its_time() -> None:
    behavior = load({}, at_once=True, op_ttl=5.0)
    step = take(behavior, put({"n": 1}, op_id="a"))
    assert behavior.recall_operation("a", 1000.0) == Operation(step.position, 1000.0)
    assert behavior.recall_operation("a", 1000.1) is None


def test_an_operation_that_is_not_acknowledged_is_known_by_its_step_until_it_is_refused() -> None:
    behavior = load({})
    step = take(behavior, put({"n": 1}, op_id="a"))
    assert behavior.recall_operation("a", 2000.0) is step
    behavior.refuse()
    assert behavior.recall_operation("a", 0.0) is None


def test_a_step_that_makes_the_state_too_large_is_refused_alone() -> None:
    behavior = load({"n": 1}, at_once=True, max_state_bytes=200)
    take(behavior, put({"n": 2}))
    with pytest.raises(InvalidState):
        take(behavior, put({"n": 3, "text": "x" * 200}))
    take(behavior, put({"m": 0}))
    behavior.check()
    live = behavior.look()
    assert live is not None
    assert (live.state, live.position.version) == ({"n": 2, "m": 0}, 3)
