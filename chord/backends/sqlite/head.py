"""Hold `Head`, the row of one id, and the log's tail that it keeps."""

from __future__ import annotations

from typing import Final, NamedTuple

from chord.backends.sqlite.session import Session
from chord.errors import OwnedElsewhere
from chord.position import Position
from chord.records import Fence

READ_HEAD: Final = "SELECT * FROM {contexts} WHERE id = ?"
WRITE_HEAD: Final = "INSERT OR REPLACE INTO {contexts} VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
DROP_HEAD: Final = "DELETE FROM {contexts} WHERE id = ?"
CUT_LOG: Final = "DELETE FROM {entries} WHERE id = ? AND version < ?"
READ_TIME: Final = "SELECT updated_at FROM {entries} WHERE id = ? AND version = ?"


class Head(NamedTuple):
    """All that is known under one id but log, state and op ids; in the order of the columns."""

    context_id: str
    epoch: str | None = None
    version: int = 0
    updated_at: float | None = None
    floor: int = 0
    snapshot: int = 0
    tail: int = 1
    tail_at: float = 0.0
    covered_at: float | None = None
    operations: int = 0
    owner: str | None = None
    term: int | None = None
    address: str | None = None
    deadline: float | None = None
    marked: int = 0

    @property
    def position(self) -> Position | None:
        return None if self.epoch is None else Position(self.epoch, self.version)

    def is_held_by(self, fence: Fence) -> bool:
        return self.owner == fence.owner and self.term == fence.term

    def is_leased(self, now: float) -> bool:
        return self.deadline is not None and self.deadline > now

    def is_unclean(self, now: float) -> bool:
        return bool(self.marked) and not self.is_leased(now)

    def without_lease(self) -> Head:
        return self._replace(owner=None, term=None, address=None, deadline=None, marked=0)

    def without_life(self) -> Head:
        return Head(
            self.context_id,
            owner=self.owner,
            term=self.term,
            address=self.address,
            deadline=self.deadline,
            marked=self.marked,
        )

    def refuse(self) -> OwnedElsewhere:
        return OwnedElsewhere(self.context_id, self.owner or "", self.address or "")


def find_head(session: Session, context_id: str) -> Head:
    """Return the row of an id, or what it would be."""
    row = session.run(READ_HEAD, context_id).fetchone()
    return Head._make(row) if row else Head(context_id)


def put_head(session: Session, head: Head) -> None:
    """Store the row; nothing is left of one that holds nothing."""
    if head.epoch is None and head.owner is None and not head.marked:
        session.run(DROP_HEAD, head.context_id)
    else:
        session.run(WRITE_HEAD, *head)


def find_covered(tail: int, tail_at: float, snapshot: int, version: int) -> float | None:
    """The time of the oldest entry, if a snapshot covers it and it is not the newest."""
    return tail_at if tail <= snapshot and tail < version else None


def cut_log(session: Session, context_id: str, keep: int) -> float:
    """Drop the entries before the version `keep`; return that one's time, 0 where it is none."""
    session.run(CUT_LOG, context_id, keep)
    row = session.run(READ_TIME, context_id, keep).fetchone()
    return row[0] if row else 0.0
