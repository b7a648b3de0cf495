"""Hold the part of the backend contract that is about one commit: its checks and its atomicity."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from chord.backends.base import Backend
from chord.errors import (
    DuplicateOperation,
    Fenced,
    OwnedElsewhere,
    VersionConflict,
)
from chord.position import Position
from chord.records import Batch, Fence, Operation, Snapshot
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
from chord.testing.contract_fixtures import ContractFixtures

CONTRADICTIONS = {
    "no entries": make_birth(entries=()),
    "a hole between entries": make_birth(
        count=3, entries=(make_entry(1), make_entry(3)), snapshot=Snapshot(3, b"")
    ),
    "entries that end before the position": make_step(BORN, count=2, entries=(make_entry(2),)),
    "entries that begin too late": make_step(BORN, count=2, entries=(make_entry(3),)),
    "entries that begin too early": make_step(BORN, entries=(make_entry(1), make_entry(2))),
    "versions left out without a snapshot": make_step(BORN, skip=2, snapshot=None),
    "versions left out and not all before them trimmed": make_step(BORN, skip=2, trim_to=2),
    "versions left out and a snapshot of the last of them": make_step(
        BORN, skip=2, snapshot=Snapshot(3, b"")
    ),
    "versions left out and a hole behind them": make_step(
        BORN, skip=2, count=3, entries=(make_entry(4), make_entry(6))
    ),
    "versions that there are, with a snapshot": make_step(
        walk(BORN, 2), entries=(make_entry(3), make_entry(4)), snapshot=Snapshot(4, b""), trim_to=3
    ),
    "a new life without a snapshot": make_birth(snapshot=None),
    "a new epoch without a snapshot": make_rebirth(BORN, Position("e2", 2), snapshot=None),
    "a snapshot behind the head": make_step(BORN, snapshot=Snapshot(3, b"")),
    "a snapshot before the entries": make_step(BORN, snapshot=Snapshot(1, b"")),
    "an op id twice": make_step(BORN, count=2, op_ids=("same", "same")),
    "nothing deleted": Batch(context_id=ROOM, expect=None, position=None, updated_at=0.0),
    "a delete with entries": make_death(BORN, entries=(make_entry(1),)),
    "a delete with a snapshot": make_death(BORN, snapshot=Snapshot(1, b"")),
}


class CommitContract(ContractFixtures):
    # -- where the head is -------------------------------------------------------------------

    async def test_a_created_context_is_loaded_as_it_was_committed(self, backend: Backend) -> None:
        batch = make_birth(at=1234.5678)
        await backend.commit(batch)
        stored = await backend.load(ROOM)
        assert stored
        assert (stored.context_id, stored.position, stored.updated_at) == (ROOM, BORN, 1234.5678)
        assert (stored.snapshot, stored.entries) == (batch.snapshot, batch.entries)
        assert (stored.operations, stored.unclean) == ({}, False)

    async def test_a_step_moves_head_and_time(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN, at=250.25))
        stored = await backend.load(ROOM)
        assert stored
        assert (stored.position, stored.updated_at) == (Position("e1", 2), 250.25)

    async def test_time_may_go_back(self, backend: Backend) -> None:
        await backend.commit(make_birth(at=200.0))
        await backend.commit(make_step(BORN, at=150.0))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.updated_at == 150.0

    async def test_creating_what_there_is_conflicts(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        with pytest.raises(VersionConflict) as conflict:
            await backend.commit(make_birth(epoch="e2"))
        assert (conflict.value.expected, conflict.value.actual) == (None, BORN)
        assert conflict.value.context_id == ROOM

    async def test_changing_what_there_is_not_conflicts(self, backend: Backend) -> None:
        with pytest.raises(VersionConflict) as conflict:
            await backend.commit(make_step(BORN))
        assert (conflict.value.expected, conflict.value.actual) == (BORN, None)

    async def test_deleting_what_there_is_not_conflicts(self, backend: Backend) -> None:
        with pytest.raises(VersionConflict) as conflict:
            await backend.commit(make_death(BORN))
        assert conflict.value.actual is None

    @pytest.mark.parametrize(
        "expect", [Position("e1", 1), Position("e1", 3), Position("e0", 2)], ids=str
    )
    async def test_another_version_or_epoch_conflicts(
        self, backend: Backend, expect: Position
    ) -> None:
        await backend.commit(make_birth(count=2))
        for batch in (make_step(expect), make_death(expect)):
            with pytest.raises(VersionConflict) as conflict:
                await backend.commit(batch)
            assert conflict.value.actual == Position("e1", 2)

    async def test_a_refused_batch_changes_nothing(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("known",)))
        before = await backend.load(ROOM, operations=None)
        late = make_step(
            BORN, op_ids=("new",), snapshot=Snapshot(2, b"late"), trim_to=2, forget_before=1e9
        )
        refused = [late, make_death(BORN), make_rebirth(BORN, Position("e2", 2))]
        for batch in refused:
            with pytest.raises(VersionConflict):
                await backend.commit(batch)
        assert await backend.load(ROOM, operations=None) == before

    @pytest.mark.parametrize("batch", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
    async def test_a_batch_that_contradicts_itself_is_refused(
        self, backend: Backend, batch: Batch
    ) -> None:
        with pytest.raises(ValueError, match=ROOM):
            await backend.commit(batch)
        assert await backend.load(ROOM) is None

    # -- the order of the checks -------------------------------------------------------------

    async def test_the_fence_is_checked_before_op_ids_and_head(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        with pytest.raises(Fenced) as fenced:
            await backend.commit(
                make_step(Position("e0", 7), op_ids=("op",), fence=Fence("nobody", 1))
            )
        assert fenced.value.context_id == ROOM

    async def test_a_live_lease_is_checked_before_op_ids_and_head(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        await backend.acquire(ROOM, "ana", ttl=10.0, address="", fresh_epoch=None)
        with pytest.raises(OwnedElsewhere):
            await backend.commit(make_step(Position("e0", 7), op_ids=("op",)))

    async def test_op_ids_are_checked_before_the_head(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        with pytest.raises(DuplicateOperation) as duplicate:
            await backend.commit(make_step(Position("e0", 7), op_ids=("op",)))
        assert (duplicate.value.context_id, duplicate.value.op_id) == (ROOM, "op")

    # -- lives -------------------------------------------------------------------------------

    async def test_deleting_leaves_nothing_of_the_context(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        await backend.commit(make_death(BORN))
        assert await backend.load(ROOM, operations=None) is None
        assert await backend.heads([ROOM]) == {}
        assert not await backend.list("", None, 10)
        assert not await backend.due(1e9, 10)
        assert await backend.trim(1e9, 10) == 0

    async def test_a_deleted_context_can_be_created_anew(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("op",)))
        await backend.commit(make_death(Position("e1", 3)))
        batch = make_birth(epoch="e2", op_ids=("op",))
        await backend.commit(batch)
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert (stored.position, stored.entries) == (Position("e2", 1), batch.entries)
        assert stored.operations == {"op": Operation(Position("e2", 1), 101.0)}

    async def test_deleting_one_context_leaves_the_others(self, backend: Backend) -> None:
        names = [ROOM, ROOM + "1", ROOM[:-1], ROOM.upper()]
        for name in names:
            await backend.commit(make_birth(name))
        await backend.commit(make_death(BORN))
        assert await backend.heads(names) == dict.fromkeys(names[1:], BORN)
        for name in names[1:]:
            stored = await backend.load(name)
            assert stored
            assert len(stored.entries) == 1

    async def test_a_new_epoch_wipes_the_log(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3))
        batch = make_rebirth(Position("e1", 3), Position("e2", 1))
        await backend.commit(batch)
        stored = await backend.load(ROOM)
        assert stored
        assert (stored.position, stored.floor) == (Position("e2", 1), 1)
        assert (stored.snapshot, stored.entries) == (batch.snapshot, batch.entries)

    async def test_a_new_epoch_may_go_on_counting(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3))
        batch = make_rebirth(Position("e1", 3), Position("e2", 4))
        await backend.commit(batch)
        stored = await backend.load(ROOM)
        assert stored
        assert (stored.position, stored.floor) == (Position("e2", 4), 4)
        assert stored.entries == batch.entries

    # -- at the same time --------------------------------------------------------------------

    async def test_of_concurrent_commits_of_one_context_exactly_one_wins(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth())
        expect = BORN
        for _ in range(5):
            batches = [make_step(expect, entries=self._sign(expect, i)) for i in range(20)]
            outcomes = await asyncio.gather(*map(backend.commit, batches), return_exceptions=True)
            assert outcomes.count(None) == 1
            assert sum(isinstance(error, VersionConflict) for error in outcomes) == 19
            stored = await backend.load(ROOM, after=expect)
            assert stored
            assert stored.entries == batches[outcomes.index(None)].entries
            expect = walk(expect, 1)

    @staticmethod
    def _sign(expect: Position, writer: int) -> tuple[object, ...]:
        return (make_entry(expect.version + 1, commit_id=f"writer-{writer}"),)

    async def test_concurrent_commits_in_sequence_can_all_win(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        batches = [make_step(walk(BORN, i)) for i in range(50)]
        outcomes = await asyncio.gather(*map(backend.commit, batches), return_exceptions=True)
        stored = await backend.load(ROOM)
        assert stored
        assert stored.position == walk(BORN, outcomes.count(None))
        assert [entry.version for entry in stored.entries] == [
            *range(1, stored.position.version + 1)
        ]

    async def test_concurrent_commits_of_many_contexts_all_arrive(self, backend: Backend) -> None:
        names = [f"many:{i:04}" for i in range(300)]
        await asyncio.gather(*(backend.commit(make_birth(name)) for name in names))
        await asyncio.gather(*(backend.commit(make_step(BORN, name)) for name in names))
        assert await backend.heads(names) == dict.fromkeys(names, Position("e1", 2))

    async def test_a_refused_batch_does_not_hurt_its_neighbours(self, backend: Backend) -> None:
        await backend.commit(make_birth("taken", op_ids=("op",)))
        names = [f"neighbour:{i}" for i in range(30)]
        batches = [make_birth(name) for name in names]
        batches[5] = make_birth("taken")
        batches[10] = make_step(BORN, "taken", op_ids=("op",))
        batches[15] = make_step(BORN, "missing", fence=Fence("nobody", 1))
        batches[20] = make_birth(names[20], entries=())
        outcomes = await asyncio.gather(*map(backend.commit, batches), return_exceptions=True)
        kinds = [VersionConflict, DuplicateOperation, Fenced, ValueError]
        assert [type(outcomes.pop(i)) for i in (20, 15, 10, 5)] == kinds[::-1]
        assert outcomes == [None] * 26
        assert len(await backend.heads(names)) == 26

    async def test_a_cancelled_commit_does_not_disturb_others(self, backend: Backend) -> None:
        names = [f"cancelled:{i}" for i in range(40)]
        tasks = [asyncio.create_task(backend.commit(make_birth(name))) for name in names]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert outcomes[1::2] == [None] * 20
        assert set(names[1::2]) <= set(await backend.heads(names))
        await backend.commit(make_birth("later"))
        for name in names:
            stored = await backend.load(name)
            assert stored is None or (stored.position, len(stored.entries)) == (BORN, 1)

    async def test_a_cancelled_load_does_not_disturb_others(self, backend: Backend) -> None:
        names = [f"cancelled:{i}" for i in range(20)]
        for name in names:
            await backend.commit(make_birth(name))
        tasks = [asyncio.create_task(backend.load(name)) for name in names]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for name, stored in zip(names[1::2], outcomes[1::2], strict=True):
            assert not isinstance(stored, BaseException)
            assert stored
            assert stored.context_id == name

    async def test_readers_beside_a_writer_see_whole_versions(self, backend: Backend) -> None:
        await backend.commit(make_birth())

        async def write() -> None:
            for i in range(30):
                head = walk(BORN, i)
                state = b"state-%d" % (head.version + 1)
                snapshot = Snapshot(head.version + 1, state) if i % 3 == 0 else None
                await backend.commit(make_step(head, snapshot=snapshot, trim_to=head.version - 4))

        writing = asyncio.create_task(write())
        while not writing.done():
            stored = await backend.load(ROOM)
            assert stored
            assert stored.snapshot
            assert stored.snapshot.state == b"state-%d" % stored.snapshot.version
            versions = [entry.version for entry in stored.entries]
            head = stored.position.version
            assert versions == list(range(head - len(versions) + 1, head + 1))
            assert head - len(versions) <= stored.snapshot.version
            await asyncio.sleep(0)
        await writing

    async def test_batches_stay_as_they_are(self, backend: Backend) -> None:
        batch = make_birth(count=2, op_ids=("a", "b"))
        copy = attrs.evolve(batch)
        await backend.commit(batch)
        assert batch == copy
