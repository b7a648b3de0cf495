"""Test a runtime whose store goes back behind what it acknowledged, as after a failover."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chord import DeltaUpdate, FullContext, MemoryBackend, Position, StatelessChord
from chord.records import Batch

pytestmark = pytest.mark.anyio


class ForgetfulBackend(MemoryBackend):
    """Forgets the next commit, once it is told to, after having acknowledged it."""

    forgets = False

    async def commit(self, batch: Batch) -> None:
        if not self.forgets:
            await super().commit(batch)
        self.forgets = False


@pytest.fixture
async def backend() -> ForgetfulBackend:
    backend = ForgetfulBackend()
    await backend.open()
    return backend


@pytest.fixture
async def chord(backend: ForgetfulBackend) -> AsyncIterator[StatelessChord]:
    async with StatelessChord(backend, commit_attempts=2) as chord:
        yield chord


@pytest.fixture(autouse=True)
async def lost(chord: StatelessChord, backend: ForgetfulBackend) -> Position:
    """The version 2 of a context that was acknowledged; the store has version 1."""
    await chord.set_context("room", {"n": 0})
    backend.forgets = True
    return (await chord.update_context("room", {"lost": True})).position


async def test_reads_tell_what_the_store_has(chord: StatelessChord) -> None:
    assert (await chord.get_context("room")).state == {"n": 0}


async def test_a_client_that_was_shown_the_lost_version_gets_the_full_state(
    chord: StatelessChord, lost: Position
) -> None:
    reply = await chord.sync_context("room", since=lost)
    assert isinstance(reply, FullContext)
    assert reply.context.state == {"n": 0}


@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_the_next_write_begins_a_new_epoch(
    chord: StatelessChord, lost: Position, reads: int
) -> None:
    for _ in range(reads):
        await chord.get_context("room")
    commit = await chord.update_context("room", {"n": 1})
    assert commit.position.epoch != lost.epoch
    assert (await chord.get_context("room")).state == {"n": 1}


async def test_once_the_new_epoch_began_deltas_are_served_again(chord: StatelessChord) -> None:
    first = await chord.update_context("room", {"n": 1})
    await chord.update_context("room", {"n": 2})
    assert isinstance(await chord.sync_context("room", since=first.position), DeltaUpdate)
