"""Decide what a client lacks. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Final, TypeAlias

from chord.errors import InvalidArgument
from chord.history import History
from chord.position import Position, is_digits, is_position, is_version
from chord.records import Context, DeltaUpdate, FullContext, NoChange, Reason, Reply

SMALL: Final = 4096
"""Bytes of a state up to which its deltas are never found too large."""

Since: TypeAlias = Position | str | int | None
"""What a client knows: a position, its text, a bare version of the current life, or nothing."""


def read_since(since: Since) -> Position | int | None:
    """Read what a client says that it knows; None if that is nothing.

    Raises `InvalidArgument` (a `ValueError`) for what is no position and no version.

    >>> read_since("k3f9:41"), read_since("41"), read_since(0)
    (Position(epoch='k3f9', version=41), 41, None)
    """
    if since is None or is_position(since):
        return since
    if is_version(since):
        return since or None
    if isinstance(since, str):
        return _read_text(since)
    raise InvalidArgument("since", since, "a position, a version or None")


def _read_text(since: str) -> Position | int | None:
    if is_digits(since):
        return int(since) or None
    try:
        return Position.parse(since)
    except ValueError:
        raise InvalidArgument("since", since, "a position, a version or None") from None


def decide(
    context: Context,
    since: Position | int | None,
    history: History,
    state_bytes: int,
    *,
    threshold: int = 100,
    not_before: float | None = None,
) -> Reply:
    """Return what a client that knows `since` lacks: nothing, one merged delta, or all, and why.

    `history` leads to the context's position. No delta is served over more than `threshold`
    versions, nor from before `not_before`, nor one that, counted as the sum of its parts, is
    larger than the `state_bytes` of a state over 4 kB. A replica that applies the reply equals
    the context. O(1) where the question was asked before, else O(size of the answer).
    """
    found = find_reply(
        context.position,
        since,
        history,
        state_bytes,
        threshold=threshold,
        not_before=not_before,
    )
    return FullContext(context, found) if isinstance(found, str) else found


def find_reply(
    head: Position,
    since: Position | int | None,
    history: History,
    state_bytes: int,
    *,
    threshold: int,
    not_before: float | None,
) -> DeltaUpdate | NoChange | Reason:
    """Decide without the state: where that is what the client lacks, only the reason is told."""
    if since is None:
        return "requested"
    if isinstance(since, int):
        since = Position(head.epoch, since)
    if since.epoch != head.epoch:
        return "epoch-changed"
    if since.version == head.version:
        return NoChange(head)
    if since.version > head.version:
        return "ahead"
    if since.version <= 0:
        return "requested"
    if head.version - since.version > threshold or since.version < history.base:
        return "compacted"
    if state_bytes > SMALL and history.size_since(since.version) > state_bytes:
        return "smaller"
    delta = history.since(since.version, not_before=not_before)
    return "compacted" if delta is None else DeltaUpdate(delta)
