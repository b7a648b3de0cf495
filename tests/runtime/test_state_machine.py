"""Test a runtime against a model, through whatever sequence of calls and failures is found.

One runtime has an unreliable line to the store; another, beside it, a good one. After every step
the store itself is read, and must have gone from where it was by just what was acknowledged.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from chord import (
    BackendUnavailable,
    Commit,
    Increment,
    OutcomeUnknown,
    Position,
    Report,
    Summary,
    VersionGone,
)
from chord.delta import equal
from chord.testing.faulty import Mode
from chord.testing.strategies import patches, states
from tests.runtime import model
from tests.runtime.judge import IDS, Judge
from tests.runtime.machine import Watching, World
from tests.runtime.model import Truth
from tests.waiting import outcome_of, until

MODES: tuple[Mode, ...] = ("before", "after", "lost", "late")

ids = st.sampled_from(IDS)


@st.composite
def small_states(draw: st.DrawFn) -> Any:
    return draw(states(max_depth=3))


class ChordMachine(Judge):
    """The whole public API, as rules."""

    # -- writes ----------------------------------------------------------------------------------

    @initialize(data=st.data(), each=st.lists(small_states(), min_size=2, max_size=2))
    def begin(self, data: st.DataObject, each: list[Any]) -> None:
        self.enter(World(self.make_folder()))
        for context_id, state in zip(IDS, each, strict=True):
            self.put(data, context_id, state, False)

    @rule(data=st.data(), context_id=ids, state=small_states(), beside=st.booleans())
    def put(self, data: st.DataObject, context_id: str, state: Any, beside: bool) -> None:
        expected = self.draw_expected(data, context_id)
        self.write(
            context_id,
            beside,
            lambda chord: chord.set_context(context_id, state, expected=expected),
            partial(model.set_, state=state, expected=expected),
        )

    @rule(
        data=st.data(),
        context_id=ids,
        create=st.one_of(st.none(), small_states(), small_states()),
        ephemeral=st.booleans(),
        beside=st.booleans(),
    )
    def update(
        self, data: st.DataObject, context_id: str, create: Any, ephemeral: bool, beside: bool
    ) -> None:
        changes = data.draw(patches(self.truth[context_id].state or create))
        expected = self.draw_expected(data, context_id)
        self.write(
            context_id,
            beside,
            lambda chord: chord.update_context(
                context_id, changes, expected=expected, create=create, ephemeral=ephemeral
            ),
            partial(model.update, changes=changes, expected=expected, create=create),
        )

    @rule(data=st.data(), context_id=ids, beside=st.booleans())
    def transform(self, data: st.DataObject, context_id: str, beside: bool) -> None:
        changes = data.draw(patches(self.truth[context_id].state))
        self.write(
            context_id,
            beside,
            lambda chord: chord.transform_context(context_id, lambda state: changes),
            partial(model.update, changes=changes),
        )

    @rule(data=st.data(), context_id=ids, state=small_states(), beside=st.booleans())
    def end_a_life(self, data: st.DataObject, context_id: str, state: Any, beside: bool) -> None:
        if data.draw(st.booleans()):
            self.world.provided[context_id] = state
            self.write(
                context_id,
                beside,
                lambda chord: chord.restore_context(context_id),
                partial(model.restore, state=state),
            )
        else:
            expected = self.draw_expected(data, context_id)
            self.write(
                context_id,
                beside,
                lambda chord: chord.delete_context(context_id, expected=expected),
                partial(model.delete, expected=expected),
            )

    @rule(context_id=ids, count=st.integers(2, 6))
    def update_at_once(self, context_id: str, count: int) -> None:
        """From both runtimes: which comes first is open, but not what is kept."""
        self.let_arrive()
        keys = [f"at-once-{self.count + n}" for n in range(count)]
        self.count += count

        async def update_all() -> list[Any]:
            calls = [
                self.runtime(n % 2 == 1).update_context(context_id, {key: n})
                for n, key in enumerate(keys)
            ]
            return await asyncio.gather(*map(outcome_of, calls))

        results = self.world.run(update_all())
        self.world.run(self.world.deliver())
        before, after = self.truth[context_id], self.world.run(self.world.audit(context_id))
        kept = [key for key in keys if key in (after.state or {})]
        assert after.version - before.version == len(kept)
        positions = [before.position]
        for key, result in zip(keys, results, strict=True):
            if isinstance(result, Commit):
                assert key in kept
                assert result.position not in positions
                positions.append(result.position)
            elif not isinstance(result, OutcomeUnknown):
                assert key not in kept
        self.adopt(context_id, after)

    @rule(context_id=ids, beside=st.booleans())
    def operate(self, context_id: str, beside: bool) -> None:
        self.count += 1
        op_id = f"op-{self.count}"
        changes = {"operations": Increment()}
        outcome = self.write(
            context_id,
            beside,
            lambda chord: chord.update_context(context_id, changes, op_id=op_id),
            partial(model.update, changes=changes),
        )
        if isinstance(outcome, Commit) and outcome.changed:
            now = self.world.clock.time()
            self.operations = [*self.operations[-9:], (context_id, op_id, now, outcome)]

    @precondition(lambda self: self.operations)
    @rule(data=st.data(), beside=st.booleans())
    def operate_again(self, data: st.DataObject, beside: bool) -> None:
        context_id, op_id, at, first = data.draw(st.sampled_from(self.operations))
        self.let_arrive()
        before = self.truth[context_id]
        remembered = (
            before.position is not None
            and before.position.epoch == first.position.epoch
            and at >= self.latest - self.world.settings.op_ttl
        )
        if not remembered:
            return
        changes = {"operations": Increment()}
        call = self.runtime(beside).update_context(context_id, changes, op_id=op_id)
        outcome = self.world.run(outcome_of(call))
        assert self.world.run(self.world.audit(context_id)) == before
        if isinstance(outcome, Commit):
            assert outcome.changed
            assert outcome.position == first.position
            assert outcome.delta is None or outcome.delta == first.delta
        else:
            assert self.armed, repr(outcome)
            assert isinstance(outcome, BackendUnavailable | OutcomeUnknown)

    # -- reads -----------------------------------------------------------------------------------

    @rule(context_id=ids, beside=st.booleans())
    def get(self, context_id: str, beside: bool) -> None:
        context = self.read(context_id, beside, lambda chord: chord.get_context(context_id))
        if context is not None:
            found = Truth(context.state, context.position, context.updated_at)
            assert found == self.visible(context_id, beside)

    @rule(data=st.data(), beside=st.booleans(), how=st.sampled_from(["position", "text", "bare"]))
    def sync(self, data: st.DataObject, beside: bool, how: str) -> None:
        context_id, replica = data.draw(st.sampled_from(self.replicas))
        now, since = self.visible(context_id, beside), replica.since
        asked: Any = since
        if since is not None and how == "text":
            asked = str(since)
        elif since is not None and now.position and since.epoch == now.position.epoch:
            asked = since.version
        reply = self.read(context_id, beside, lambda chord: chord.sync_context(context_id, asked))
        if reply is None:
            return
        self.judge_reply(context_id, now, since, reply)
        assert replica.receive(reply) in ("applied", "current")
        assert replica.position == now.position
        assert equal(replica.state, now.state)

    @rule(data=st.data(), context_id=ids, beside=st.booleans())
    def sync_from_anywhere(self, data: st.DataObject, context_id: str, beside: bool) -> None:
        epochs = sorted({position.epoch for id, position in self.seen if id == context_id})
        epoch = data.draw(st.sampled_from([*epochs[-3:], "garbage"]))
        since = Position(epoch, data.draw(st.integers(1, 30)))
        reply = self.read(context_id, beside, lambda chord: chord.sync_context(context_id, since))
        if reply is not None:
            now = self.visible(context_id, beside)
            self.judge_reply(context_id, now, since, reply)

    @rule(beside=st.booleans())
    def list_all(self, beside: bool) -> None:
        self.let_arrive()
        listed = self.world.run(outcome_of(self.runtime(beside).list_contexts()))
        if isinstance(listed, Exception):
            assert self.armed
            return
        assert list(listed) == [
            Summary(context_id=id, position=now.position, updated_at=now.updated_at)
            for id, now in self.truth.items()
            if now.position
        ]

    @precondition(lambda self: self.commits)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        context_id, commit = data.draw(st.sampled_from(self.commits))
        try:
            context = commit.context
        except VersionGone:
            return
        assert context.position == commit.position
        assert equal(context.state, self.seen[context_id, commit.position])

    # -- watching --------------------------------------------------------------------------------

    @rule(context_id=ids, beside=st.booleans())
    def watch(self, context_id: str, beside: bool) -> None:
        async def begin() -> None:
            self.world.watching.append(Watching(self.runtime(beside), context_id, beside))
            await asyncio.sleep(0)

        if len(self.world.watching) < 6:
            self.world.run(begin())

    @rule()
    def let_watchers_catch_up(self) -> None:
        self.let_arrive()
        self.heal()
        self.let_time_pass(1.0, 0.0)
        self.world.run(until(lambda: all(map(self.is_up_to_date, self.world.watching))))
        self.world.watching = [each for each in self.world.watching if not each.is_over]

    # -- what happens to it ----------------------------------------------------------------------

    @rule(
        first=st.integers(1, 3),
        length=st.sampled_from([1, 1, 2, 3, 20]),
        mode=st.sampled_from(MODES),
        only=st.sampled_from([None, {"commit"}, {"commit"}, {"commit", "load"}]),
    )
    def fail(self, first: int, length: int, mode: Mode, only: set[str] | None) -> None:
        self.world.faulty.arm(range(first, first + length), mode, only=only)
        self.armed = True

    @rule(
        seconds=st.sampled_from([0.5, 10.0, 10.0, 49.0, 51.0, 101.0]),
        jump=st.sampled_from([0.0, 0.0, -30.0, -0.5, 30.0]),
    )
    def let_time_pass(self, seconds: float, jump: float) -> None:
        self.world.run(self.world.advance(seconds))
        self.latest = max(self.latest, self.world.clock.time())
        self.world.clock.jump(jump)
        self.latest = max(self.latest, self.world.clock.time())

    @rule(limit=st.sampled_from([None, None, 1, 2]), beside=st.booleans())
    def clean_up(self, limit: int | None, beside: bool) -> None:
        self.let_arrive()
        before = dict(self.truth)
        report = self.world.run(outcome_of(self.runtime(beside).cleanup(limit)))
        self.world.run(self.world.deliver())
        ripe = self.world.clock.time() - self.world.settings.context_ttl
        gone = []
        for context_id, was in before.items():
            after = self.world.run(self.world.audit(context_id))
            if after != was:
                assert after.position is None
                assert was.updated_at <= ripe
                gone.append(context_id)
            self.adopt(context_id, after)
        if isinstance(report, Report) and not report.failed:
            due = sum(
                was.position is not None and was.updated_at <= ripe for was in before.values()
            )
            assert report.expired == len(gone) == min(due, limit or due)
        else:
            assert self.armed

    @rule()
    def reopen(self) -> None:
        self.let_arrive()
        self.heal()
        self.world.run(self.world.reopen())

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def the_store_has_what_it_is_known_to_have(self) -> None:
        for context_id, truth in self.truth.items():
            assert self.world.run(self.world.audit(context_id)) == truth

    @invariant()
    def nothing_contradicts_itself(self) -> None:
        self.world.run(self.world.check())


class SqliteMachine(ChordMachine):
    """The same on files."""

    def make_folder(self) -> Path:
        self.folder = Path(tempfile.mkdtemp(prefix="chord-machine-"))
        return self.folder

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


TestOnMemory = ChordMachine.TestCase
TestOnMemory.settings = settings(stateful_step_count=40, max_examples=2 * settings().max_examples)

TestOnSqlite = pytest.mark.slow(SqliteMachine.TestCase)
TestOnSqlite.settings = settings(stateful_step_count=40)
