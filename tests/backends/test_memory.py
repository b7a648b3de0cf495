"""Test the memory backend: the contract, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.testing.contract import BackendContract
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_death, make_step
from chord.testing.contract_fixtures import Reopen

pytestmark = pytest.mark.anyio


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    async def backend(self, clock: ManualClock) -> AsyncIterator[MemoryBackend]:
        backend = MemoryBackend(clock=clock)
        await backend.open()
        yield backend
        backend.check()
        await backend.close()

    @pytest.fixture
    def reopen(self) -> Reopen:
        async def reopen(backend: Backend) -> Backend:
            await backend.close()
            await backend.open()
            return backend

        return reopen


@pytest.fixture
async def store() -> MemoryBackend:
    backend = MemoryBackend(clock=ManualClock())
    await backend.open()
    return backend


async def test_two_stores_share_nothing(store: MemoryBackend) -> None:
    other = MemoryBackend()
    await other.open()
    await store.commit(make_birth())
    assert await other.load(ROOM) is None


async def test_what_is_deleted_leaves_no_memory_in_use(store: MemoryBackend) -> None:
    await store.commit(make_birth(op_ids=("op",)))
    await store.commit(make_death(BORN))
    grant = await store.acquire(ROOM, "ana", ttl=1.0, address="", fresh_epoch="e2")
    await store.release(ROOM, grant.fence)
    store.check()
    assert store.statistics() == {"contexts": 0, "entries": 0, "leases": 0, "bytes": 0}
    assert not store._slots


async def test_a_refused_creation_leaves_no_memory_in_use(store: MemoryBackend) -> None:
    with pytest.raises(Exception, match=ROOM):
        await store.commit(make_step(BORN))
    assert not store._slots


async def test_a_wall_clock_that_jumps_ends_no_lease() -> None:
    clock = ManualClock()
    store = MemoryBackend(clock=clock)
    await store.open()
    grant = await store.acquire(ROOM, "ana", ttl=10.0, address="", fresh_epoch=None)
    clock.jump(1e6)
    with pytest.raises(Exception, match="ana"):
        await store.acquire(ROOM, "bob", ttl=10.0, address="", fresh_epoch=None)
    assert await store.release(ROOM, grant.fence)


async def test_statistics_count_what_is_held(store: MemoryBackend) -> None:
    await store.commit(make_birth(count=3))
    assert store.statistics() == {"contexts": 1, "entries": 3, "leases": 0, "bytes": 34}
    assert repr(store) == "<MemoryBackend open=True contexts=1>"
