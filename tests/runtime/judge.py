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
)
from chord.delta import apply, equal
from chord.facade import Facade
from tests.runtime.machine import Watching, World
from tests.runtime.model import Made, Refused, Truth
from tests.waiting import outcome_of

IDS = ("a", "b")

Predict: TypeAlias = Callable[[Truth], Made | None]
Call: TypeAlias = Callable[[Facade], Awaitable[object]]


class Judge(RuleBasedStateMachine):
    """What is known of each context, and whether an outcome is right by that."""

    def __init__(self) -> None:
        super().__init__()
        self.truth: dict[str, Truth] = dict.fromkeys(IDS, Truth())
        self.seen: dict[tuple[str, Position], Any] = {}
        self.late: dict[str, Predict] = {}
        self.armed = False
        self.replicas = [(context_id, Replica()) for context_id in IDS for _ in range(2)]
        self.commits: list[tuple[str, Commit]] = []
        self.operations: list[tuple[str, str, float, Commit]] = []
        self.count = 0
        self.world: World | Any = None

    def make_folder(self) -> Path | None:
        return None

    def enter(self, world: World) -> None:
        self.world = world
        self.latest = world.clock.time()

    def teardown(self) -> None:
        if self.world is not None:
            self.world.end()

    def runtime(self, beside: bool) -> Facade:
        chord: Facade = self.world.runtimes[beside]
        return chord

    # -- writes ----------------------------------------------------------------------------------

    def write(self, context_id: str, beside: bool, call: Call, predict: Predict) -> object:
        self.let_arrive()
        began, before = self.world.clock.time(), self.truth[context_id]
        outcome = self.world.run(outcome_of(call(self.runtime(beside))))
        after = self.world.run(self.world.audit(context_id))
        self.judge(context_id, outcome, predict, before, after, began)
        if isinstance(outcome, OutcomeUnknown):
            self.late[context_id] = predict
        elif isinstance(outcome, Commit):
            assert outcome.durable
            self.keep(context_id, outcome)
        self.adopt(context_id, after)
        return outcome

    def keep(self, context_id: str, commit: Commit) -> None:
        """Keep the last commits, to look back at."""
        self.commits = [*self.commits[-9:], (context_id, commit)]

    def judge(
        self,
        context_id: str,
        outcome: object,
        predict: Predict,
        before: Truth,
        after: Truth,
        began: float,
    ) -> None:
        made = try_(predict, before)
        if isinstance(outcome, Exception):
            self.judge_error(outcome, made, before, after)
        elif isinstance(outcome, Commit):
            self.judge_commit(outcome, made, before, after, began)
        else:  # that the context is gone is all that is known after a lost answer
            assert outcome is (made is not None) or self.armed
            assert after.position is None

    def judge_error(
        self, error: Exception, made: Made | str | None, before: Truth, after: Truth
    ) -> None:
        if isinstance(error, OutcomeUnknown):
            assert self.armed
            applied = isinstance(made, Made) and made.is_met_by(before, after)
            assert applied or after == before
            return
        assert after == before, f"{error!r}, yet {before} became {after}"
        if not self.is_excused(error):
            assert made == type(error).__name__, repr(error)

    def is_excused(self, error: Exception) -> bool:
        """Whether an error is the line's, so that it says nothing of what was asked."""
        return self.armed and isinstance(error, BackendUnavailable)

    def judge_commit(
        self,
        commit: Commit,
        made: Made | str | None,
        before: Truth,
        after: Truth,
        began: float,
    ) -> None:
        assert commit.position == after.position
        if made is None:
            assert after == before
            assert not commit.changed
            assert commit.delta is None
            return
        assert isinstance(made, Made), f"acknowledged, though {made}"
        assert made.is_met_by(before, after), f"{made} of {before} came out as {after}"
        assert commit.changed
        assert commit.delta is not None
        assert began <= after.updated_at <= self.world.clock.time()
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
        self.world.run(self.world.deliver())
        for context_id, predict in self.late.items():
            before = self.truth[context_id]
            after = self.world.run(self.world.audit(context_id))
            made = try_(predict, before)
            applied = isinstance(made, Made) and made.is_met_by(before, after)
            assert applied or after == before
            self.adopt(context_id, after)
        self.late.clear()

    def draw_expected(self, data: st.DataObject, context_id: str) -> Position | int | None:
        position, version = self.truth[context_id].position, self.truth[context_id].version
        some: list[Position | int | None] = [None, None, None, None, position, version]
        return data.draw(st.sampled_from([*some, version + 1, 0, Position("x", version)]))

    # -- reads -----------------------------------------------------------------------------------

    def read(self, context_id: str, beside: bool, call: Call) -> Any:
        """What is answered, or None where the line failed or there is no context."""
        self.let_arrive()
        outcome = self.world.run(outcome_of(call(self.runtime(beside))))
        if isinstance(outcome, ContextNotFound):
            assert self.visible(context_id, beside).position is None
        elif isinstance(outcome, Exception):
            assert self.armed
            assert isinstance(outcome, BackendUnavailable)
        else:
            return outcome
        return None

    def visible(self, context_id: str, beside: bool) -> Truth:
        """What is read of a context through a runtime."""
        return self.truth[context_id]

    def judge_reply(self, context_id: str, now: Truth, since: Position | None, reply: Any) -> None:
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
        now = self.visible(each.context_id, each.beside)
        if each.is_over or each.replica.position != now.position:
            return each.is_over
        assert equal(each.replica.state, now.state)
        return now.position is not None

    def heal(self) -> None:
        self.world.faulty.heal()
        self.armed = False


def try_(predict: Predict, before: Truth) -> Made | str | None:
    """What the model makes of it, or the name of the error that it would be refused with."""
    try:
        return predict(before)
    except Refused as refused:
        return refused.why
