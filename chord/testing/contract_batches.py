"""Build the batches that the contract of backends is tested with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from chord.position import Position
from chord.records import Batch, Entry, Snapshot

ROOM: Final = "room:1"
BORN: Final = Position("e1", 1)


def make_entry(version: int, **fields: Any) -> Entry:
    """One log entry; its id and its bytes tell its version."""
    defaults = {
        "commit_id": f"commit-{version}",
        "updated_at": 100.0 + version,
        "changes": b"changes-%d" % version,
    }
    return Entry(version=version, **{**defaults, **fields})


def make_birth(
    context_id: str = ROOM,
    *,
    epoch: str = "e1",
    at: float = 101.0,
    count: int = 1,
    op_ids: Sequence[str | None] = (None,),
    **fields: Any,
) -> Batch:
    """The batch that creates a context with `count` versions and a snapshot of the first."""
    fields.setdefault("snapshot", Snapshot(1, b"state-1"))
    position = Position(epoch, count)
    return _make_batch(context_id, None, position, count, at, op_ids, fields)


def make_step(
    expect: Position,
    context_id: str = ROOM,
    *,
    at: float | None = None,
    skip: int = 0,
    count: int = 1,
    op_ids: Sequence[str | None] = (None,),
    **fields: Any,
) -> Batch:
    """The batch that adds `count` versions behind `expect`.

    If it leaves out `skip` versions, it has the snapshot and the trimming that this needs.
    """
    position = Position(expect.epoch, expect.version + skip + count)
    if skip:
        fields.setdefault("snapshot", Snapshot(position.version, b"state-%d" % position.version))
        fields.setdefault("trim_to", expect.version + skip)
    at = 100.0 + position.version if at is None else at
    return _make_batch(context_id, expect, position, count, at, op_ids, fields)


def make_rebirth(
    expect: Position | None, position: Position, context_id: str = ROOM, **fields: Any
) -> Batch:
    """The batch that begins another epoch at `position`, in one entry with its snapshot."""
    fields.setdefault("snapshot", Snapshot(position.version, b"reborn"))
    return _make_batch(context_id, expect, position, 1, 200.0, (None,), fields)


def make_death(expect: Position, context_id: str = ROOM, **fields: Any) -> Batch:
    """The batch that deletes a context."""
    return Batch(context_id=context_id, expect=expect, position=None, updated_at=300.0, **fields)


def walk(position: Position, steps: int) -> Position:
    """The position that many versions further in the same life."""
    return replace(position, version=position.version + steps)


def _make_batch(
    context_id: str,
    expect: Position | None,
    position: Position,
    count: int,
    at: float,
    op_ids: Sequence[str | None],
    fields: dict[str, Any],
) -> Batch:
    first = position.version - count + 1
    ids = [*op_ids, *[None] * (count - len(op_ids))]
    fields.setdefault(
        "entries",
        tuple(make_entry(first + i, updated_at=at, op_id=ids[i]) for i in range(count)),
    )
    return Batch(context_id=context_id, expect=expect, position=position, updated_at=at, **fields)
