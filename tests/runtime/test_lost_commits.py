"""Test a runtime whose store goes back behind what it acknowledged, as after a failover."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chord import DeltaUpdate, FullContext, MemoryBackend, Position, Settings
from chord.clock import ManualClock
from chord.records import Batch
from tests.runtime.kinds import RELAXED, STATEFUL, stateless
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.stage import MakeRuntime, Runtime
from tests.waiting import outcome_of

pytestmark = pytest.mark.anyio


class ForgetfulBackend(MemoryBackend):
    """Forgets the next commit, once it is told to, after having acknowledged it."""

    forgets = False

    async def commit(self, batch: Batch) -> None:
        if not self.forgets:
            await super().commit(batch)
        self.forgets = False


@pytest.fixture
async def backend(clock: ManualClock) -> ForgetfulBackend:
    backend = ForgetfulBackend(clock=clock)
    await backend.open()
    return backend


@pytest.fixture
async def chord(make_runtime: MakeRuntime, backend: ForgetfulBackend) -> AsyncIterator[Runtime]:
    async with make_runtime(backend, settings=Settings(commit_attempts=2)) as chord:
        yield chord


@pytest.fixture(autouse=True)
async def lost(chord: Runtime, backend: ForgetfulBackend) -> Position:
    """The version 2 of a context that was acknowledged; the store has version 1."""
    await chord.set_context("room", {"n": 0})
    backend.forgets = True
    commit = await chord.update_context("room", {"lost": True})
    await chord.flush()
    return commit.position


@stateless
async def test_reads_tell_what_the_store_has(chord: Runtime) -> None:
    assert (await chord.get_context("room")).state == {"n": 0}


@stateless
async def test_a_client_that_was_shown_the_lost_version_gets_the_full_state(
    chord: Runtime, lost: Position
) -> None:
    reply = await chord.sync_context("room", since=lost)
    assert isinstance(reply, FullContext)
    assert reply.context.state == {"n": 0}


@stateless
@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_the_next_write_begins_a_new_epoch(
    chord: Runtime, lost: Position, reads: int
) -> None:
    for _ in range(reads):
        await chord.get_context("room")
    commit = await chord.update_context("room", {"n": 1})
    assert commit.position.epoch != lost.epoch
    assert (await chord.get_context("room")).state == {"n": 1}


@stateless
async def test_once_the_new_epoch_began_deltas_are_served_again(chord: Runtime) -> None:
    first = await chord.update_context("room", {"n": 1})
    await chord.update_context("room", {"n": 2})
    assert isinstance(await chord.sync_context("room", since=first.position), DeltaUpdate)


# -- an owner, which does not ask the store what it knows ----------------------------------------

owning = pytest.mark.parametrize("make_runtime", [STATEFUL, *RELAXED])


async def find_out(chord: Runtime) -> None:
    """Write: it may be told that it was not applied, as the store is not where it was left."""
    await outcome_of(chord.update_context("room", {"found": "out"}))
    await outcome_of(chord.flush())


@owning
async def test_an_owner_goes_on_from_what_the_store_has(chord: Runtime) -> None:
    await find_out(chord)
    await chord.update_context("room", {"n": 1})
    assert (await chord.get_context("room")).state in ({"n": 1}, {"n": 1, "found": "out"})


@owning
async def test_once_an_owner_found_out_nothing_is_continued(chord: Runtime, lost: Position) -> None:
    await find_out(chord)
    reply = await chord.sync_context("room", since=lost)
    assert isinstance(reply, FullContext)
    assert "lost" not in reply.context.state
    commit = await chord.update_context("room", {"n": 1})
    assert commit.position.epoch != lost.epoch
    reply = await chord.sync_context("room", since=lost)
    assert isinstance(reply, FullContext)
    assert "lost" not in reply.context.state
    await chord.update_context("room", {"n": 2})
    assert isinstance(await chord.sync_context("room", since=commit.position), DeltaUpdate)


@owning
async def test_what_an_owner_found_out_holds_for_who_owns_it_next(
    make_runtime: MakeRuntime, backend: ForgetfulBackend, clock: ManualClock
) -> None:
    settings = Settings(clock=clock, watch_poll=None)
    async with make_runtime(backend, settings=settings) as first:
        lost = await lose_and_find_out(first, backend)
    clock.advance(2 * settings.lease_ttl)
    async with make_runtime(backend, settings=settings) as second:
        commit = await second.update_context("hall", {"n": 1})
        assert commit.position.epoch != lost.epoch
        assert isinstance(await second.sync_context("hall", lost), FullContext)


@owning
async def test_an_owner_that_found_out_gives_back_its_lease(
    make_runtime: MakeRuntime, backend: ForgetfulBackend
) -> None:
    async with make_runtime(backend, settings=Settings()) as first:
        await lose_and_find_out(first, backend)
    async with make_runtime(backend, settings=Settings()) as second:
        assert (await second.update_context("hall", {"n": 1})).changed


async def lose_and_find_out(chord: Runtime, backend: ForgetfulBackend) -> Position:
    """Have a version forgotten; return where that was."""
    await chord.set_context("hall", {"n": 0})
    backend.forgets = True
    lost = await chord.update_context("hall", {"lost": True})
    await chord.flush()
    await outcome_of(chord.update_context("hall", {"found": "out"}))
    await outcome_of(chord.flush())
    return lost.position
