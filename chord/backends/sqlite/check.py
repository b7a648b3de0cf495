"""Assert that what the tables repeat agrees, and that no log has a hole. For tests."""

from __future__ import annotations

from chord.backends.base import MAX_OPERATIONS
from chord.backends.sqlite.head import Head, find_covered
from chord.backends.sqlite.session import Session


def check(session: Session) -> None:
    """Raise `AssertionError` where the store contradicts itself. O(what is stored)."""
    heads = [Head._make(row) for row in session.run("SELECT * FROM {contexts}")]
    for head in heads:
        _check_log(session, head)
        _check_counts(session, head)
    living = {head.context_id for head in heads if head.epoch is not None}
    for table in ("{entries}", "{snapshots}", "{operations}"):
        assert {row[0] for row in session.run(f"SELECT DISTINCT id FROM {table}")} <= living
    assert session.run("PRAGMA integrity_check").fetchone() == ("ok",)


def _check_log(session: Session, head: Head) -> None:
    query = "SELECT version, updated_at FROM {entries} WHERE id = ? ORDER BY version"
    log = session.run(query, head.context_id).fetchall()
    assert [version for version, _ in log] == list(range(head.tail, head.version + 1))
    if log:
        assert log[0] == (head.tail, head.tail_at)
    covered_at = find_covered(head.tail, head.tail_at, head.snapshot, head.version)
    assert head.covered_at == covered_at
    assert head.tail <= head.snapshot + 1


def _check_counts(session: Session, head: Head) -> None:
    count = "SELECT count(*) FROM {operations} WHERE id = ?"
    assert session.run(count, head.context_id).fetchone() == (head.operations,)
    assert head.operations <= MAX_OPERATIONS
    states = session.run("SELECT count(*) FROM {snapshots} WHERE id = ?", head.context_id)
    assert states.fetchone() == (int(head.epoch is not None),)
    assert (head.owner is None) == (head.deadline is None)
    assert head.epoch is not None or head.owner is not None or head.marked
