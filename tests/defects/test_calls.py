"""Test that defects 20 to 24 and 26 are not ours: of what calls answer, store, cost and measure.

Each docstring tells the defect as it was found in a system of this kind.
"""

from __future__ import annotations

import ast
import asyncio
import pickle
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
import redis

import chord as library
from chord import (
    BackendUnavailable,
    Chord,
    Commit,
    ContextDeleted,
    ContextNotFound,
    CorruptData,
    Event,
    ManualClock,
    MemoryBackend,
    NoChange,
    OutcomeUnknown,
    StatelessChord,
)
from chord.backends.redis import RedisBackend
from chord.codec import FORMAT
from chord.records import Batch, Snapshot, WatchReply
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_entry, make_step
from chord.testing.servers import Server
from examples import scenarios
from tests.defects.clients import DUE, grow, outcomes_of
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio


# -- 20 to 22: what calls answer -----------------------------------------------------------------


async def test_20_an_unchanged_write_answers_like_any_other(chord: Runtime) -> None:
    """An unchanged write answered in another shape, without a version."""
    first = await chord.set_context("a", {"n": 1})
    for again in (await chord.set_context("a", {"n": 1}), await chord.update_context("a", {})):
        assert isinstance(again, Commit)
        assert (again.position, again.changed, again.delta) == (first.position, False, None)
        assert again.context.state == {"n": 1}


async def test_20_an_empty_context_is_stored(stage: Stage, chord: Runtime) -> None:
    """Setting a new context to an empty state said "ok" and stored nothing."""
    commit = await chord.set_context("a", {})
    assert commit.changed
    context = await (await stage.open()).get_context("a")
    assert (context.state, context.position) == ({}, commit.position)


async def test_21_delete_says_whether_there_was_something(chord: Runtime) -> None:
    """Deleting what was not there said "ok"."""
    assert await chord.delete_context("a") is False
    await chord.set_context("a", {})
    assert await chord.delete_context("a") is True
    assert await chord.delete_context("a") is False
    with pytest.raises(ContextNotFound):
        await chord.sync_context("a", 1)


async def read_all(replies: AsyncIterator[WatchReply]) -> list[WatchReply]:
    return [reply async for reply in replies]


async def test_21_who_watches_is_told_of_a_delete(chord: Runtime) -> None:
    """Readers of a context were not told that it was deleted."""
    commit = await chord.set_context("a", {})
    async with chord.watch_context("a", commit.position) as replies:
        reading = asyncio.create_task(read_all(replies))
        await chord.delete_context("a")
        await until(reading.done)
    assert await reading == [NoChange(commit.position), ContextDeleted(commit.position)]


@pytest.mark.server
async def test_22_a_dead_server_is_told_by_one_error_of_ours(own_server: Server) -> None:
    """A dead connection raised an undefined-function error, and errors came wrapped twice."""
    backend = RedisBackend(own_server.url)
    await backend.open()
    async with StatelessChord(backend, watch_poll=None) as chord:
        await chord.set_context("a", {})
        own_server.kill()
        for outcome in await outcomes_of(
            chord.update_context("a", {"n": 1}),
            chord.set_context("b", {}),
            chord.delete_context("a"),
            chord.get_context("a"),
            chord.sync_context("a"),
            chord.list_contexts(),
            chord.cleanup(),
        ):
            assert type(outcome) in (BackendUnavailable, OutcomeUnknown)
            assert str(outcome).count(own_server.address) == 1
        own_server.start()
        assert (await chord.set_context("a", {})).changed
    await backend.close()


async def test_22_a_prefix_selects_on_every_store(chord: Runtime) -> None:
    """Filters were ignored on one of the stores."""
    for context_id in ("game:1", "room:1", "room:2", "room", "rooms"):
        await chord.set_context(context_id, {})
    found = await chord.list_contexts("room:")
    assert [summary.context_id for summary in found] == ["room:1", "room:2"]
    found = await chord.list_contexts("room", after="room:1")
    assert [summary.context_id for summary in found] == ["room:2", "rooms"]


@pytest.mark.server
async def test_22_no_key_is_looked_for_and_none_is_visited_in_vain(own_server: Server) -> None:
    """A clean-up listed all keys of the server, and called it for each, three times."""
    async with StatelessChord.open(own_server.url, **DUE, watch_poll=None) as chord:
        few = await count_commands(own_server, chord, 10)
        many = await count_commands(own_server, chord, 300)
    assert few == many
    assert not {"cmdstat_keys", "cmdstat_scan"} & set(many)


async def count_commands(server: Server, chord: Chord, contexts: int) -> dict[str, int]:
    """How many commands of each kind a clean-up takes when there are so many contexts."""
    ids = [f"{contexts}:{n}" for n in range(contexts)]
    await asyncio.gather(*(chord.set_context(each, {}) for each in ids))
    with redis.Redis.from_url(server.url) as client:
        client.config_resetstat()
        await chord.cleanup()
        found: dict[str, Any] = client.info("commandstats")
    return {name: told["calls"] for name, told in found.items()}


class Recorder:
    """Telemetry that remembers which operations ended."""

    def __init__(self) -> None:
        self.operations: list[str] = []

    def record(self, event: Event) -> None:
        self.operations.append(event.operation)


async def test_22_a_new_interval_of_the_cleaner_counts_at_once(stage: Stage) -> None:
    """Updating the clean-up's interval did not re-arm the timer that was running."""
    recorder = Recorder()
    chord = await stage.open(telemetry=recorder)
    await chord.cleaner.start(interval=1000.0)
    stage.clock.advance(10)
    await chord.cleaner.update(interval=5.0)
    stage.clock.advance(4.9)
    await turn()
    assert recorder.operations == []
    stage.clock.advance(0.1)
    await until(lambda: recorder.operations == ["cleanup"])


# -- 23 and 24: what is stored -------------------------------------------------------------------


def go_off() -> None:
    raise AssertionError("stored bytes were run")


class Bomb:
    """Its pickle calls a function when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return go_off, ()


@pytest.mark.parametrize("head", [b"", FORMAT], ids=["bare", "with-our-format"])
async def test_23_stored_bytes_are_never_run(stage: Stage, head: bytes) -> None:
    """Stored values were decoded by a decoder that builds arbitrary terms."""
    data = head + pickle.dumps(Bomb())
    chord, backend = await stage.open(), await stage.connect()
    await backend.commit(make_birth("state", snapshot=Snapshot(1, data)))
    await backend.commit(make_birth(snapshot=Snapshot(1, FORMAT + b"\x80")))
    await backend.commit(make_step(BORN, entries=(make_entry(2, changes=data),)))
    for context_id in ("state", ROOM):
        with pytest.raises(CorruptData):
            await chord.get_context(context_id)


def test_23_nothing_of_ours_imports_what_runs_bytes() -> None:
    """A module that can run what it decodes was within reach."""
    found: set[str] = set()
    for path in Path(library.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    assert "msgspec" in found
    assert not found & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


async def count_steps(call: Awaitable[Any]) -> int:
    """How many lines of Python are carried out until a call is answered, each as often as it is."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal steps
        steps += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await call
    finally:
        sys.settrace(before)
    return steps


async def test_24_a_clean_up_costs_what_is_due() -> None:
    """Each pass of the clean-up copied and sorted every delta of every context."""
    clock = ManualClock()
    steps = []
    async with StatelessChord.open("memory://", clock=clock, watch_poll=None, **DUE) as chord:
        for number in range(200):
            await chord.set_context(f"young-{number}", {})
            for n in range(10):
                await chord.update_context(f"young-{number}", {"n": n})
            clock.jump(-20)
            await chord.set_context("due", {})
            clock.jump(20)
            steps.append(await count_steps(chord.cleanup()))
        assert len(await chord.list_contexts(limit=1000)) == 200
    assert max(steps) < 1.5 * min(steps)


async def test_24_a_sync_costs_what_the_client_lacks() -> None:
    """The cost of a sync grew with all the history that was ever kept."""
    steps = []
    async with StatelessChord.open("memory://", delta_threshold=10_000, watch_poll=None) as chord:
        await chord.set_context("a", {"n": 0})
        for n in range(1, 2001):
            commit = await chord.update_context("a", {"n": n})
            if n % 500 == 10:
                since = commit.position.version - 2
                steps.append(await count_steps(chord.sync_context("a", since)))
    assert max(steps) < 1.5 * min(steps)


async def test_24_the_log_does_not_grow_for_ever(stage: Stage) -> None:
    """All history was kept that there ever was."""
    await grow(await stage.open(delta_threshold=10, snapshot_every=10), 500)
    stored = await (await stage.connect()).load("a")
    assert stored
    assert len(stored.entries) < 50


# -- 26: how it is measured ----------------------------------------------------------------------


class Witness:
    """Passes calls on to a runtime, and remembers their names among the looks at a stopwatch."""

    def __init__(self, chord: Chord) -> None:
        self._chord = chord
        self.seen: list[str] = []

    def perf_counter(self) -> float:
        self.seen.append("look")
        return float(len(self.seen))

    def __getattr__(self, name: str) -> Any:
        self.seen.append(name)
        return getattr(self._chord, name)


async def test_26_the_set_up_is_not_timed(monkeypatch: pytest.MonkeyPatch, chord: Runtime) -> None:
    """The benchmark timed its set-up together with what it was to measure."""
    witness: Any = Witness(chord)
    monkeypatch.setattr(scenarios, "time", SimpleNamespace(perf_counter=witness.perf_counter))
    result = await scenarios.run(witness, scenarios.SINGLE)
    before, timed = witness.seen[:-52], witness.seen[-52:]
    assert before == ["set_context", "sync_context"]
    assert timed[0] == timed[-1] == "look"
    assert sorted({*timed[1:-1]}) == ["sync_context", "update_context"]
    assert result.seconds == 51.0


class ForgetfulBackend(MemoryBackend):
    """Acknowledges what it is given, and keeps it unless it forgets."""

    forgets = False

    async def commit(self, batch: Batch) -> None:
        if not self.forgets:
            await super().commit(batch)


@pytest.mark.parametrize("forgets", [False, True])
async def test_26_what_was_lost_is_counted(forgets: bool) -> None:
    """The benchmark never looked at what was kept."""
    backend = ForgetfulBackend()
    await backend.open()
    async with StatelessChord(backend) as chord, StatelessChord(backend) as reader:
        begun = await scenarios.prepare(chord, scenarios.SINGLE)
        backend.forgets = forgets
        found = await scenarios.audit(reader, await scenarios.act(chord, scenarios.SINGLE, begun))
    assert found.acknowledged == 34
    assert found.lost == (34 if forgets else 0)
