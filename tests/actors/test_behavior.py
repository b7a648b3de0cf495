"""Test what a context does under an actor, without a loop: against a list of states by version."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, pairwise
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.behavior import Behavior
from actors.steps import Step
from chord.backends.base import check_batch
from chord.config import Settings
from chord.delta import apply, equal, update
from chord.errors import ChordError, ContextNotFound, CorruptData, InvalidState
from chord.history import History
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Batch, Fence
from chord.requests import Delete, Request, Restore, Set, Transform, Update, op_id_of
from chord.state import StateDict, take_in, take_in_changes
from chord.testing.strategies import patches, states
from chord.transition import Unchanged
from tests.laws import CODEC, fresh, pack
from tests.paper import put

FENCE = Fence("us", 1)
FEW: dict[str, Any] = {"delta_threshold": 3, "snapshot_every": 2, "op_ttl": 5.0}

Version: TypeAlias = tuple[Position, StateDict]
"""A version as the model knows it; its state shares nothing with anything."""


def live_of(state: Mapping[str, Any], **fields: Any) -> Live:
    """A context that was loaded at version 5, without history."""
    values: dict[str, Any] = {
        "context_id": "room:1",
        "state": take_in(state),
        "position": Position("k", 5),
        "updated_at": 1000.0,
        "history": History(5),
        "snapshot_version": 5,
        "snapshot_bytes": len(CODEC.encode_state(take_in(state))),
    }
    return Live(**{**values, **fields})


def load(live: Live | None, at_once: bool = False, **fields: Any) -> Behavior:
    limits = Settings(**fields)
    return Behavior("room:1", live, {}, Journal(limits), limits, shows_at_once=at_once)


def compose(behavior: Behavior, most: int = 1000, now: float = 1000.0, size: int = 1 << 20) -> Batch:
    return behavior.compose("c", now, fence=FENCE, lease_ttl=10.0, most=most, most_bytes=size)


@attrs.define
class Model:
    """All versions of a context by position, and which of them are applied, shown and stored."""

    applied: Version | None = None
    shown: Version | None = None
    stored: Version | None = None
    behind: list[Version | None] = attrs.Factory(list)
    """What is applied and not stored; None is the end of a life."""
    ended: bool = False
    states: dict[Position, StateDict] = attrs.Factory(dict)

    def foresee(self, request: Request, write: Mapping[str, Any]) -> StateDict | None:
        """The state that a request leads to; it raises what the request is to raise."""
        state = self.applied[1] if self.applied else None
        if isinstance(request, Delete):
            return None
        if isinstance(request, (Set, Restore)):
            return fresh(take_in(write))
        if state is None and isinstance(request, Update):
            state = request.create
        if state is None:
            raise ContextNotFound("room:1")
        return fresh(update(fresh(state), write)[0])

    def name(self, epoch: str, request: Request) -> Position:
        """The position of the next version; `epoch` is the fresh one."""
        if self.applied is None or isinstance(request, Restore):
            return Position(epoch, 1)
        before = self.applied[0]
        return Position(epoch if self.ended else before.epoch, before.version + 1)


class Life(RuleBasedStateMachine):
    """Whatever may be done with a context, in any order that an actor may do it in."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.epochs = count()
        self.batch: Batch | None = None
        self.given: list[tuple[Any, StateDict]] = []  # what was given out, and what it was then
        self.steps: list[Step] = []
        self.acknowledged: dict[str, float] = {}
        self.kept: dict[str, float] = {}  # the op ids that the store has

    @initialize(state=st.none() | states(2), ended=st.booleans(), at_once=st.booleans())
    def begin(self, state: dict[str, Any] | None, ended: bool, at_once: bool) -> None:
        live = None if state is None else live_of(state, ended=ended)
        self.at_once = at_once
        self.behavior = load(live, at_once, **FEW)
        self.model = Model(ended=ended and live is not None)
        if live is not None:
            version = (live.position, fresh(live.state))
            self.model.applied = self.model.shown = self.model.stored = version
            self.model.states[live.position] = version[1]

    # -- requests ----------------------------------------------------------------------------------

    @precondition(lambda self: self.behavior.alone is None)
    @rule(
        data=st.data(),
        kind=st.sampled_from([Update, Update, Update, Transform, Set, Delete, Restore]),
        op_id=st.sampled_from([None, None, "a", "b"]),
        seconds=st.sampled_from([0.0, 1.0, 4.0]),
    )
    def take(self, data: st.DataObject, kind: type, op_id: str | None, seconds: float) -> None:
        self.now += seconds
        write, request = self.draw(data, kind, op_id)
        alone = self.model.applied is None or self.model.ended or kind in (Delete, Restore)
        assert self.behavior.stands_alone(request) is alone
        if (alone and self.model.behind) or self.is_known(op_id_of(request)):
            return
        epoch = f"e{next(self.epochs)}"
        try:
            state = self.model.foresee(request, write)
        except ChordError as error:
            with pytest.raises(type(error)):
                self.behavior.take(request, self.now, lambda: epoch)
            return
        taken = self.behavior.take(request, self.now, lambda: epoch)
        before = self.model.applied
        if before is None and state is None:
            assert taken == Unchanged(None)
        elif before and state is not None and kind is not Restore and equal(before[1], state):
            assert taken == Unchanged(before[0])
        else:
            assert isinstance(taken, Step)
            self.apply(taken, None if state is None else (self.model.name(epoch, request), state))

    def draw(
        self, data: st.DataObject, kind: type, op_id: str | None
    ) -> tuple[Mapping[str, Any], Request]:
        state = self.model.applied[1] if self.model.applied else None
        if kind in (Set, Restore):
            write = data.draw(states(2))
            fields = {"op_id": op_id} if kind is Set else {}
            return write, kind(state=take_in(write), **fields)
        if kind is Delete:
            return {}, Delete()
        write = data.draw(patches(state) | patches())
        if kind is Update:
            create = data.draw(st.none() | states(1))
            return write, put(write, op_id=op_id, create=None if create is None else take_in(create))
        return write, Transform(fn=self.keep_and(write), take_in=take_in_changes, op_id=op_id)
