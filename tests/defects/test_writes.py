"""Test that defects 1 to 12 are not ours: of writes that meet, of what is told, of lives that end.

Each docstring tells the defect as it was found in a system of this kind.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    Append,
    BackendUnavailable,
    Commit,
    Context,
    DeltaUpdate,
    FullContext,
    Increment,
    ManualClock,
    Modified,
    SystemClock,
)
from chord.testing.faulty import FaultyBackend, Mode
from tests.defects.clients import DUE, catch_up, check_follows, grow, outcomes_of
from tests.runtime.stage import Runtime, Stage
from tests.waiting import outcome_of, turn

pytestmark = pytest.mark.anyio


# -- 1 to 4: one write beside another ------------------------------------------------------------


async def test_01_concurrent_updates_are_all_kept(chord: Runtime) -> None:
    """Of a thousand updates of different keys at once, each acknowledged, one was kept."""
    await chord.set_context("a", {})
    await asyncio.gather(*(chord.update_context("a", {f"k{n}": n}) for n in range(1000)))
    context = await chord.get_context("a")
    assert context.state == {f"k{n}": n for n in range(1000)}
    assert context.position.version == 1001


async def test_02_no_delta_outlives_an_update_that_was_not_kept(stage: Stage) -> None:
    """Updates were lost but their deltas were not, so clients held keys that no server had."""
    one, two, reader = [await stage.open(clock=SystemClock()) for _ in range(3)]
    await one.set_context("a", {"text": "x"})
    await two.get_context("a")
    replica = await catch_up(reader)
    outcomes = await outcomes_of(
        *(chord.update_context("a", {f"{n}": n}) for n in range(20) for chord in (one, two)),
        *(one.update_context("a", {f"late{n}": n}, expected=1) for n in range(20)),
        *(two.update_context("a", {f"bad{n}": n, "text": Append([n])}) for n in range(20)),
    )
    kept = sum(isinstance(outcome, Commit) and outcome.changed for outcome in outcomes)
    assert isinstance(await reader.sync_context("a", replica.since), DeltaUpdate)
    await check_follows(replica, reader)
    assert replica.position == (await one.get_context("a")).position
    assert replica.position.version == 1 + kept
    assert replica.state == {"text": "x", **{f"{n}": n for n in range(20)}}


async def test_03_a_reader_beside_a_writer_always_finds_the_context(stage: Stage) -> None:
    """A write deleted first: readers were told "not found", and versions were given out twice."""
    chord, reader = await stage.open(), await stage.open()
    await chord.set_context("a", {"n": 1})
    writing = asyncio.create_task(grow(chord, 200))
    while not writing.done():
        context = await reader.get_context("a")
        assert context.state["n"] == context.position.version
        await turn(1)
    assert [position.version for position in (await writing)[1:]] == [*range(1, 201)]
    assert (await reader.get_context("a")).position.version == 200


class RestlessClock(ManualClock):
    """Tells another time whenever it is asked."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self._step = step

    def time(self) -> float:
        self.jump(self._step)
        return super().time()


@pytest.mark.parametrize("step", [1.0, -1.0], ids=["forward", "back"])
async def test_04_a_write_that_straddles_a_tick_leaves_one_context(
    stage: Stage, step: float
) -> None:
    """A write during which the clock ticked left two rows, and every later read crashed."""
    chord = await stage.open(clock=RestlessClock(step), context_ttl=0.5, context_auto_delete=True)
    await grow(chord, 20)
    backend = await stage.connect()
    for found in (await chord.list_contexts(), await backend.due(1e12, 10)):
        assert [(summary.context_id, summary.position.version) for summary in found] == [("a", 20)]
    assert (await (await stage.open()).get_context("a")).state == {"n": 20}
    assert await chord.delete_context("a")
    assert await chord.list_contexts() == []


# -- 5 to 10: what clients are told, and what it rests on ----------------------------------------


@pytest.mark.parametrize("how", ["delete", "restore"])
async def test_05_a_client_of_an_earlier_life_is_not_told_that_nothing_changed(
    stage: Stage, how: str
) -> None:
    """After a new beginning, a client ahead of the server was told "no change" for ever."""
    chord = await stage.open(provider=lambda context_id: {"new": True})
    old = await grow(chord, 9)
    replica = await catch_up(chord)
    if how == "delete":
        await chord.delete_context("a")
        await chord.set_context("a", {"new": True})
    else:
        await chord.restore_context("a")
    for since in (old[9], str(old[9]), old[1]):
        reply = await chord.sync_context("a", since)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
    await check_follows(replica, chord)
    assert replica.state == {"new": True}


async def test_06_a_version_is_understood_or_refused(chord: Runtime) -> None:
    """The version "5" was always told "no change", and -3 was served a delta."""
    await grow(chord, 7)
    for since in (5, "5"):
        reply = await chord.sync_context("a", since)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(5, 7)}
    refused: list[Any] = [-3, "-3", "five", "", 5.0, True]
    for since in refused:
        with pytest.raises(ValueError, match="since"):
            await chord.sync_context("a", since)


async def test_07_a_clean_up_leaves_no_delta_with_a_hole(stage: Stage) -> None:
    """After a clean-up, what was left of the deltas was served as if it were all."""
    chord = await stage.open(snapshot_every=1, delta_ttl=100.0)
    await chord.set_context("a", {})
    replicas = []
    for n in range(10):
        replicas.append(await catch_up(chord))
        stage.clock.advance(20)
        await chord.update_context("a", {f"k{n}": n})
    assert (await chord.cleanup()).trimmed > 0
    reader = await stage.open(delta_ttl=100.0)
    kinds = [type(await reader.sync_context("a", replica.since)) for replica in replicas]
    assert set(kinds[:4]) == {FullContext}
    assert set(kinds[5:]) == {DeltaUpdate}
    for replica in replicas:
        await check_follows(replica, reader)


@pytest.mark.parametrize("mode", ["before", "after", "lost", "late"])
async def test_07_a_failed_write_leaves_no_delta_with_a_hole(stage: Stage, mode: Mode) -> None:
    """After a delta could not be written, those around it were served as if they were all."""
    backend = FaultyBackend(await stage.connect())
    chord = await stage.open_on(backend)
    await chord.set_context("a", {})
    replicas = []
    for n in range(12):
        replicas.append(await catch_up(chord))
        backend.arm(1 if n % 3 == 0 else (), mode, only={"commit"})
        outcome = await outcome_of(chord.update_context("a", {f"k{n}": n}))
        failed = isinstance(outcome, BackendUnavailable)
        assert failed == (mode == "before" and n % 3 == 0)
    for reader in (chord, await stage.open()):
        assert isinstance(await reader.sync_context("a", 1), DeltaUpdate)
        for replica in replicas:
            await check_follows(replica, reader)


async def test_08_the_threshold_keeps_the_newest_deltas(stage: Stage) -> None:
    """The clean-up by count deleted the newest deltas and kept the oldest."""
    positions = await grow(await stage.open(snapshot_every=1, delta_threshold=3), 20)
    reader = await stage.open(delta_threshold=3)
    await reader.cleanup()
    for version in (17, 18, 19):
        assert isinstance(await reader.sync_context("a", positions[version]), DeltaUpdate)
    assert isinstance(await reader.sync_context("a", positions[16]), FullContext)
    stored = await (await stage.connect()).load("a")
    assert stored
    assert stored.entries[0].version > 1


async def test_08_the_age_limit_keeps_the_young_deltas(stage: Stage) -> None:
    """The clean-up by age compared a time with a version, and deleted all deltas."""
    chord = await stage.open(snapshot_every=1, delta_ttl=100.0)
    positions = await grow(chord, 10)
    stage.clock.advance(150)
    for n in range(3):
        await chord.update_context("a", {"n": -n})
    assert (await chord.cleanup()).trimmed > 0
    reader = await stage.open(delta_ttl=100.0)
    reply = await reader.sync_context("a", positions[10])
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"n": Modified(10, -2)}
    assert isinstance(await reader.sync_context("a", positions[9]), FullContext)


async def test_09_a_version_and_its_delta_are_one_write(stage: Stage) -> None:
    """A context and its delta were written in two acts: a crash between left one of them."""
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    assert backend.seen.count("commit") == 2
    beside = await stage.connect()
    writing = asyncio.create_task(grow(chord, 100))
    while not writing.done():
        stored = await beside.load("a")
        assert stored
        assert stored.entries[-1].version == stored.position.version
        await turn(1)
    await writing


async def test_10_restore_begins_anew_and_keeps_no_old_delta(stage: Stage) -> None:
    """Restore set any version, and the deltas of the old life were served on top of it."""
    chord = await stage.open(provider=lambda context_id: {"n": 100})
    old = await grow(chord, 9)
    commit = await chord.restore_context("a")
    assert commit.position.version == 1
    for n in (101, 102):
        await chord.update_context("a", {"n": n})
    stored = await (await stage.connect()).load("a")
    assert stored
    assert [entry.version for entry in stored.entries] == [1, 2, 3]
    for reader in (chord, await stage.open()):
        for position in old[1:]:
            assert isinstance(await reader.sync_context("a", position), FullContext)
        reply = await reader.sync_context("a", commit.position)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(100, 102)}


# -- 11 and 12: lives that end -------------------------------------------------------------------


async def test_11_a_context_that_is_written_during_a_clean_up_is_kept(stage: Stage) -> None:
    """The clean-up listed, then deleted: what was written in between was lost."""
    chord, backend = await stage.open_by_hand(**DUE)
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(20)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    listing = await backend.next("due")
    await listing.carry_out()
    await chord.update_context("a", {"n": 2})
    backend.hold()
    listing.answer()
    report = await cleaning
    assert (report.expired, report.skipped) == (0, 1)
    assert (await chord.get_context("a")).state == {"n": 2}


async def test_11_a_context_that_is_written_during_its_export_is_kept(stage: Stage) -> None:
    """What was written between the export of a context and its deletion was lost."""
    async def export(context: Context) -> None:
        await chord.update_context("a", {"n": 2})

    chord = await stage.open(**DUE, exporter=export)
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(20)
    report = await chord.cleanup()
    assert (report.expired, report.skipped) == (0, 1)
    assert (await chord.get_context("a")).state == {"n": 2}


async def test_11_what_expires_is_exported_before(stage: Stage) -> None:
    """Expiry deleted contexts without a call of the exporter."""
    exported: list[Context] = []
    chord = await stage.open(**DUE, exporter=exported.append)
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(20)
    report = await chord.cleanup()
    assert (report.expired, report.exported) == (1, 1)
    assert [context.state for context in exported] == [{"n": 1}]
    assert await chord.list_contexts() == []


async def test_11_a_limit_takes_the_oldest_that_can_go(stage: Stage) -> None:
    """A limit was applied before the age was looked at, so the oldest might never be reached."""

    def export(context: Context) -> None:
        if context.context_id == "f":
            raise OSError("this one cannot be exported")

    chord = await stage.open(**DUE, exporter=export)
    for context_id in "fedcba":
        await chord.set_context(context_id, {})
        stage.clock.advance(1)
    await chord.set_context("young", {})
    stage.clock.advance(9.5)
    left = []
    for _ in range(3):
        await chord.cleanup(limit=2)
        left.append([summary.context_id for summary in await chord.list_contexts()])
    assert left == [["a", "b", "c", "f", "young"], ["a", "f", "young"], ["f", "young"]]


async def test_12_a_store_outlives_the_task_that_opened_it(stage: Stage) -> None:
    """The tables belonged to the first process that touched them, and died with it."""
    backend = await stage.connect()

    async def be_the_first() -> None:
        async with stage.make(backend) as first:
            await first.set_context("a", {"n": 1})
            raise ConnectionError("its client went away")

    outcome = await outcome_of(asyncio.create_task(be_the_first()))
    assert isinstance(outcome, ConnectionError)
    second = await stage.open_on(backend)
    assert (await second.update_context("a", {"n": Increment()})).context.state == {"n": 2}
    assert (await (await stage.open()).get_context("a")).state == {"n": 2}
