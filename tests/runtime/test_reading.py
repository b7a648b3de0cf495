"""Test what `get` and `sync` answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    REMOVE,
    Added,
    ContextNotFound,
    DeltaUpdate,
    FullContext,
    Increment,
    Modified,
    NoChange,
    Position,
    Replica,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.kinds import storing
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


async def grow(chord: Runtime, versions: int, context_id: str = "a") -> list[Position]:
    """Make a context and bring it to that version: all its positions, the first at index 1."""
    commit = await chord.set_context(context_id, {"n": 1})
    positions = [Position(commit.position.epoch, 0), commit.position]
    for n in range(2, versions + 1):
        commit = await chord.update_context(context_id, {"n": n})
        positions.append(commit.position)
    return positions


async def test_get_returns_the_context(stage: Stage, chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1})
    context = await chord.get_context("a")
    assert context.context_id == "a"
    assert context.state == {"n": 1}
    assert context.position == commit.position
    assert context.updated_at == stage.clock.time()


@pytest.mark.parametrize("call", ["get", "sync"])
async def test_where_there_is_no_context_it_is_not_found(chord: Runtime, call: str) -> None:
    with pytest.raises(ContextNotFound) as caught:
        await getattr(chord, f"{call}_context")("nowhere")
    assert isinstance(caught.value, KeyError)
    assert caught.value.context_id == "nowhere"


async def test_who_knows_nothing_gets_the_full_state(chord: Runtime) -> None:
    [*_, head] = await grow(chord, 3)
    for since in (None, 0, "0"):
        match await chord.sync_context("a", since):
            case FullContext(context, "requested"):
                assert context.state == {"n": 3}
                assert context.position == head
            case reply:
                pytest.fail(f"{since!r}: {reply}")


async def test_who_knows_the_latest_is_told_so(chord: Runtime) -> None:
    [*_, head] = await grow(chord, 3)
    for since in (head, str(head), 3, "3"):
        assert await chord.sync_context("a", since) == NoChange(head)


async def test_who_is_behind_gets_one_merged_delta(chord: Runtime) -> None:
    positions = await grow(chord, 5)
    for since in (positions[2], str(positions[2]), 2, "2"):
        match await chord.sync_context("a", since):
            case DeltaUpdate(delta):
                assert delta.changes == {"n": Modified(2, 5)}
                assert (delta.from_version, delta.version) == (2, 5)
                assert delta.epoch == positions[0].epoch
                assert delta.conflated
            case reply:
                pytest.fail(f"{since!r}: {reply}")


async def test_who_is_one_behind_gets_the_delta_of_that_version(chord: Runtime) -> None:
    positions = await grow(chord, 5)
    reply = await chord.sync_context("a", positions[4])
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"n": Modified(4, 5)}
    assert not reply.delta.conflated


async def test_who_knows_another_life_gets_the_full_state(chord: Runtime) -> None:
    positions = await grow(chord, 5)
    for since in (Position("another", 3), "another:5", "another:999"):
        reply = await chord.sync_context("a", since)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
        assert reply.context.position == positions[5]


async def test_who_is_ahead_gets_the_full_state(chord: Runtime) -> None:
    [*_, head] = await grow(chord, 3)
    for since in (Position(head.epoch, 4), f"{head.epoch}:999", 4, "4"):
        reply = await chord.sync_context("a", since)
        assert isinstance(reply, FullContext)
        assert reply.reason == "ahead"
        assert reply.context.state == {"n": 3}


@pytest.mark.parametrize(
    "since",
    ["", "x", "-3", -3, 1.0, True, "1.0", ":1", "e:", "e:-1", "e:x", "e:f:1", "²", b"1", [], " 1"],
)
async def test_what_is_no_position_and_no_version_is_refused(chord: Runtime, since: Any) -> None:
    await grow(chord, 3)
    with pytest.raises(ValueError, match="since"):
        await chord.sync_context("a", since)


async def test_the_threshold_is_exact(stage: Stage) -> None:
    chord = await stage.open(delta_threshold=3)
    positions = await grow(chord, 10)
    reply = await chord.sync_context("a", positions[7])
    assert isinstance(reply, DeltaUpdate)
    reply = await chord.sync_context("a", positions[6])
    assert isinstance(reply, FullContext)
    assert reply.reason == "compacted"


async def test_the_threshold_is_exact_for_who_reads_from_the_store(stage: Stage) -> None:
    there = await stage.open()
    positions = await grow(there, 30)
    await there.flush()
    chord = await stage.open(delta_threshold=3)
    assert isinstance(await chord.sync_context("a", positions[27]), DeltaUpdate)
    reply = await chord.sync_context("a", positions[26])
    assert isinstance(reply, FullContext)
    assert reply.reason == "compacted"


async def test_old_deltas_are_not_served(stage: Stage) -> None:
    chord = await stage.open(delta_ttl=100.0)
    positions = await grow(chord, 3)
    stage.clock.advance(60)
    await chord.update_context("a", {"n": 4})
    stage.clock.advance(60)
    reply = await chord.sync_context("a", positions[3])
    assert isinstance(reply, DeltaUpdate)
    reply = await chord.sync_context("a", positions[2])
    assert isinstance(reply, FullContext)
    assert reply.reason == "compacted"


async def test_of_a_large_state_the_delta_is_served_while_it_is_smaller(stage: Stage) -> None:
    chord = await stage.open(snapshot_every=1)
    first = await chord.set_context("a", {"blob": "x" * 5000, "n": 0})
    await chord.update_context("a", {"n": 1})
    assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)
    await chord.update_context("a", {"blob": "y" * 5000})
    await chord.flush()
    reply = await chord.sync_context("a", first.position)
    assert isinstance(reply, FullContext)
    assert reply.reason == "smaller"


async def test_of_a_small_state_the_delta_is_always_served(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 0})
    for n in range(90):
        await chord.update_context("a", {"n": n + 1})
    assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)


async def test_what_comes_to_nothing_is_an_empty_delta_that_leads_on(chord: Runtime) -> None:
    positions = await grow(chord, 2)
    last = await chord.update_context("a", {"n": 1})
    reply = await chord.sync_context("a", positions[1])
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {}
    assert reply.delta.position == last.position


async def test_a_key_that_goes_and_comes_back_is_one_change(chord: Runtime) -> None:
    first = await chord.set_context("a", {"x": {"y": 1}, "z": 1})
    await chord.update_context("a", {"x": REMOVE, "z": REMOVE})
    await chord.update_context("a", {"x": {"y": 2}, "z": 1})
    reply = await chord.sync_context("a", first.position)
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"x": {"y": Modified(1, 2)}}


async def test_a_key_that_is_new_to_the_client_is_added(chord: Runtime) -> None:
    first = await chord.set_context("a", {})
    await chord.update_context("a", {"x": 1})
    await chord.update_context("a", {"x": {"y": 2}})
    reply = await chord.sync_context("a", first.position)
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"x": Added({"y": 2})}


async def test_deltas_outlive_the_runtime(stage: Stage) -> None:
    there = await stage.open()
    positions = await grow(there, 20)
    await there.flush()
    chord = await stage.open()
    reply = await chord.sync_context("a", positions[1])
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"n": Modified(1, 20)}


async def test_deltas_from_behind_a_snapshot_outlive_the_runtime(stage: Stage) -> None:
    there = await stage.open(snapshot_every=2, delta_threshold=10)
    positions = await grow(there, 40)
    await there.flush()
    chord = await stage.open(delta_threshold=10)
    reply = await chord.sync_context("a", positions[30])
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"n": Modified(30, 40)}
    backend = await stage.connect()
    stored = await backend.load("a")
    assert stored is not None
    assert len(stored.entries) < 40


@pytest.mark.parametrize("snapshot_every", [0, 1, 3, 1000])
async def test_a_replica_equals_the_server_from_wherever_it_syncs(
    stage: Stage, snapshot_every: int
) -> None:
    chord = await stage.open(snapshot_every=snapshot_every, delta_threshold=5)
    replicas = []
    await chord.set_context("a", {"log": [], "people": {}})
    for n in range(12):
        replica = Replica()
        replica.receive(await chord.sync_context("a"))
        replicas.append(replica)
        await chord.update_context(
            "a", {"log": list(range(n)), "people": {f"p{n}": {"n": n}, f"p{n - 2}": REMOVE}}
        )
    await chord.flush()
    elsewhere = await stage.open(delta_threshold=5)
    context = await chord.get_context("a")
    for replica in replicas:
        replica.receive(await elsewhere.sync_context("a", replica.since))
        assert replica.state == context.state
        assert replica.position == context.position


async def test_reading_renews_nothing(stage: Stage, chord: Runtime) -> None:
    [*_, head] = await grow(chord, 2)
    began = stage.clock.time()
    stage.clock.advance(50)
    await chord.get_context("a")
    await chord.sync_context("a", head)
    [summary] = await chord.list_contexts()
    assert summary.updated_at == began


async def test_all_who_ask_the_same_get_the_same_delta(chord: Runtime) -> None:
    positions = await grow(chord, 5)
    replies = [await chord.sync_context("a", positions[2]) for _ in range(3)]
    deltas = [reply.delta for reply in replies if isinstance(reply, DeltaUpdate)]
    assert len(deltas) == 3
    assert all(delta is deltas[0] for delta in deltas)


@storing
async def test_a_reader_elsewhere_sees_what_was_acknowledged_before(
    stage: Stage, chord: Runtime
) -> None:
    elsewhere = await stage.open()
    await chord.set_context("a", {"n": 0})
    for n in range(1, 10):
        await chord.update_context("a", {"n": n})
        assert (await elsewhere.get_context("a")).state == {"n": n}


async def test_a_reader_elsewhere_sees_what_was_flushed_before(
    stage: Stage, chord: Runtime
) -> None:
    elsewhere = await stage.open()
    await chord.set_context("a", {"n": 0})
    for n in range(1, 10):
        await chord.update_context("a", {"n": n})
        await chord.flush("a")
        assert (await elsewhere.get_context("a")).state == {"n": n}


async def test_what_was_acknowledged_is_read_however_long_ago_that_was(
    stage: Stage, chord: Runtime
) -> None:
    first = await chord.set_context("a", {"n": 1})
    last = await chord.update_context("a", {"n": 2})
    for seconds in (1.0, 9.0, 60.0, 3600.0):
        stage.clock.advance(seconds)
        assert (await chord.get_context("a")).position == last.position
        assert (await chord.sync_context("a", first.position)).position == last.position


async def test_readers_beside_a_writer_always_find_a_whole_context(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0, "m": 0})
    seen: list[int] = []

    async def read() -> None:
        while not seen or seen[-1] < 30:
            context = await chord.get_context("a")
            assert context.state["n"] == context.state["m"] == context.position.version - 1
            seen.append(context.state["n"])
            await asyncio.sleep(0)

    reading = asyncio.create_task(read())
    for _ in range(30):
        await chord.update_context("a", {"n": Increment(), "m": Increment()})
    await reading
    assert seen == sorted(seen)
