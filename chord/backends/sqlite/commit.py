"""Carry out one batch: first every check, then every write, so a refusal has written nothing."""

from __future__ import annotations

from typing import Final

from chord.backends.base import MAX_OPERATIONS
from chord.backends.sqlite.head import Head, cut_log, find_covered, find_head, put_head
from chord.backends.sqlite.session import Session
from chord.errors import DuplicateOperation, Fenced, VersionConflict
from chord.records import Batch

READ_OPERATION: Final = "SELECT 1 FROM {operations} WHERE id = ? AND op_id = ? AND at >= ?"
WRITE_OPERATION: Final = "INSERT INTO {operations} VALUES (?, ?, ?, ?, ?)"
FORGET_OPERATIONS: Final = "DELETE FROM {operations} WHERE id = ? AND at < ?"
FORGET_OLDEST: Final = (
    "DELETE FROM {operations} WHERE id = ? AND op_id IN"
    " (SELECT op_id FROM {operations} WHERE id = ? ORDER BY at, version LIMIT ?)"
)
WRITE_ENTRY: Final = "INSERT INTO {entries} VALUES (?, ?, ?, ?, ?, ?)"
WRITE_STATE: Final = "INSERT OR REPLACE INTO {snapshots} VALUES (?, ?)"
DROP_ENTRIES: Final = "DELETE FROM {entries} WHERE id = ?"
DROP_STATE: Final = "DELETE FROM {snapshots} WHERE id = ?"
DROP_OPERATIONS: Final = "DELETE FROM {operations} WHERE id = ?"


def commit(session: Session, batch: Batch) -> None:
    """Check and write a batch, as `Backend.commit` says, in the transaction that is open."""
    head = find_head(session, batch.context_id)
    now = session.now()
    _admit(session, head, batch, now)
    head = _settle_lease(head, batch, now)
    if batch.position is None:
        _delete(session, head)
        return
    if not _continues(batch):
        head = _begin_life(session, head, batch)
    _write_content(session, batch)
    head = _move(session, head, batch)
    put_head(session, _remember(session, head, batch))


def _continues(batch: Batch) -> bool:
    """Whether the batch goes on with the life that it expects."""
    expect, position = batch.expect, batch.position
    return expect is not None and position is not None and expect.epoch == position.epoch


# -- the checks ----------------------------------------------------------------------------------


def _admit(session: Session, head: Head, batch: Batch, now: float) -> None:
    if batch.fence is None:
        if head.is_leased(now):
            raise head.refuse()
    elif not head.is_held_by(batch.fence):
        raise Fenced(batch.context_id)
    if head.operations:
        _check_operations(session, batch)
    past_mark = head.marked and batch.fence is None and _continues(batch)
    if past_mark or head.position != batch.expect:
        raise VersionConflict(batch.context_id, batch.expect, head.position)


def _check_operations(session: Session, batch: Batch) -> None:
    key, since = batch.context_id, batch.forget_before
    for entry in batch.entries:
        if entry.op_id and session.run(READ_OPERATION, key, entry.op_id, since).fetchone():
            raise DuplicateOperation(key, entry.op_id)


# -- the writes ----------------------------------------------------------------------------------


def _settle_lease(head: Head, batch: Batch, now: float) -> Head:
    """The head with its lease prolonged, or, where there is no token, without lease and mark."""
    if batch.fence and head.deadline is not None:
        return head._replace(deadline=max(head.deadline, now + batch.lease_ttl))
    if head.owner is None and not head.marked:
        return head
    return head.without_lease()


def _delete(session: Session, head: Head) -> None:
    """Drop all but the lease, which goes on without the life that it was taken for."""
    for statement in (DROP_ENTRIES, DROP_STATE, DROP_OPERATIONS):
        session.run(statement, head.context_id)
    put_head(session, head.without_life())


def _begin_life(session: Session, head: Head, batch: Batch) -> Head:
    first = batch.entries[0]
    operations = head.operations
    if head.epoch is not None:
        session.run(DROP_ENTRIES, head.context_id)
    if batch.forget_operations and operations:
        session.run(DROP_OPERATIONS, head.context_id)
        operations = 0
    return head._replace(
        floor=first.version,
        tail=first.version,
        tail_at=first.updated_at,
        operations=operations,
    )


def _write_content(session: Session, batch: Batch) -> None:
    key = batch.context_id
    for entry in batch.entries:
        session.run(
            WRITE_ENTRY,
            key,
            entry.version,
            entry.commit_id,
            entry.updated_at,
            entry.op_id,
            entry.changes,
        )
    if batch.snapshot:
        session.run(WRITE_STATE, key, batch.snapshot.state)


def _move(session: Session, head: Head, batch: Batch) -> Head:
    """The head at the batch's position, the log trimmed as far as a snapshot allows."""
    assert batch.position
    version = batch.position.version
    snapshot = batch.snapshot.version if batch.snapshot else head.snapshot
    tail, tail_at = head.tail, head.tail_at
    if tail == head.version + 1:
        tail_at = batch.entries[0].updated_at
    keep = min(batch.trim_to, snapshot) + 1
    if keep > tail:
        tail, tail_at = keep, cut_log(session, batch.context_id, keep)
    return head._replace(
        epoch=batch.position.epoch,
        version=version,
        updated_at=batch.updated_at,
        snapshot=snapshot,
        tail=tail,
        tail_at=tail_at,
        covered_at=find_covered(tail, tail_at, snapshot, version),
    )


def _remember(session: Session, head: Head, batch: Batch) -> Head:
    """The head, once op ids are written and old ones forgotten."""
    key, count = batch.context_id, head.operations
    if count:
        count -= session.run(FORGET_OPERATIONS, key, batch.forget_before).rowcount
    for entry in batch.entries:
        if entry.op_id:
            values = (entry.op_id, entry.updated_at, head.epoch, entry.version)
            session.run(WRITE_OPERATION, key, *values)
            count += 1
    if count > MAX_OPERATIONS:
        session.run(FORGET_OLDEST, key, key, count - MAX_OPERATIONS)
    count = min(count, MAX_OPERATIONS)
    return head if count == head.operations else head._replace(operations=count)
