"""Hold `Judge`: it tells whether what came of a call fits what the store had before and has now.

It knows the truth of each context, as the store has it, and what the model makes of each write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from chord import (
    BackendUnavailable,
    Commit,
    ContextNotFound,
    DeltaUpdate,
    FullContext,
    OutcomeUnknown,
    Position,
    Replica,
    StatelessChord,
)
from chord.delta import apply, equal
from tests.runtime.machine import Watching, World
from tests.runtime.model import Made, Refused, Truth
from tests.waiting import outcome_of

IDS = ("a", "b")

Predict: TypeAlias = Callable[[Truth], Made | None]


class Judge(RuleBasedStateMachine):
    """What is known of each context, and whether an outcome is right by that."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.make_folder())
        self.truth: dict[str, Truth] = dict.fromkeys(IDS, Truth())
        self.seen: dict[tuple[str, Position], Any] = {}
        self.late: dict[str, Predict] = {}
        self.armed = False
        self.replicas = [(context_id, Replica()) for context_id in IDS for _ in range(2)]
        self.commits: list[tuple[str, Commit]] = []
        self.operations: list[tuple[str, str, float, Commit]] = []
        self.count = 0
        self.latest = self.world.clock.time()

    def make_folder(self) -> Path | None:
        return None

    def teardown(self) -> None:
        self.world.end()

    def runtime(self, beside: bool) -> StatelessChord:
        return self.world.other if beside else self.world.chord

    # -- writes ----------------------------------------------------------------------------------

    def write(
        self, context_id: str, call: Callable[[], Awaitable[object]], predict: Predict
    ) -> object:
        self.let_arrive()
        before = self.truth[context_id]
        outcome = self.world.run(outcome_of(call()))
        after = self.world.run(self.world.audit(context_id))
        made = _try(predict, before)
        if isinstance(outcome, Exception):
            self.judge_error(context_id, outcome, made, after)
            if isinstance(outcome, OutcomeUnknown):
                self.late[context_id] = predict
        elif isinstance(outcome, Commit):
            self.judge_commit(context_id, outcome, made, after)
        else:  # that the context is gone is all that is known after a lost answer
            assert outcome is (made is not None) or self.armed
            assert after.position is None
        self.adopt(context_id, after)
        return outcome

    def judge_error(
        self, context_id: str, error: Exception, made: Made | str | None, after: Truth
    ) -> None:
        before = self.truth[context_id]
        if isinstance(error, OutcomeUnknown):
            assert self.armed
            applied = isinstance(made, Made) and made.is_met_by(before, after)
            assert applied or after == before
            return
        assert after == before, f"{error!r}, yet {before} became {after}"
        if isinstance(error, BackendUnavailable):
            assert self.armed
        else:
            assert made == type(error).__name__

    def judge_commit(
        self, context_id: str, commit: Commit, made: Made | str | None, after: Truth
    ) -> None:
        before = self.truth[context_id]
        assert commit.durable
        assert commit.position == after.position
        self.commits = [*self.commits[-9:], (context_id, commit)]
        if made is None:
            assert after == before
            assert not commit.changed
            assert commit.delta is None
            return
        assert isinstance(made, Made), f"acknowledged, though {made}"
        assert made.is_met_by(before, after), f"{made} of {before} came out as {after}"
        assert commit.changed
        assert commit.delta is not None
        assert after.updated_at == self.world.clock.time()
        begun = {} if made.begins else before.state
        assert begun is not None
        assert equal(apply(begun, commit.delta.changes), after.state)

    def adopt(self, context_id: str, after: Truth) -> None:
        self.truth[context_id] = after
        if after.position is not None:
            known = self.seen.setdefault((context_id, after.position), after.state)
            assert equal(known, after.state), "one position, two states"

    def let_arrive(self) -> None:
        """Let a write arrive that was held up: it may still be applied, as itself or not at all."""
        self.world.run(self.world.faulty.deliver())
        for context_id, predict in self.late.items():
            before = self.truth[context_id]
            after = self.world.run(self.world.audit(context_id))
            made = _try(predict, before)
            applied = isinstance(made, Made) and made.is_met_by(before, after)
            assert applied or after == before
            self.adopt(context_id, after)
        self.late.clear()

    def draw_expected(self, data: st.DataObject, context_id: str) -> Position | int | None:
        position, version = self.truth[context_id].position, self.truth[context_id].version
        some: list[Position | int | None] = [None, None, None, None, position, version]
        return data.draw(st.sampled_from([*some, version + 1, 0, Position("x", version)]))

    # -- reads -----------------------------------------------------------------------------------

    def read(self, context_id: str, call: Callable[[], Awaitable[object]]) -> Any:
        """What is answered, or None where the line failed or there is no context."""
        self.let_arrive()
        outcome = self.world.run(outcome_of(call()))
        if isinstance(outcome, ContextNotFound):
            assert self.truth[context_id].position is None
        elif isinstance(outcome, Exception):
            assert self.armed
            assert isinstance(outcome, BackendUnavailable)
        else:
            return outcome
        return None

    def judge_reply(self, context_id: str, since: Position | None, reply: Any) -> None:
        now = self.truth[context_id]
        assert reply.position == now.position
        match reply:
            case FullContext(context, _):
                assert equal(context.state, now.state)
            case DeltaUpdate(delta):
                assert since == Position(delta.epoch, delta.from_version)
                old = self.seen.get((context_id, since))
                assert old is None or equal(apply(old, delta.changes), now.state)
            case _:
                assert since == now.position

    def is_up_to_date(self, each: Watching) -> bool:
        now = self.truth[each.context_id]
        if each.is_over or each.replica.position != now.position:
            return each.is_over
        assert equal(each.replica.state, now.state)
        return now.position is not None

    def heal(self) -> None:
        self.world.faulty.heal()
        self.armed = False


def _try(predict: Predict, before: Truth) -> Made | str | None:
    """What the model makes of it, or the name of the error that it would be refused with."""
    try:
        return predict(before)
    except Refused as refused:
        return refused.why
