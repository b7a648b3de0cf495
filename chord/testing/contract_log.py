"""Hold the part of the backend contract that is about log, snapshot and operation ids."""

from __future__ import annotations

import pytest

from chord.backends.base import MAX_OPERATIONS, Backend
from chord.errors import DuplicateOperation
from chord.position import Position
from chord.records import Entry, Operation, Snapshot, Stored
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_entry,
    make_rebirth,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import ContractFixtures

ALL_BYTES = bytes(range(256)) * 3


def list_versions(stored: Stored | None) -> list[int]:
    return [entry.version for entry in stored.entries] if stored else []


class LogContract(ContractFixtures):
    # -- what a load returns -----------------------------------------------------------------

    async def test_what_there_is_not_loads_as_none(self, backend: Backend) -> None:
        assert await backend.load("nothing", after=BORN, operations=None) is None

    async def test_a_load_returns_snapshot_and_the_whole_log(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN, count=3, snapshot=Snapshot(3, b"state-3")))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.snapshot == Snapshot(3, b"state-3")
        assert list_versions(stored) == [1, 2, 3, 4]

    async def test_a_step_without_snapshot_keeps_the_old_one(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.snapshot == Snapshot(1, b"state-1")

    async def test_a_new_snapshot_replaces_the_old_one(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN, snapshot=Snapshot(2, b"state-2")))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.snapshot == Snapshot(2, b"state-2")

    @pytest.mark.parametrize("version", [1, 2, 3, 4])
    async def test_after_returns_only_the_entries_behind(
        self, backend: Backend, version: int
    ) -> None:
        await backend.commit(make_birth(count=4))
        stored = await backend.load(ROOM, after=Position("e1", version))
        assert stored
        assert (stored.position, stored.snapshot) == (Position("e1", 4), None)
        assert list_versions(stored) == list(range(version + 1, 5))

    @pytest.mark.parametrize(
        "after",
        [Position("e0", 2), Position("e1", 5), Position("e1", 0), Position("", 4)],
        ids=["another epoch", "ahead", "before the first", "no epoch"],
    )
    async def test_any_other_after_is_as_if_none_were_given(
        self, backend: Backend, after: Position
    ) -> None:
        await backend.commit(make_birth(count=4))
        assert await backend.load(ROOM, after=after) == await backend.load(ROOM)

    async def test_after_what_was_trimmed_is_as_if_none_were_given(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=6, snapshot=Snapshot(5, b"state-5"), trim_to=3))
        whole = await backend.load(ROOM)
        assert await backend.load(ROOM, after=Position("e1", 2)) == whole
        behind = await backend.load(ROOM, after=Position("e1", 3))
        assert behind
        assert (behind.snapshot, list_versions(behind)) == (None, [4, 5, 6])

    async def test_floor_is_the_first_version_of_the_epoch(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3))
        await backend.commit(make_step(Position("e1", 3)))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.floor == 1

    # -- bytes and numbers -------------------------------------------------------------------

    async def test_entries_come_back_to_the_bit(self, backend: Backend) -> None:
        entry = Entry(
            version=2,
            commit_id='c"\u00e9\u2028\U0001f600',
            updated_at=1700000000.123456,
            changes=ALL_BYTES,
            op_id="op: \u00fc/\U0001f600 \t'",
        )
        await backend.commit(make_birth())
        await backend.commit(make_step(BORN, entries=(entry,), snapshot=Snapshot(2, ALL_BYTES)))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert (stored.entries[-1], stored.snapshot) == (entry, Snapshot(2, ALL_BYTES))
        assert type(stored.entries[-1].changes) is bytes
        assert stored.operations == {entry.op_id: Operation(Position("e1", 2), entry.updated_at)}

    async def test_bytes_may_be_empty(self, backend: Backend) -> None:
        entry = make_entry(1, changes=b"")
        await backend.commit(make_birth(entries=(entry,), snapshot=Snapshot(1, b"")))
        stored = await backend.load(ROOM)
        assert stored
        assert (stored.entries, stored.snapshot) == ((entry,), Snapshot(1, b""))

    async def test_values_of_megabytes_are_kept(self, backend: Backend) -> None:
        large = ALL_BYTES * 4000
        entry = make_entry(1, changes=large)
        await backend.commit(make_birth(entries=(entry,), snapshot=Snapshot(1, large + b"!")))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.entries[0].changes == large
        assert stored.snapshot == Snapshot(1, large + b"!")

    async def test_versions_may_be_large(self, backend: Backend) -> None:
        head = Position("e1", 2**52)
        await backend.commit(make_rebirth(None, head))
        await backend.commit(make_step(head))
        stored = await backend.load(ROOM, after=head)
        assert stored
        assert (stored.position, list_versions(stored)) == (walk(head, 1), [2**52 + 1])

    async def test_a_long_log_is_kept_in_order(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=1500))
        stored = await backend.load(ROOM)
        assert list_versions(stored) == list(range(1, 1501))

    # -- trimming by a commit ----------------------------------------------------------------

    async def test_trim_to_drops_entries_up_to_a_version(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=4))
        await backend.commit(
            make_step(Position("e1", 4), snapshot=Snapshot(5, b"state-5"), trim_to=3)
        )
        assert list_versions(await backend.load(ROOM)) == [4, 5]

    async def test_trim_to_counts_on_an_earlier_snapshot_too(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=4, snapshot=Snapshot(3, b"state-3")))
        await backend.commit(make_step(Position("e1", 4), trim_to=2))
        assert list_versions(await backend.load(ROOM)) == [3, 4, 5]

    async def test_trim_to_never_goes_beyond_the_snapshot(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=4, snapshot=Snapshot(2, b"state-2")))
        await backend.commit(make_step(Position("e1", 4), trim_to=4))
        stored = await backend.load(ROOM)
        assert stored
        assert stored.snapshot == Snapshot(2, b"state-2")
        assert list_versions(stored) == [3, 4, 5]

    async def test_trim_to_below_the_log_drops_nothing(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=6, snapshot=Snapshot(6, b"state-6"), trim_to=4))
        await backend.commit(make_step(Position("e1", 6), trim_to=2))
        assert list_versions(await backend.load(ROOM)) == [5, 6, 7]

    # -- operation ids -----------------------------------------------------------------------

    async def test_a_load_tells_the_operations_it_is_asked_for(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a", None, "c")))
        a, c = Operation(BORN, 101.0), Operation(Position("e1", 3), 101.0)
        for wanted, told in (
            ((), {}),
            (["a"], {"a": a}),
            ({"a", "c", "x"}, {"a": a, "c": c}),
            (None, {"a": a, "c": c}),
        ):
            stored = await backend.load(ROOM, operations=wanted)
            assert stored
            assert stored.operations == told

    async def test_operations_are_told_with_after_too(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("a",)))
        stored = await backend.load(ROOM, after=BORN, operations=["a"])
        assert stored
        assert stored.operations == {"a": Operation(BORN, 101.0)}

    async def test_an_operation_has_the_time_of_its_entry(self, backend: Backend) -> None:
        times = (1700000000.123456, 0.1)
        entries = tuple(
            make_entry(i + 1, updated_at=at, op_id=f"op-{i}") for i, at in enumerate(times)
        )
        await backend.commit(make_birth(count=2, entries=entries, at=500.0))
        await backend.commit(make_rebirth(Position("e1", 2), Position("e2", 3)))
        for wanted in (None, ["op-0", "op-1"]):
            stored = await backend.load(ROOM, operations=wanted)
            assert stored
            assert stored.operations == {
                f"op-{i}": Operation(Position("e1", i + 1), at) for i, at in enumerate(times)
            }

    async def test_operations_from_before_a_time_are_not_told(self, backend: Backend) -> None:
        await backend.commit(make_birth(at=100.0, op_ids=("old",)))
        await backend.commit(make_step(BORN, at=200.0, op_ids=("new",)))
        for since, told in ((100.0, {"old", "new"}), (100.5, {"new"}), (200.5, set())):
            for wanted in (None, ["old", "new"]):
                stored = await backend.load(ROOM, operations=wanted, operations_since=since)
                assert stored
                assert set(stored.operations) == told

    async def test_a_known_operation_is_refused(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=2, op_ids=("a", "b")))
        with pytest.raises(DuplicateOperation) as duplicate:
            await backend.commit(make_step(Position("e1", 2), count=2, op_ids=("c", "b")))
        assert duplicate.value.op_id == "b"
        stored = await backend.load(ROOM, operations=["c"])
        assert stored
        assert (stored.position, stored.operations) == (Position("e1", 2), {})

    async def test_op_ids_are_of_one_context_only(self, backend: Backend) -> None:
        await backend.commit(make_birth("one", op_ids=("op",)))
        await backend.commit(make_birth("one:more", op_ids=("op",)))
        stored = await backend.load("one:more", operations=None)
        assert stored
        assert stored.operations == {"op": Operation(BORN, 101.0)}

    async def test_operations_from_before_forget_before_are_forgotten(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth(at=100.0, op_ids=("a",)))
        await backend.commit(make_step(BORN, at=200.0, op_ids=("b",)))
        await backend.commit(make_step(walk(BORN, 1), at=300.0, forget_before=200.0))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert stored.operations == {"b": Operation(Position("e1", 2), 200.0)}

    async def test_forgetting_goes_by_time_where_time_went_back(self, backend: Backend) -> None:
        for i, at in enumerate((100.0, 300.0, 200.0)):
            batch = make_step(walk(BORN, i - 1), at=at, op_ids=(f"op-{at}",))
            await backend.commit(batch if i else make_birth(at=at, op_ids=(f"op-{at}",)))
        await backend.commit(make_step(walk(BORN, 2), at=400.0, forget_before=250.0))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert set(stored.operations) == {"op-300.0"}

    async def test_an_operation_from_before_forget_before_may_come_again(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth(at=100.0, op_ids=("op",)))
        await backend.commit(make_step(BORN, at=200.0, op_ids=("op",), forget_before=100.5))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert stored.operations == {"op": Operation(Position("e1", 2), 200.0)}

    async def test_trimming_the_log_leaves_operations(self, backend: Backend) -> None:
        await backend.commit(
            make_birth(count=3, op_ids=("a",), snapshot=Snapshot(3, b""), trim_to=2)
        )
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert stored.operations == {"a": Operation(BORN, 101.0)}

    async def test_a_new_epoch_keeps_operations(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        await backend.commit(make_rebirth(BORN, Position("e2", 2)))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert stored.operations == {"op": Operation(BORN, 101.0)}
        with pytest.raises(DuplicateOperation):
            await backend.commit(make_step(Position("e2", 2), op_ids=("op",)))

    async def test_a_new_epoch_can_forget_operations(self, backend: Backend) -> None:
        await backend.commit(make_birth(op_ids=("op",)))
        await backend.commit(make_rebirth(BORN, Position("e2", 1), forget_operations=True))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert stored.operations == {}
        await backend.commit(make_step(Position("e2", 1), op_ids=("op",)))

    async def test_only_the_newest_operations_are_remembered(self, backend: Backend) -> None:
        ids = [f"op-{i}" for i in range(MAX_OPERATIONS + 30)]
        head = walk(BORN, MAX_OPERATIONS - 11)
        first = ids[: head.version]
        entries = tuple(
            make_entry(i + 1, updated_at=100.0 + i, op_id=op_id) for i, op_id in enumerate(first)
        )
        await backend.commit(make_birth(count=len(first), entries=entries, at=1e6))
        for i in range(head.version, len(ids)):
            step = make_step(Position("e1", i), at=100.0 + i, op_ids=(ids[i],))
            await backend.commit(step)
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert set(stored.operations) == set(ids[-MAX_OPERATIONS:])
        await backend.commit(make_step(stored.position, at=1e6, op_ids=(ids[0],)))

    async def test_one_batch_may_hold_more_operations_than_are_remembered(
        self, backend: Backend
    ) -> None:
        ids = [f"op-{i}" for i in range(MAX_OPERATIONS + 5)]
        entries = tuple(
            make_entry(i + 1, updated_at=100.0 + i, op_id=op_id) for i, op_id in enumerate(ids)
        )
        await backend.commit(make_birth(count=len(ids), entries=entries))
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert set(stored.operations) == set(ids[5:])
