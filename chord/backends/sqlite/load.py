"""Read one context, at the moment of the transaction that it is read in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from chord.backends.sqlite.head import Head, find_head
from chord.backends.sqlite.session import Session
from chord.errors import CorruptData
from chord.position import Position
from chord.records import Entry, Operation, Snapshot, Stored

READ_ENTRIES: Final = (
    "SELECT version, commit_id, updated_at, changes, op_id FROM {entries}"
    " WHERE id = ? AND version > ? ORDER BY version"
)
READ_STATE: Final = "SELECT state FROM {snapshots} WHERE id = ?"
READ_OPERATIONS: Final = (
    "SELECT op_id, epoch, version, at FROM {operations} WHERE id = ? AND at >= ?"
)
READ_OPERATION: Final = (
    "SELECT op_id, epoch, version, at FROM {operations} WHERE id = ? AND at >= ? AND op_id = ?"
)


def load(
    session: Session,
    context_id: str,
    after: Position | None,
    operations: Collection[str] | None,
    operations_since: float,
) -> Stored | None:
    """Return what the store has of a context, as `Backend.load` says."""
    head = find_head(session, context_id)
    unclean = head.is_unclean(session.now())
    return read(session, head, after, operations, operations_since, unclean=unclean)


def read(
    session: Session,
    head: Head,
    after: Position | None = None,
    operations: Collection[str] | None = None,
    operations_since: float = 0.0,
    *,
    unclean: bool,
) -> Stored | None:
    """Return what belongs to a head; None where it holds only a lease."""
    if head.position is None or head.updated_at is None:
        return None
    base = _find_base(head, after)
    return Stored(
        context_id=head.context_id,
        position=head.position,
        updated_at=head.updated_at,
        floor=head.floor,
        snapshot=_read_snapshot(session, head) if base is None else None,
        entries=_read_entries(session, head, base or 0),
        operations=_read_operations(session, head, operations, operations_since),
        unclean=unclean,
    )


def _find_base(head: Head, after: Position | None) -> int | None:
    """The version of `after`, if the log goes on from it without a hole."""
    if after is None or after.epoch != head.epoch:
        return None
    reaches = max(head.floor, head.tail - 1) <= after.version <= head.version
    return after.version if reaches else None


def _read_snapshot(session: Session, head: Head) -> Snapshot:
    row = session.run(READ_STATE, head.context_id).fetchone()
    if row is None:
        raise CorruptData(session.address, f"the state of {head.context_id!r} is missing")
    return Snapshot(head.snapshot, row[0])


def _read_entries(session: Session, head: Head, base: int) -> tuple[Entry, ...]:
    if base == head.version:
        return ()
    rows = session.run(READ_ENTRIES, head.context_id, base)
    return tuple(
        Entry(version=version, commit_id=commit_id, updated_at=at, changes=changes, op_id=op_id)
        for version, commit_id, at, changes, op_id in rows
    )


def _read_operations(
    session: Session, head: Head, wanted: Collection[str] | None, since: float
) -> dict[str, Operation]:
    if not head.operations or (wanted is not None and not wanted):
        return {}
    key = head.context_id
    if wanted is None:
        rows = session.run(READ_OPERATIONS, key, since).fetchall()
    else:
        asked = (session.run(READ_OPERATION, key, since, op_id).fetchone() for op_id in wanted)
        rows = [row for row in asked if row]
    return {op_id: Operation(Position(epoch, version), at) for op_id, epoch, version, at in rows}
