"""Hold `OwnersJudge`: the judge where runtimes own contexts, and may show more than is stored."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from actors.stateful import StatefulChord
from chord import (
    BackendUnavailable,
    Commit,
    ContextNotFound,
    Fenced,
    NotApplied,
    OutcomeUnknown,
    OwnedElsewhere,
    Position,
)
from chord.config import Durability
from chord.delta import equal
from tests.runtime.judge import IDS, Call, Judge, Predict
from tests.runtime.model import Truth
from tests.waiting import outcome_of


class OwnersJudge(Judge):
    """The truth of a context is what its owner has in memory, and where nobody has: the store's.

    What is stored is the truth too, or, where that is not asked of an acknowledgement, an earlier
    version of the same life.
    """

    durability: ClassVar[Durability] = "write-through"

    def __init__(self) -> None:
        super().__init__()
        self.shaken_until = 0.0
        self.died_at: dict[str, float] = {}

    # -- what is known ---------------------------------------------------------------------------

    def stored(self, context_id: str) -> Truth:
        truth: Truth = self.world.run(self.world.audit(context_id))
        return truth

    def memory(self, context_id: str, beside: bool) -> Truth | None:
        """What a runtime has in memory, if nobody has taken the context over since."""
        memory: Truth | None = self.world.recall(beside, context_id)
        stored = self.stored(context_id)
        if memory is None or memory.position is None or stored.position is None:
            return None
        same = memory.position.epoch == stored.position.epoch
        return memory if same and memory.version >= stored.version else None

    def find_truth(self, context_id: str) -> Truth:
        memories = [self.memory(context_id, beside) for beside in (False, True)]
        return next((memory for memory in memories if memory), self.stored(context_id))

    def owns(self, context_id: str, beside: bool) -> bool:
        """Whether a runtime is sure to own a context that it has in memory."""
        leased: bool = self.world.is_leased(beside, context_id)
        return leased and self.memory(context_id, beside) is not None

    @property
    def is_shaky(self) -> bool:
        """Whether a lease may be held by somebody who was not told so."""
        return self.armed or self.world.clock.monotonic() < self.shaken_until

    def heal(self) -> None:
        if self.armed:
            self.shaken_until = self.world.clock.monotonic() + self.world.settings.lease_ttl
        super().heal()

    def settle(self) -> None:
        self.world.run(self.world.settle())

    def visible(self, context_id: str, beside: bool) -> Truth:
        return self.memory(context_id, beside) or self.stored(context_id)

    # -- writes ----------------------------------------------------------------------------------

    def write(self, context_id: str, beside: bool, call: Call, predict: Predict) -> object:
        self.let_arrive()
        began = self.world.clock.time()
        stored, unclean = self.world.run(self.world.load(context_id))
        held = self.memory(context_id, beside)
        outcome = self.world.run_in_time(outcome_of(call(self.runtime(beside))))
        after = self.memory(context_id, beside) or self.stored(context_id)
        stateless = not isinstance(self.runtime(beside), StatefulChord)  # it may know of old marks
        befores = [held] if held else self.find_befores(stored, unclean or stateless, after)
        if stateless:
            predict = _predict_from(predict, stored)  # the epoch ends in the act of the write
        self.judge_any(context_id, outcome, predict, befores, after, began)
        if isinstance(outcome, OutcomeUnknown):
            self.late[context_id] = predict
        elif isinstance(outcome, Commit):
            self.judge_owner(context_id, beside, outcome, None if held else stored, unclean)
            self.keep(context_id, outcome)
        self.adopt(context_id, self.find_truth(context_id))
        return outcome

    def find_befores(self, stored: Truth, unclean: bool, after: Truth) -> list[Truth]:
        """From what a write may have gone on: what was not ended cleanly has a new epoch then."""
        if stored.position is None or self.durability == "write-through":
            return [stored]
        epoch = after.position.epoch if after.position else "another"
        reloaded = attrs.evolve(stored, position=Position(epoch, stored.version))
        return [stored, reloaded] if unclean or self.is_shaky else [stored]

    def judge_any(
        self,
        context_id: str,
        outcome: object,
        predict: Predict,
        befores: list[Truth],
        after: Truth,
        began: float,
    ) -> None:
        """One of these, at least, explains it."""
        for before in befores[:-1]:
            try:
                return self.judge(context_id, outcome, predict, before, after, began)
            except AssertionError:
                continue
        self.judge(context_id, outcome, predict, befores[-1], after, began)

    def judge_owner(
        self, context_id: str, beside: bool, commit: Commit, base: Truth | None, unclean: bool
    ) -> None:
        """Whoever goes on from what is stored owns it alone, and continues no unclean epoch."""
        stored = self.stored(context_id)
        if commit.durable and stored.position:
            assert stored.position.epoch == commit.position.epoch
            assert stored.version >= commit.position.version
        if self.durability == "write-through":
            assert commit.durable
        if commit.changed:
            assert not self.owns(context_id, not beside), "two owners"
        goes_on = commit.changed or isinstance(self.runtime(beside), StatefulChord)
        if base is not None and base.position and unclean and goes_on:
            assert commit.position.epoch != base.position.epoch

    def is_excused(self, error: Exception) -> bool:
        if isinstance(error, OwnedElsewhere):
            return self.is_owner(error.owner)
        return self.is_shaky and type(error) in (BackendUnavailable, NotApplied, Fenced)

    def is_owner(self, owner: str) -> bool:
        """Whether a runtime may own something: it lives, or its leases have not lapsed yet."""
        died_at = self.died_at.get(owner)
        if died_at is None or self.is_shaky:
            return True
        return bool(self.world.clock.monotonic() < died_at + self.world.settings.lease_ttl)

    # -- between the steps -----------------------------------------------------------------------

    def let_arrive(self) -> None:
        self.world.run(self.world.deliver())
        self.settle()
        for context_id in IDS:
            self.reconcile(context_id)
        self.late.clear()

    def reconcile(self, context_id: str) -> None:
        """See that nothing has become of a context, but for what came late."""
        before, after = self.truth[context_id], self.find_truth(context_id)
        if after != before:
            assert self.has_come_late(context_id, before, after), f"{before} became {after}"
            self.adopt(context_id, after)

    def has_come_late(self, context_id: str, before: Truth, after: Truth) -> bool:
        """Whether a write did, or the taking of a lease that ended an epoch."""
        if context_id in self.late:
            try:
                made = self.late[context_id](before)
            except Exception:
                made = None
            if made is not None and made.is_met_by(before, after):
                return True
        if self.durability == "write-through" or not before.position or not after.position:
            return False
        new = (context_id, after.position) not in self.seen
        return self.is_shaky and new and self.is_prefix(context_id, before, after)

    def is_prefix(self, context_id: str, truth: Truth, part: Truth) -> bool:
        """Whether this is a version of that life, by whatever name the life goes now."""
        if truth.position is None or part.position is None:
            return truth == part
        known = self.seen.get((context_id, Position(truth.position.epoch, part.version)))
        return part.version <= truth.version and (known is None or equal(known, part.state))

    def check_stored(self, context_id: str) -> None:
        truth, stored = self.truth[context_id], self.stored(context_id)
        if stored.position is not None:  # another runtime reads this one
            self.seen.setdefault((context_id, stored.position), stored.state)
        if self.durability == "write-through" or truth.position is None or stored == truth:
            assert stored == truth
            return
        assert stored.position is not None
        assert stored.position.epoch == truth.position.epoch
        assert self.is_prefix(context_id, truth, stored)

    # -- reads -----------------------------------------------------------------------------------

    def read(self, context_id: str, beside: bool, call: Call) -> Any:
        self.let_arrive()
        outcome = self.world.run_in_time(outcome_of(call(self.runtime(beside))))
        if isinstance(outcome, ContextNotFound):
            assert self.visible(context_id, beside).position is None
        elif isinstance(outcome, Exception):
            assert self.armed
            assert isinstance(outcome, BackendUnavailable)
        else:
            return outcome
        return None


def _predict_from(predict: Predict, stored: Truth) -> Predict:
    return lambda before: predict(stored)
