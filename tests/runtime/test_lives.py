"""Test the lives of a context: each begins anew, under an epoch of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    Commit,
    Context,
    ContextNotFound,
    DeltaUpdate,
    FullContext,
    Increment,
    Position,
    Replica,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


async def test_delete_answers_whether_there_was_one(chord: Runtime) -> None:
    assert await chord.delete_context("a") is False
    await chord.set_context("a", {})
    assert await chord.delete_context("a") is True
    assert await chord.delete_context("a") is False


async def test_after_delete_there_is_no_context(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1})
    await chord.delete_context("a")
    for call in (
        chord.get_context("a"),
        chord.sync_context("a"),
        chord.sync_context("a", commit.position),
        chord.update_context("a", {"n": 2}),
        chord.transform_context("a", lambda state: {"n": 2}),
    ):
        with pytest.raises(ContextNotFound):
            await call
    assert await chord.list_contexts() == []


async def test_delete_leaves_nothing_in_the_store(stage: Stage, chord: Runtime) -> None:
    backend = await stage.connect()
    await chord.set_context("a", {"n": 1}, op_id="op")
    await chord.update_context("a", {"n": 2})
    await chord.delete_context("a")
    assert await backend.load("a", operations=None) is None
    assert await backend.heads(["a"]) == {}
    assert await backend.due(stage.clock.time() + 1e9, 10) == []


async def test_the_next_life_has_another_epoch_and_begins_at_1(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    for n in range(5):
        await chord.update_context("a", {"n": 10 + n})
    await chord.delete_context("a")
    second = await chord.set_context("a", {"n": 1})
    assert second.position.version == 1
    assert second.position.epoch != first.position.epoch
    assert second.changed
    assert second.delta is not None
    assert second.delta.from_version == 0


async def test_an_epoch_is_never_given_out_twice(chord: Runtime) -> None:
    epochs = set()
    for _ in range(20):
        commit = await chord.set_context("a", {})
        epochs.add(commit.position.epoch)
        await chord.delete_context("a")
    assert len(epochs) == 20


@pytest.mark.parametrize("version", [1, 2, 3, 9])
async def test_a_client_of_an_earlier_life_gets_the_full_state(
    chord: Runtime, version: int
) -> None:
    first = await chord.set_context("a", {"n": 1, "old": 1})
    await chord.update_context("a", {"n": 2})
    await chord.delete_context("a")
    await chord.set_context("a", {"n": 3})
    await chord.update_context("a", {"n": 4})
    reply = await chord.sync_context("a", Position(first.position.epoch, version))
    assert isinstance(reply, FullContext)
    assert reply.reason == "epoch-changed"
    assert reply.context.state == {"n": 4}


async def test_another_process_learns_of_the_next_life(stage: Stage, chord: Runtime) -> None:
    elsewhere = await stage.open()
    await chord.set_context("a", {"n": 1})
    await elsewhere.get_context("a")
    await chord.delete_context("a")
    second = await chord.set_context("a", {"n": 2})
    context = await elsewhere.get_context("a")
    assert context.position == second.position
    assert context.state == {"n": 2}


async def test_another_process_learns_of_a_delete(stage: Stage, chord: Runtime) -> None:
    elsewhere = await stage.open()
    await chord.set_context("a", {"n": 1})
    await elsewhere.get_context("a")
    await chord.delete_context("a")
    with pytest.raises(ContextNotFound):
        await elsewhere.get_context("a")


async def test_delete_takes_its_turn(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    results: list[Any] = await asyncio.gather(
        chord.update_context("a", {"n": Increment()}),
        chord.update_context("a", {"n": Increment()}),
        chord.delete_context("a"),
        chord.set_context("a", {"m": 1}),
        chord.update_context("a", {"m": 2}),
        chord.delete_context("a"),
        chord.update_context("a", {"m": 3}),
        return_exceptions=True,
    )
    assert [result.position.version for result in results[:2]] == [2, 3]
    assert results[2] is True
    assert [result.position.version for result in results[3:5]] == [1, 2]
    assert results[3].position.epoch != results[0].position.epoch
    assert results[5] is True
    assert isinstance(results[6], ContextNotFound)


async def test_of_many_who_delete_one_did(chord: Runtime) -> None:
    await chord.set_context("a", {})
    answers = await asyncio.gather(*(chord.delete_context("a") for _ in range(5)))
    assert sorted(answers) == [False, False, False, False, True]


# -- a restored life -----------------------------------------------------------------------------


async def test_restore_begins_a_life_at_version_1_without_history(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 100})
    first = await chord.set_context("a", {"n": 1})
    for n in range(2, 5):
        last = await chord.update_context("a", {"n": n})
    commit = await chord.restore_context("a")
    assert commit.changed
    assert commit.position.version == 1
    assert commit.position.epoch != first.position.epoch
    assert commit.delta is not None
    assert commit.delta.from_version == 0
    for since in (first.position, last.position):
        reply = await chord.sync_context("a", since)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
    after = await chord.update_context("a", {"n": 101})
    assert after.position.version == 2
    assert isinstance(await chord.sync_context("a", commit.position), DeltaUpdate)


async def test_restoring_the_same_state_is_a_new_life_too(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 1})
    first = await chord.set_context("a", {"n": 1})
    commit = await chord.restore_context("a")
    assert commit.changed
    assert commit.position.epoch != first.position.epoch


async def test_a_replica_follows_from_life_to_life(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"restored": 1})
    replica = Replica()

    async def follow(step: Any) -> Context:
        assert isinstance(await step, Commit | bool)
        replica.receive(await chord.sync_context("a", replica.since))
        context = await chord.get_context("a")
        assert replica.state == context.state
        assert replica.position == context.position
        return context

    await follow(chord.set_context("a", {"x": 1}))
    await follow(chord.update_context("a", {"y": 1}))
    await chord.delete_context("a")
    await follow(chord.set_context("a", {"z": 1}))
    await follow(chord.restore_context("a"))
    await follow(chord.update_context("a", {"w": 1}))
    assert replica.state == {"restored": 1, "w": 1}
