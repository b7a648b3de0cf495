"""Take, prolong and give back leases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chord.backends.sqlite.head import Head, find_head, put_head
from chord.backends.sqlite.load import read
from chord.backends.sqlite.session import Session
from chord.records import Fence, Grant

COUNT_TERM: Final = "UPDATE {meta} SET value = value + 1 WHERE name = 'term'"
READ_TERM: Final = "SELECT value FROM {meta} WHERE name = 'term'"
PROLONG: Final = (
    "UPDATE {contexts} SET deadline = max(deadline, ?) WHERE id = ? AND owner = ? AND term = ?"
)


def acquire(
    session: Session,
    context_id: str,
    owner: str,
    ttl: float,
    address: str,
    fresh_epoch: str | None,
    operations_since: float,
) -> Grant:
    """Take a lease and load what it covers, as `Backend.acquire` says."""
    head, now = find_head(session, context_id), session.now()
    if head.owner != owner and head.is_leased(now):
        raise head.refuse()
    fence = Fence(owner, _count_term(session))
    head = head._replace(owner=owner, term=fence.term, address=address, deadline=now + ttl)
    if fresh_epoch is not None:
        head = _mark(head, fresh_epoch)
    put_head(session, head)
    unclean = bool(head.marked) and fresh_epoch is None
    stored = read(session, head, operations_since=operations_since, unclean=unclean)
    return Grant(fence, stored)


def _count_term(session: Session) -> int:
    session.run(COUNT_TERM)
    term: int = session.run(READ_TERM).fetchone()[0]
    return term


def _mark(head: Head, fresh_epoch: str) -> Head:
    if not head.marked or head.epoch is None:
        return head._replace(marked=1)
    return head._replace(epoch=fresh_epoch, floor=head.version)


def renew(session: Session, fences: Mapping[str, Fence], ttl: float) -> set[str]:
    """Prolong leases; return the ids of those that are not held any more."""
    deadline = session.now() + ttl
    return {
        context_id
        for context_id, fence in fences.items()
        if not session.run(PROLONG, deadline, context_id, fence.owner, fence.term).rowcount
    }


def release(session: Session, context_id: str, fence: Fence) -> bool:
    """Give a lease back and clear the mark; False if the token is not current."""
    head = find_head(session, context_id)
    if not head.is_held_by(fence):
        return False
    put_head(session, head.without_lease())
    return True
