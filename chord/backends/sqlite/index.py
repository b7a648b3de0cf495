"""Answer for many contexts: their heads, pages of them, which are old, which logs can be cut."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any, Final

from chord.backends.sqlite.head import Head, cut_log, find_covered, find_head, put_head
from chord.backends.sqlite.session import Session
from chord.position import Position
from chord.records import Summary

READ_POSITION: Final = "SELECT epoch, version FROM {contexts} WHERE id = ?"
LIST_FROM: Final = (
    "SELECT id, epoch, version, updated_at FROM {contexts}"
    " WHERE id >= ? AND epoch IS NOT NULL ORDER BY id LIMIT ?"
)
LIST_AFTER: Final = (
    "SELECT id, epoch, version, updated_at FROM {contexts}"
    " WHERE id > ? AND epoch IS NOT NULL ORDER BY id LIMIT ?"
)
LIST_DUE: Final = (
    "SELECT id, epoch, version, updated_at FROM {contexts}"
    " WHERE updated_at <= ? ORDER BY updated_at, id LIMIT ?"
)
LIST_COVERED: Final = (
    "SELECT id FROM {contexts} WHERE covered_at <= ? ORDER BY covered_at, id LIMIT ?"
)
FIND_YOUNGER: Final = (
    "SELECT version FROM {entries} WHERE id = ? AND updated_at > ? ORDER BY version LIMIT 1"
)


def find_heads(session: Session, context_ids: Collection[str]) -> dict[str, Position]:
    """Return the positions of those contexts that there are."""
    rows = ((key, session.run(READ_POSITION, key).fetchone()) for key in context_ids)
    return {key: Position(*row) for key, row in rows if row and row[0] is not None}


def list_contexts(session: Session, prefix: str, after: str | None, limit: int) -> list[Summary]:
    """Return a page of contexts in order of id, read no further than the prefix goes."""
    start = prefix if after is None else max(prefix, after)
    statement = LIST_AFTER if start == after else LIST_FROM
    rows = session.run(statement, start, max(limit, 0))
    return [_summarize(row) for row in itertools.takewhile(lambda r: r[0].startswith(prefix), rows)]


def list_due(session: Session, before: float, limit: int) -> list[Summary]:
    """Return the contexts that were updated longest ago."""
    return [_summarize(row) for row in session.run(LIST_DUE, before, max(limit, 0))]


def _summarize(row: tuple[Any, ...]) -> Summary:
    context_id, epoch, version, updated_at = row
    return Summary(context_id=context_id, position=Position(epoch, version), updated_at=updated_at)


def trim(session: Session, before: float, limit: int) -> int:
    """Drop old entries that a snapshot covers from the logs that have the oldest."""
    rows = session.run(LIST_COVERED, before, max(limit, 0)).fetchall()
    return sum(_trim_log(session, find_head(session, key), before) for (key,) in rows)


def _trim_log(session: Session, head: Head, before: float) -> int:
    younger = session.run(FIND_YOUNGER, head.context_id, before).fetchone()
    keep = min(head.snapshot + 1, head.version, younger[0] if younger else head.version)
    tail_at = cut_log(session, head.context_id, keep)
    covered_at = find_covered(keep, tail_at, head.snapshot, head.version)
    put_head(session, head._replace(tail=keep, tail_at=tail_at, covered_at=covered_at))
    return keep - head.tail
