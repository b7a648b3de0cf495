"""Hold the part of the backend contract that is about opening, closing and what is kept."""

from __future__ import annotations

import asyncio

import pytest

from chord.backends.base import Backend
from chord.errors import BackendUnavailable, OwnedElsewhere
from chord.position import Position
from chord.records import Batch, Fence
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_step
from chord.testing.contract_fixtures import ContractFixtures, Elapse, Reopen


class LifecycleContract(ContractFixtures):
    async def test_the_address_is_told(self, backend: Backend) -> None:
        assert backend.address

    async def test_closing_twice_is_harmless(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.close()
        await backend.close()

    async def test_a_closed_backend_is_unavailable(self, backend: Backend) -> None:
        await backend.close()
        calls = [
            backend.load(ROOM),
            backend.commit(make_birth()),
            backend.heads([ROOM]),
            backend.list("", None, 1),
            backend.due(1.0, 1),
            backend.trim(1.0, 1),
            backend.acquire(ROOM, "ana", ttl=1.0, address="", fresh_epoch=None),
            backend.renew({ROOM: Fence("ana", 1)}, 1.0),
            backend.release(ROOM, Fence("ana", 1)),
            backend.flush(),
        ]
        for call in calls:
            with pytest.raises(BackendUnavailable):
                await call

    async def test_closing_finishes_what_is_under_way(self, backend: Backend) -> None:
        calls = [asyncio.ensure_future(backend.commit(make_birth(f"c:{i}"))) for i in range(20)]
        await asyncio.sleep(0)
        await backend.close()
        assert await asyncio.gather(*calls) == [None] * 20

    async def test_flush_returns(self, backend: Backend) -> None:
        await backend.flush()
        await backend.commit(make_birth())
        await backend.flush()
        assert await backend.heads([ROOM]) == {ROOM: BORN}

    async def test_what_was_committed_outlives_the_backend(
        self, backend: Backend, reopen: Reopen
    ) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a", "b")))
        before = await backend.load(ROOM, operations=None)
        again = await reopen(backend)
        assert await again.load(ROOM, operations=None) == before
        assert [summary.context_id for summary in await again.list("", None, 5)] == [ROOM]
        await again.commit(make_step(Position("e1", 3)))

    async def test_leases_and_marks_outlive_the_backend(
        self, backend: Backend, reopen: Reopen, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        grant = await backend.acquire(ROOM, "ana", ttl=10.0, address="", fresh_epoch="e2")
        again = await reopen(backend)
        with pytest.raises(OwnedElsewhere):
            await again.acquire(ROOM, "bob", ttl=10.0, address="", fresh_epoch=None)
        fenced: Batch = make_step(BORN, fence=grant.fence, lease_ttl=10.0)
        await again.commit(fenced)
        other = await again.acquire("other", "ana", ttl=10.0, address="", fresh_epoch=None)
        assert other.fence != grant.fence
