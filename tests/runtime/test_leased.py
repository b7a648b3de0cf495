"""Test contexts that another runtime owns: they are read from the store, and not written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    Commit,
    DeltaUpdate,
    FullContext,
    NotApplied,
    OwnedElsewhere,
    Position,
    VersionGone,
)
from chord.records import Fence
from tests.runtime.kinds import stateful, stateless
from tests.runtime.stage import BRIEF, Runtime, Stage
from tests.runtime.test_watch import ask
from tests.waiting import turn

pytestmark = pytest.mark.anyio


async def lease(stage: Stage, *, ttl: float = 1000.0, fresh_epoch: str | None = None) -> Fence:
    """Own the context `a`, as a runtime in another process would."""
    backend = await stage.connect()
    grant = await backend.acquire("a", "owner", ttl=ttl, address="there:1", fresh_epoch=fresh_epoch)
    return grant.fence


async def write_once_lapsed(stage: Stage, chord: Runtime, n: int) -> Commit:
    """Write as soon as the lease has lapsed, by whichever clock the store goes."""
    for _ in range(1000):
        try:
            return await chord.update_context("a", {"n": n})
        except OwnedElsewhere:
            stage.clock.advance(0.001)
            await asyncio.sleep(0)
    raise AssertionError("the lease does not lapse")


async def test_it_can_be_read(stage: Stage, chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    await stage.let_go(chord)
    await lease(stage, fresh_epoch="owned")
    assert (await chord.get_context("a")).state == {"n": 2}
    assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)
    async with chord.watch_context("a") as replies:
        assert isinstance(await anext(replies), FullContext)
        waiting = ask(replies)
        await turn()
        assert not waiting.done()
        waiting.cancel()


async def test_it_cannot_be_written(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 9})
    first = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    await lease(stage)
    calls: list[Any] = [
        chord.set_context("a", {"n": 2}),
        chord.update_context("a", {"n": 2}),
        chord.update_context("a", {"n": 2}, create={}, ephemeral=True),
        chord.transform_context("a", lambda state: {"n": 2}),
        chord.delete_context("a"),
        chord.restore_context("a"),
    ]
    for call in calls:
        with pytest.raises(OwnedElsewhere) as caught:
            await call
        assert isinstance(caught.value, NotApplied)
        assert caught.value.context_id == "a"
        assert (caught.value.owner, caught.value.address) == ("owner", "there:1")
    assert (await chord.get_context("a")).position == first.position


async def test_one_that_is_not_there_yet_cannot_be_begun(stage: Stage, chord: Runtime) -> None:
    await lease(stage)
    with pytest.raises(OwnedElsewhere):
        await chord.set_context("a", {})
    assert await chord.list_contexts() == []


async def test_others_can_be_written(stage: Stage, chord: Runtime) -> None:
    await lease(stage)
    assert (await chord.set_context("b", {})).changed


async def test_once_the_lease_is_given_back_it_goes_on(stage: Stage, chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    fence = await lease(stage, fresh_epoch="owned")
    backend = await stage.connect()
    await backend.release("a", fence)
    commit = await chord.update_context("a", {"n": 2})
    assert commit.position == Position(first.position.epoch, 2)


async def test_once_a_clean_lease_has_lapsed_it_goes_on(stage: Stage, chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    fence = await lease(stage, ttl=0.001)
    commit = await write_once_lapsed(stage, chord, 2)
    assert commit.position == Position(first.position.epoch, 2)
    backend = await stage.connect()
    assert await backend.renew({"a": fence}, 10.0) == {"a"}


# -- an epoch that was not ended cleanly ---------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["cached", "not-cached"])
async def test_a_write_past_an_open_mark_begins_a_new_epoch(stage: Stage, known: bool) -> None:
    chord = await stage.open()
    await chord.set_context("a", {"n": 1, "m": {"x": 1}})
    before = await chord.update_context("a", {"n": 2})
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    writer = chord if known else await stage.open()
    commit = await write_once_lapsed(stage, writer, 3)
    assert commit.position.epoch not in (before.position.epoch, "unclean")
    assert commit.position.version == before.position.version + 1
    assert commit.context.state == {"n": 3, "m": {"x": 1}}
    after = await writer.update_context("a", {"n": 4})
    assert after.position == Position(commit.position.epoch, commit.position.version + 1)


async def test_no_delta_from_before_the_new_epoch_is_served(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    before = await chord.update_context("a", {"n": 2})
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    commit = await write_once_lapsed(stage, chord, 3)
    await chord.update_context("a", {"n": 4})
    for runtime in (chord, await stage.open()):
        reply = await runtime.sync_context("a", before.position)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
        reply = await runtime.sync_context("a", before.position.version - 1)
        assert isinstance(reply, FullContext)
        assert reply.context.state == {"n": 4}
        assert isinstance(await runtime.sync_context("a", commit.position), DeltaUpdate)


@stateless
async def test_the_new_epoch_begins_with_the_version_of_the_write(
    stage: Stage, chord: Runtime
) -> None:
    before = await chord.set_context("a", {"n": 1})
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    await write_once_lapsed(stage, chord, 2)
    for runtime in (chord, await stage.open()):
        reply = await runtime.sync_context("a", before.position.version)
        assert isinstance(reply, FullContext)
        assert reply.context.state == {"n": 2}


@stateful
async def test_the_new_epoch_begins_with_the_version_that_was_stored(
    stage: Stage, chord: Runtime
) -> None:
    before = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    commit = await write_once_lapsed(stage, chord, 1)
    assert not commit.changed
    assert commit.position.version == before.position.version
    assert commit.position.epoch not in (before.position.epoch, "unclean")
    last = await chord.update_context("a", {"n": 2})
    for runtime in (chord, await stage.open()):
        for since in (commit.position, commit.position.version):
            reply = await runtime.sync_context("a", since)
            assert isinstance(reply, DeltaUpdate)
            assert reply.delta.position == last.position


async def test_a_state_from_before_the_new_epoch_is_gone(stage: Stage, chord: Runtime) -> None:
    before = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    await write_once_lapsed(stage, chord, 2)
    with pytest.raises(VersionGone):
        _ = before.context


async def test_operations_outlive_the_new_epoch(stage: Stage) -> None:
    chord = await stage.open(**BRIEF)
    await chord.set_context("a", {"n": 1})
    first = await chord.update_context("a", {"n": 2}, op_id="op")
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    await write_once_lapsed(stage, chord, 3)
    for runtime in (chord, await stage.open()):
        if runtime is not chord:
            await stage.let_go(chord)
        again = await runtime.update_context("a", {"n": 2}, op_id="op")
        assert again.changed
        assert again.position == first.position
        assert again.delta is None
    assert (await chord.get_context("a")).state == {"n": 3}


async def test_what_is_read_past_an_open_mark_is_what_is_stored(
    stage: Stage, chord: Runtime
) -> None:
    commit = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    await lease(stage, ttl=0.001, fresh_epoch="unclean")
    stage.clock.advance(1.0)
    context = await chord.get_context("a")
    assert context.state == {"n": 1}
    assert context.position == commit.position
