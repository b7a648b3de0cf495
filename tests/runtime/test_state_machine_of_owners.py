"""Test the stateful runtime against the model of all runtimes, in each durability.

Beside it is another, stateful or stateless, that takes over what it can. Runtimes are killed,
closed and left idle between the calls; contexts leave memory, by time or for want of room.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from actors.stateful import StatefulChord
from chord import (
    Commit,
    Increment,
    NotApplied,
    OutcomeUnknown,
    OwnedElsewhere,
    Position,
    Report,
    VersionGone,
)
from chord.delta import equal
from chord.facade import Facade
from chord.stateless import StatelessChord
from tests.runtime.judge import IDS
from tests.runtime.machine import Make, Watching, World
from tests.runtime.model import Truth
from tests.runtime.owners import OwnersJudge
from tests.runtime.test_state_machine import ChordMachine, ids, small_states
from tests.waiting import outcome_of

LEASE = 10.0
IDLE = 20.0

KINDS = ("plain", "ephemeral", "operation", "invalid")


class OwnersMachine(OwnersJudge, ChordMachine):
    """The rules that hold for every runtime, and what is an owner's."""

    @initialize(
        data=st.data(),
        each=st.lists(small_states(), min_size=2, max_size=2),
        beside=st.sampled_from([StatefulChord, StatelessChord]),
        room=st.sampled_from([10, 1, 2]),
    )
    def begin(self, data: st.DataObject, each: list[Any], beside: Make, room: int) -> None:
        world = World(
            self.make_folder(),
            (StatefulChord, beside),
            durability=self.durability,
            lease_ttl=LEASE,
            hibernate_after=8.0,
            idle_ttl=IDLE,
            max_live_contexts=room,
        )
        self.enter(world)
        for context_id, state in zip(IDS, each, strict=True):
            self.put(data, context_id, state, False)

    # -- several at once -------------------------------------------------------------------------

    @rule(context_id=ids, kinds=st.lists(st.sampled_from(KINDS), min_size=2, max_size=6))
    def update_at_once(self, context_id: str, kinds: list[str]) -> None:
        self.let_arrive()
        stored, unclean = self.world.run(self.world.load(context_id))
        held = self.memory(context_id, False)
        keys = [f"at-once-{self.count + n}" for n in range(len(kinds))]
        self.count += len(keys)
        calls = [
            _call(self.runtime(False), context_id, *each) for each in zip(kinds, keys, strict=True)
        ]
        results = self.world.run_in_time(_gather(calls))
        after = self.memory(context_id, False) or self.stored(context_id)
        before = held or self.find_befores(stored, unclean, after)[-1]
        kept = {key for key in keys if key in (after.state or {})}
        positions: set[Position] = set()
        for kind, key, result in zip(kinds, keys, results, strict=True):
            if isinstance(result, Commit):
                assert key in kept
                assert kind == "ephemeral" or result.position not in positions
                positions.add(result.position)
                self.keep(context_id, result)
            elif not isinstance(result, OutcomeUnknown):
                assert key not in kept
        if not any(isinstance(result, OutcomeUnknown) for result in results):
            assert after.version - before.version == len(positions)
            self.adopt_all(context_id, results)
        self.adopt(context_id, self.find_truth(context_id))

    def adopt_all(self, context_id: str, commits: list[Any]) -> None:
        """Take note of the states between, which were stored, or may have been shown."""
        for commit in commits:
            if not isinstance(commit, Commit):
                continue
            with contextlib.suppress(VersionGone):
                state = commit.context.state
                known = self.seen.setdefault((context_id, commit.position), state)
                assert equal(known, state)

    @precondition(lambda self: self.operations)
    @rule(data=st.data(), beside=st.booleans())
    def operate_again(self, data: st.DataObject, beside: bool) -> None:
        context_id, op_id, at, first = data.draw(st.sampled_from(self.operations))
        self.let_arrive()
        before = self.memory(context_id, beside) or self.stored(context_id)
        if (
            before.position is None
            or before.position.epoch != first.position.epoch
            or before.version < first.position.version
            or at < self.latest - self.world.settings.op_ttl
        ):
            return
        changes = {"operations": Increment()}
        call = self.runtime(beside).update_context(context_id, changes, op_id=op_id)
        outcome = self.world.run_in_time(outcome_of(call))
        after = self.memory(context_id, beside) or self.stored(context_id)
        assert after.version == before.version
        if isinstance(outcome, Commit):
            assert outcome.changed
            assert outcome.position == first.position
            assert outcome.delta is None or outcome.delta == first.delta
        else:
            assert isinstance(outcome, OutcomeUnknown) or self.is_excused(outcome), repr(outcome)
        self.adopt(context_id, self.find_truth(context_id))

    # -- what becomes of a runtime ---------------------------------------------------------------

    @rule(
        context_id=ids,
        beside=st.sampled_from([False, False, True]),
        kinds=st.lists(st.sampled_from(KINDS), max_size=3),
        turns=st.integers(0, 8),
        lapse=st.booleans(),
    )
    def crash(
        self, context_id: str, beside: bool, kinds: list[str], turns: int, lapse: bool
    ) -> None:
        """It is killed, with some calls under way; what was acknowledged is there, as promised."""
        self.let_arrive()
        self.note_death(beside)
        keys = [f"at-crash-{self.count + n}" for n in range(len(kinds))]
        self.count += len(keys)
        outcomes = self.world.run(self.call_and_kill(context_id, beside, kinds, keys, turns))
        self.world.run(self.world.settle())
        for other in IDS:
            before, after = self.truth[other], self.find_truth(other)
            if other == context_id and keys:
                self.judge_crash(after, keys, outcomes)
            elif self.durability == "write-through":
                assert after == before
            else:
                assert self.is_prefix(other, before, after)
            self.adopt(other, after)
        if lapse:
            self.stand_still(LEASE)

    def note_death(self, beside: bool) -> None:
        chord = self.runtime(beside)
        if isinstance(chord, StatefulChord):
            owner = chord._supervisor._leases.owner
            self.died_at[owner] = self.world.clock.monotonic()

    async def call_and_kill(
        self, context_id: str, beside: bool, kinds: list[str], keys: list[str], turns: int
    ) -> list[Any]:
        chord = self.runtime(beside)
        calls = [_call(chord, context_id, *each) for each in zip(kinds, keys, strict=True)]
        tasks = [asyncio.create_task(outcome_of(call)) for call in calls]
        for _ in range(turns):
            await asyncio.sleep(0)
        await self.world.kill(beside)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return [None if task.cancelled() else task.result() for task in tasks]

    def judge_crash(self, after: Truth, keys: list[str], outcomes: list[Any]) -> None:
        kept = {key for key in keys if key in (after.state or {})}
        for key, outcome in zip(keys, outcomes, strict=True):
            if isinstance(outcome, Commit) and outcome.durable:
                assert key in kept
            elif isinstance(outcome, NotApplied):
                assert key not in kept

    @rule()
    def reopen(self) -> None:
        """A runtime that is closed stores all that it has acknowledged."""
        self.let_arrive()
        self.heal()
        self.settle()
        live = [
            context_id
            for context_id in IDS
            if self.memory(context_id, False) or self.memory(context_id, True)
        ]
        self.world.run(self.world.reopen())
        for context_id in IDS:
            stored, unclean = self.world.run(self.world.load(context_id))
            assert stored == self.truth[context_id]
            assert not unclean or context_id not in live

    @rule(seconds=st.sampled_from([2.0, 5.0, 12.0, 30.0]))
    def idle(self, seconds: float) -> None:
        """Contexts that are not used hibernate, then leave memory; nothing of them is lost."""
        self.let_arrive()
        self.world.run(self.world.let_pass(seconds))
        self.latest = max(self.latest, self.world.clock.time())
        if seconds > IDLE and not self.is_shaky:
            for context_id in IDS:
                assert not self.owns(context_id, False)
                assert self.stored(context_id) == self.truth[context_id]

    def stand_still(self, seconds: float) -> None:
        self.world.run(self.world.stall(seconds))
        self.latest = max(self.latest, self.world.clock.time())

    @rule(seconds=st.sampled_from([5.0, 12.0]))
    def stall(self, seconds: float) -> None:
        """All that is due comes late; leases lapse."""
        self.stand_still(seconds)

    @rule(context_id=ids, beside=st.booleans())
    def flush(self, context_id: str, beside: bool) -> None:
        self.let_arrive()
        owned = self.memory(context_id, beside)
        outcome = self.world.run_in_time(outcome_of(self.runtime(beside).flush(context_id)))
        if outcome is not None:
            assert self.is_shaky, repr(outcome)
        elif owned:
            assert self.stored(context_id) == owned

    @rule(context_id=ids, state=small_states())
    def steal(self, context_id: str, state: Any) -> None:
        """Once a lease has lapsed another takes over, and the first never answers from before."""
        self.let_arrive()
        self.stand_still(LEASE)
        changes = {"stolen": Increment()}
        taken = self.world.run_in_time(
            outcome_of(self.runtime(True).update_context(context_id, changes, create=state))
        )
        self.adopt(context_id, self.find_truth(context_id))
        if not isinstance(taken, Commit):
            return
        if not self.is_shaky:
            context = self.world.run_in_time(self.runtime(False).get_context(context_id))
            found = Truth(context.state, context.position, context.updated_at)
            assert found == self.stored(context_id)
        again = self.world.run_in_time(
            outcome_of(self.runtime(False).update_context(context_id, {"n": 1}))
        )
        if isinstance(self.runtime(True), StatefulChord):
            assert self.is_shaky or isinstance(again, OwnedElsewhere | Commit)
            assert not isinstance(again, Commit) or not self.owns(context_id, True)
        self.adopt(context_id, self.find_truth(context_id))

    # -- watching --------------------------------------------------------------------------------

    @rule(context_id=ids, beside=st.booleans())
    def watch_slowly(self, context_id: str, beside: bool) -> None:
        async def begin() -> None:
            chord = self.runtime(beside)
            self.world.watching.append(Watching(chord, context_id, beside, slow=True))
            await self.world.settle()

        if len(self.world.watching) < 6:
            self.world.run(begin())

    @rule()
    def let_watchers_catch_up(self) -> None:
        self.let_arrive()
        self.heal()
        for each in self.world.watching:
            each.hurry(True)
        for _ in range(40):
            self.world.run(self.world.let_pass(1.0))
            if all(map(self.is_up_to_date, self.world.watching)):
                break
        else:
            raise AssertionError("a watcher stays behind")
        self.latest = max(self.latest, self.world.clock.time())
        for each in self.world.watching:
            each.hurry(False)
        self.world.watching = [each for each in self.world.watching if not each.is_over]

    # -- the store as a whole --------------------------------------------------------------------

    @rule(beside=st.booleans())
    def list_all(self, beside: bool) -> None:
        self.let_arrive()
        listed = self.world.run(outcome_of(self.runtime(beside).list_contexts()))
        if isinstance(listed, Exception):
            assert self.armed
            return
        stored = {context_id: self.stored(context_id) for context_id in IDS}
        there = {context_id: now.position for context_id, now in stored.items() if now.position}
        assert {each.context_id: each.position for each in listed} == there

    @rule(limit=st.sampled_from([None, None, 1, 2]), beside=st.booleans())
    def clean_up(self, limit: int | None, beside: bool) -> None:
        self.let_arrive()
        before = {
            context_id: self.truth[context_id]
            if self.owns(context_id, False) or self.owns(context_id, True)
            else self.stored(context_id)  # by that it is judged where nobody is sure to own it
            for context_id in IDS
        }
        report = self.world.run_in_time(outcome_of(self.runtime(beside).cleanup(limit)))
        self.world.run(self.world.deliver())
        self.settle()
        ripe = self.world.clock.time() - self.world.settings.context_ttl
        gone = []
        for context_id, was in before.items():
            after = self.find_truth(context_id)
            if was.position is not None and after.position is None:
                assert was.updated_at <= ripe
                gone.append(context_id)
            self.adopt(context_id, after)
        if isinstance(report, Report) and not report.failed:
            assert report.expired == len(gone)
        else:
            assert self.is_shaky

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def the_store_has_what_it_is_known_to_have(self) -> None:
        self.settle()
        for context_id in IDS:
            self.reconcile(context_id)
            self.check_stored(context_id)

    @invariant()
    def replicas_have_what_was_shown(self) -> None:
        for each in self.world.watching:
            position = each.replica.position
            known = self.seen.get((each.context_id, position)) if position else None
            assert known is None or equal(known, each.replica.state)


def _call(chord: Facade, context_id: str, kind: str, key: str) -> Any:
    changes = {key: object() if kind == "invalid" else 1}
    op_id = key if kind == "operation" else None
    return chord.update_context(context_id, changes, op_id=op_id, ephemeral=kind == "ephemeral")


async def _gather(calls: list[Any]) -> Any:
    return await asyncio.gather(*map(outcome_of, calls))


class WriteBehindMachine(OwnersMachine):
    """The same, where what is acknowledged is stored a little later."""

    durability = "write-behind"


class InMemoryMachine(OwnersMachine):
    """The same, where it is stored when the context leaves memory."""

    durability = "memory"


class SqliteMachine(WriteBehindMachine):
    """The same on files."""

    def make_folder(self) -> Path:
        self.folder = Path(tempfile.mkdtemp(prefix="chord-machine-"))
        return self.folder

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


TestWriteThrough = OwnersMachine.TestCase
TestWriteBehind = WriteBehindMachine.TestCase
TestInMemory = InMemoryMachine.TestCase
for _case in (TestWriteThrough, TestWriteBehind, TestInMemory):
    _case.settings = settings(stateful_step_count=40, max_examples=settings().max_examples // 4)


class LongWriteThroughMachine(OwnersMachine):
    """Looked at for longer."""


class LongWriteBehindMachine(WriteBehindMachine):
    """Looked at for longer."""


class LongInMemoryMachine(InMemoryMachine):
    """Looked at for longer."""


TestLongWriteThrough = pytest.mark.slow(LongWriteThroughMachine.TestCase)
TestLongWriteBehind = pytest.mark.slow(LongWriteBehindMachine.TestCase)
TestLongInMemory = pytest.mark.slow(LongInMemoryMachine.TestCase)
for _case in (TestLongWriteThrough, TestLongWriteBehind, TestLongInMemory):
    _case.settings = settings(stateful_step_count=50)
del _case

TestOnSqlite = pytest.mark.slow(SqliteMachine.TestCase)
TestOnSqlite.settings = settings(stateful_step_count=30, max_examples=settings().max_examples // 3)
