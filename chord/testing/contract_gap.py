"""Hold the part of the backend contract that is about batches that leave versions out."""

from __future__ import annotations

from typing import Any

import pytest

from chord.backends.base import Backend
from chord.errors import DuplicateOperation, Fenced, OwnedElsewhere, VersionConflict
from chord.position import Position
from chord.records import Batch, Fence, Operation, Snapshot, Stored
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_death,
    make_entry,
    make_rebirth,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import ContractFixtures, Elapse, Reopen

TTL = 10.0
HEAD = Position("e1", 3)
FAR = Position("e1", 11)


async def find(backend: Backend, **asked: Any) -> Stored:
    stored = await backend.load(ROOM, operations=None, **asked)
    assert stored
    return stored


async def list_versions(backend: Backend) -> list[int]:
    return [entry.version for entry in (await find(backend)).entries]


async def leap(backend: Backend, **fields: Any) -> Batch:
    """Store versions 1 to 3, then 9 to 11; return the second batch."""
    await backend.commit(make_birth(count=3, op_ids=("a", "b")))
    batch = make_step(HEAD, skip=5, count=3, **fields)
    await backend.commit(batch)
    return batch


class GapContract(ContractFixtures):
    # -- what there is then ------------------------------------------------------------------

    async def test_what_comes_behind_left_out_versions_takes_the_place_of_the_log(
        self, backend: Backend
    ) -> None:
        batch = await leap(backend)
        stored = await find(backend)
        assert (stored.position, stored.updated_at) == (FAR, 111.0)
        assert (stored.snapshot, stored.entries) == (batch.snapshot, batch.entries)
        assert await backend.heads([ROOM]) == {ROOM: FAR}
        assert [summary.position for summary in await backend.due(111.0, 5)] == [FAR]

    @pytest.mark.parametrize("version", [1, 3, 4, 7])
    async def test_after_what_the_log_no_longer_reaches_is_as_if_none_were_given(
        self, backend: Backend, version: int
    ) -> None:
        await leap(backend)
        assert await find(backend, after=Position("e1", version)) == await find(backend)

    @pytest.mark.parametrize("version", [8, 9, 10, 11])
    async def test_after_the_last_left_out_version_and_later_is_answered_by_entries(
        self, backend: Backend, version: int
    ) -> None:
        await leap(backend)
        stored = await find(backend, after=Position("e1", version))
        assert (stored.position, stored.snapshot) == (FAR, None)
        assert [entry.version for entry in stored.entries] == list(range(version + 1, 12))

    async def test_a_snapshot_may_be_of_any_of_the_entries(self, backend: Backend) -> None:
        batch = await leap(backend, snapshot=Snapshot(9, b"state-9"))
        stored = await find(backend)
        assert (stored.snapshot, stored.entries) == (batch.snapshot, batch.entries)

    async def test_it_may_trim_its_own_entries_too(self, backend: Backend) -> None:
        await leap(backend, snapshot=Snapshot(11, b"state-11"), trim_to=10)
        assert await list_versions(backend) == [11]

    async def test_it_may_leave_no_entry(self, backend: Backend) -> None:
        await leap(backend, trim_to=11)
        assert await list_versions(backend) == []
        await backend.commit(make_step(FAR))
        assert await list_versions(backend) == [12]

    async def test_its_trimming_never_goes_beyond_the_snapshot(self, backend: Backend) -> None:
        await leap(backend, snapshot=Snapshot(9, b"state-9"), trim_to=11)
        stored = await find(backend)
        assert stored.snapshot == Snapshot(9, b"state-9")
        assert [entry.version for entry in stored.entries] == [10, 11]

    async def test_versions_can_be_left_out_behind_an_empty_log(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, snapshot=Snapshot(3, b"state-3"), trim_to=3))
        await backend.commit(make_step(HEAD, skip=1, count=2))
        assert await list_versions(backend) == [5, 6]

    async def test_a_hundred_thousand_versions_can_be_left_out_again_and_again(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth(count=3))
        head = HEAD
        for _ in range(3):
            await backend.commit(make_step(head, skip=100_000, count=100))
            head = walk(head, 100_100)
        stored = await find(backend)
        assert (stored.position, len(stored.entries)) == (head, 100)
        assert stored.snapshot == Snapshot(head.version, b"state-%d" % head.version)

    # -- what stays as it was ----------------------------------------------------------------

    async def test_the_floor_stays(self, backend: Backend) -> None:
        await leap(backend)
        assert (await find(backend)).floor == 1

    async def test_the_floor_of_a_later_epoch_stays(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3))
        await backend.commit(make_rebirth(HEAD, Position("e2", 4)))
        await backend.commit(make_step(Position("e2", 4), skip=2))
        assert (await find(backend)).floor == 4
        assert (await find(backend, after=Position("e2", 4))).snapshot
        assert (await find(backend, after=Position("e2", 6))).snapshot is None

    async def test_op_ids_stay_and_are_joined_by_new_ones(self, backend: Backend) -> None:
        await leap(backend, op_ids=(None, "new"))
        assert (await find(backend)).operations == {
            "a": Operation(BORN, 101.0),
            "b": Operation(Position("e1", 2), 101.0),
            "new": Operation(Position("e1", 10), 111.0),
        }
        for op_id in ("a", "new"):
            with pytest.raises(DuplicateOperation):
                await backend.commit(make_step(FAR, skip=1, op_ids=(op_id,)))

    async def test_op_ids_are_forgotten_as_by_any_batch(self, backend: Backend) -> None:
        await leap(backend, op_ids=("new",), forget_before=101.5)
        assert set((await find(backend)).operations) == {"new"}

    # -- what goes on from there -------------------------------------------------------------

    async def test_the_log_goes_on_from_there(self, backend: Backend) -> None:
        await leap(backend)
        await backend.commit(make_step(FAR, count=2))
        await backend.commit(make_step(walk(FAR, 2), snapshot=Snapshot(14, b""), trim_to=9))
        assert await list_versions(backend) == [10, 11, 12, 13, 14]
        assert len((await find(backend, after=Position("e1", 11))).entries) == 3

    async def test_lives_end_and_begin_as_ever(self, backend: Backend) -> None:
        await leap(backend)
        await backend.commit(make_rebirth(FAR, Position("e2", 12)))
        assert await list_versions(backend) == [12]
        await backend.commit(make_step(Position("e2", 12), skip=4))
        await backend.commit(make_death(Position("e2", 17)))
        assert await backend.load(ROOM) is None
        await backend.commit(make_birth(epoch="e3"))
        assert await list_versions(backend) == [1]

    async def test_it_outlives_the_backend(self, backend: Backend, reopen: Reopen) -> None:
        await leap(backend)
        before = await find(backend)
        again = await reopen(backend)
        assert await find(again) == before
        await again.commit(make_step(FAR))

    # -- the index of what can be trimmed ----------------------------------------------------

    async def test_trim_goes_by_the_time_of_what_came_in_place(self, backend: Backend) -> None:
        entries = tuple(make_entry(9 + i, updated_at=500.0 + 100 * i) for i in range(3))
        await leap(backend, entries=entries)
        assert await backend.trim(400.0, 10) == 0
        assert await backend.trim(550.0, 10) == 1
        assert await list_versions(backend) == [10, 11]

    async def test_trim_sees_what_came_behind_a_log_it_did_not_see(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN, skip=2, count=2))
        assert await backend.trim(1e9, 10) == 1
        assert await list_versions(backend) == [5]

    async def test_trim_keeps_the_newest_where_one_entry_came_behind(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth(count=3))
        await backend.commit(make_step(HEAD, skip=2))
        assert await backend.trim(1e9, 10) == 0
        assert await list_versions(backend) == [6]

    # -- refusals ----------------------------------------------------------------------------

    @pytest.mark.parametrize("fenced", [False, True], ids=["without fence", "with fence"])
    @pytest.mark.parametrize(
        "expect", [Position("e1", 2), Position("e1", 4), Position("e0", 3)], ids=str
    )
    async def test_a_stale_expectation_is_refused_and_changes_nothing(
        self, backend: Backend, expect: Position, fenced: bool
    ) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a",)))
        held = await self._take(backend) if fenced else {}
        before = await find(backend)
        with pytest.raises(VersionConflict) as conflict:
            await backend.commit(make_step(expect, skip=5, op_ids=("b",), **held))
        assert (conflict.value.expected, conflict.value.actual) == (expect, HEAD)
        assert await find(backend) == before
        assert await backend.trim(1e9, 10) == 1

    async def test_a_known_operation_is_refused_and_nothing_changed(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a",)))
        before = await find(backend)
        with pytest.raises(DuplicateOperation):
            await backend.commit(make_step(HEAD, skip=5, count=2, op_ids=("b", "a")))
        assert await find(backend) == before

    async def test_it_is_written_under_a_lease_and_prolongs_it(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth(count=3))
        held = await self._take(backend)
        await elapse(TTL * 0.75, ROOM)
        await backend.commit(make_step(HEAD, skip=5, **held))
        await elapse(TTL * 0.75, ROOM)
        assert await list_versions(backend) == [9]
        with pytest.raises(OwnedElsewhere):
            await self._take(backend, "bob")

    async def test_another_token_or_none_is_refused_and_nothing_changed(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth(count=3))
        fence = (await self._take(backend))["fence"]
        before = await find(backend)
        other = Fence("ana", fence.term + 1)
        with pytest.raises(Fenced):
            await backend.commit(make_step(HEAD, skip=5, fence=other, lease_ttl=TTL))
        with pytest.raises(OwnedElsewhere):
            await backend.commit(make_step(HEAD, skip=5))
        assert await find(backend) == before

    async def test_it_does_not_pass_a_mark(self, backend: Backend, elapse: Elapse) -> None:
        await backend.commit(make_birth(count=3))
        await self._take(backend, fresh_epoch="e2")
        await elapse(TTL, ROOM)
        with pytest.raises(VersionConflict):
            await backend.commit(make_step(HEAD, skip=5))
        assert await list_versions(backend) == [1, 2, 3]

    async def test_an_epoch_that_a_lease_begins_goes_on_behind_it(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        batch = await leap(backend)
        await self._take(backend, fresh_epoch="e2")
        await elapse(TTL, ROOM)
        held = await self._take(backend, "bob", fresh_epoch="e3")
        stored = await find(backend)
        assert (stored.position, stored.floor) == (Position("e3", 11), 11)
        assert stored.entries == batch.entries
        await backend.commit(make_step(Position("e3", 11), skip=2, count=2, **held))
        stored = await find(backend)
        assert (stored.floor, [entry.version for entry in stored.entries]) == (11, [14, 15])

    async def _take(
        self, backend: Backend, owner: str = "ana", fresh_epoch: str | None = None
    ) -> dict[str, Any]:
        """Take the lease; return the fields of a batch that is written under it."""
        grant = await backend.acquire(ROOM, owner, ttl=TTL, address="", fresh_epoch=fresh_epoch)
        return {"fence": grant.fence, "lease_ttl": TTL}
