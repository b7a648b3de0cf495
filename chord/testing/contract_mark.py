"""Hold the part of the backend contract that is about the open mark and unclean ends."""

from __future__ import annotations

import pytest

from chord.backends.base import Backend
from chord.errors import VersionConflict
from chord.position import Position
from chord.records import Fence, Grant, Operation, Snapshot, Stored
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_death,
    make_rebirth,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import ContractFixtures, Elapse

TTL = 10.0


async def mark(backend: Backend, owner: str = "ana", epoch: str | None = "fresh") -> Grant:
    return await backend.acquire(ROOM, owner, ttl=TTL, address="", fresh_epoch=epoch)


async def find(backend: Backend) -> Stored:
    stored = await backend.load(ROOM, operations=None)
    assert stored
    return stored


class MarkContract(ContractFixtures):
    async def test_a_first_mark_keeps_the_epoch(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        grant = await mark(backend)
        assert grant.stored
        assert (grant.stored.position, grant.stored.unclean) == (BORN, False)

    async def test_a_mark_is_not_unclean_while_its_lease_lives(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        await elapse(TTL / 2, ROOM)
        assert not (await find(backend)).unclean

    async def test_a_mark_is_unclean_once_its_lease_has_lapsed(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        await elapse(TTL, ROOM)
        assert (await find(backend)).unclean

    async def test_a_lease_without_mark_lapses_clean(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        await mark(backend, epoch=None)
        await elapse(TTL, ROOM)
        assert not (await find(backend)).unclean
        await backend.commit(make_step(BORN))

    async def test_releasing_clears_the_mark(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        fence = (await mark(backend)).fence
        assert await backend.release(ROOM, fence)
        assert not (await find(backend)).unclean
        grant = await mark(backend, "bob")
        assert grant.stored
        assert grant.stored.position == BORN

    async def test_a_release_that_is_refused_leaves_the_mark(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        fence = (await mark(backend)).fence
        assert not await backend.release(ROOM, Fence("ana", fence.term + 1))
        await elapse(TTL, ROOM)
        assert (await find(backend)).unclean

    async def test_taking_past_a_mark_begins_a_new_epoch(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth(count=3, op_ids=("op",)))
        before = await find(backend)
        await mark(backend)
        await elapse(TTL, ROOM)
        grant = await mark(backend, "bob", "e2")
        stored = grant.stored
        assert stored
        assert (stored.position, stored.floor) == (Position("e2", 3), 3)
        assert (stored.snapshot, stored.entries) == (before.snapshot, before.entries)
        assert (stored.updated_at, stored.unclean) == (before.updated_at, False)
        assert stored.operations == before.operations == {"op": Operation(BORN, 101.0)}
        assert await find(backend) == stored
        assert await backend.heads([ROOM]) == {ROOM: Position("e2", 3)}

    async def test_nothing_from_before_the_floor_is_loaded_as_a_tail(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth(count=3))
        await mark(backend)
        await elapse(TTL, ROOM)
        fence = (await mark(backend, "bob", "e2")).fence
        await backend.commit(make_step(Position("e2", 3), fence=fence, lease_ttl=TTL))
        whole = await find(backend)
        for after in (Position("e1", 3), Position("e2", 2)):
            assert await backend.load(ROOM, after=after, operations=None) == whole
        behind = await backend.load(ROOM, after=Position("e2", 3))
        assert behind
        assert [entry.version for entry in behind.entries] == [4]
        assert behind.snapshot is None

    async def test_a_new_epoch_is_marked_like_the_one_before(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        for i in range(2, 5):
            await mark(backend, f"owner-{i}", f"e{i}")
            await elapse(TTL, ROOM)
        assert (await find(backend)).position == Position("e4", 1)
        assert (await find(backend)).unclean

    async def test_the_same_owner_goes_past_its_own_mark(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        grant = await mark(backend, epoch="e2")
        assert grant.stored
        assert grant.stored.position == Position("e2", 1)

    async def test_taking_without_fresh_epoch_leaves_the_mark_alone(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        await elapse(TTL, ROOM)
        grant = await mark(backend, "bob", None)
        assert grant.stored
        assert (grant.stored.position, grant.stored.unclean) == (BORN, True)
        assert not (await find(backend)).unclean
        await elapse(TTL, ROOM)
        assert (await find(backend)).unclean

    async def test_a_context_created_under_a_mark_is_marked(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        fence = (await mark(backend)).fence
        await backend.commit(make_birth(fence=fence, lease_ttl=TTL))
        assert not (await find(backend)).unclean
        await elapse(TTL, ROOM)
        assert (await find(backend)).unclean

    async def test_a_token_writes_past_its_own_mark(self, backend: Backend, elapse: Elapse) -> None:
        await backend.commit(make_birth())
        fence = (await mark(backend)).fence
        await backend.commit(make_step(BORN, fence=fence, lease_ttl=TTL))
        await elapse(TTL, ROOM)
        await backend.commit(make_step(walk(BORN, 1), fence=fence, lease_ttl=TTL))
        await elapse(TTL, ROOM)
        assert (await find(backend)).unclean

    async def test_a_write_in_the_old_epoch_does_not_pass_the_mark(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        await elapse(TTL, ROOM)
        with pytest.raises(VersionConflict) as conflict:
            await backend.commit(make_step(BORN, snapshot=Snapshot(2, b"state-2")))
        assert conflict.value.actual == BORN
        stored = await find(backend)
        assert (stored.position, stored.unclean) == (BORN, True)

    async def test_a_write_that_begins_an_epoch_clears_the_mark(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        await mark(backend)
        await elapse(TTL, ROOM)
        await backend.commit(make_rebirth(BORN, Position("e2", 2)))
        stored = await find(backend)
        assert (stored.position, stored.unclean) == (Position("e2", 2), False)
        assert (stored.floor, stored.operations) == (2, {"op": Operation(BORN, 101.0)})
        await backend.commit(make_step(Position("e2", 2)))
        grant = await mark(backend, "bob", "e3")
        assert grant.stored
        assert grant.stored.position == Position("e2", 3)

    async def test_a_delete_clears_the_mark(self, backend: Backend, elapse: Elapse) -> None:
        await backend.commit(make_birth())
        await mark(backend)
        await elapse(TTL, ROOM)
        await backend.commit(make_death(BORN))
        assert await backend.load(ROOM) is None
        await backend.commit(make_birth(epoch="e2"))
        await backend.commit(make_step(Position("e2", 1)))

    async def test_creating_clears_a_mark_that_was_left_where_nothing_was(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await mark(backend)
        await elapse(TTL, ROOM)
        await backend.commit(make_birth())
        assert not (await find(backend)).unclean
        await backend.commit(make_step(BORN))

    async def test_a_mark_left_where_nothing_was_is_taken_over(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await mark(backend)
        await elapse(TTL, ROOM)
        grant = await mark(backend, "bob", "e2")
        assert grant.stored is None
        await backend.commit(make_birth(epoch="e3", fence=grant.fence, lease_ttl=TTL))
        assert (await find(backend)).position == Position("e3", 1)
