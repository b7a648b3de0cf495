"""Hold `Replica`, a client's side without transport: it takes replies and proves continuity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from chord.delta.application import apply
from chord.errors import DeltaMismatch, show
from chord.position import Position
from chord.records import ContextDeleted, Delta, DeltaUpdate, FullContext, NoChange, WatchReply

Taken: TypeAlias = Literal["applied", "current", "stale", "gap", "deleted"]
"""What became of a reply: it was applied; it told nothing new; it is older than what is known;
something is missing before it; the context is gone. Only ``gap`` asks for another sync."""


class Replica:
    """A copy of a context, kept up to date by replies in the order in which they come.

    Ask the server with `since`. A reply that does not continue the position changes nothing, and
    `needs_sync` says so until one reaches what that reply told of. Late ones do no harm.

    >>> replica = Replica()
    >>> replica.since is None, replica.needs_sync
    (True, True)
    """

    def __init__(self) -> None:
        self._state: Mapping[str, Any] | None = None
        self._position: Position | None = None
        self._heard: Position | None = None  # the newest that was told of, but not how to get there
        self._needs_sync = True
        self._deleted = False

    @property
    def state(self) -> Mapping[str, Any] | None:
        """The state, read-only; None before the first reply, and once the context is deleted."""
        return self._state

    @property
    def position(self) -> Position | None:
        """What is known; None where nothing is."""
        return self._position

    @property
    def since(self) -> Position | None:
        """What to ask the next sync with."""
        return self._position

    @property
    def needs_sync(self) -> bool:
        """Whether the replica knows that it lacks something: begin by asking for it."""
        return self._needs_sync

    @property
    def deleted(self) -> bool:
        return self._deleted

    def receive(self, reply: WatchReply) -> Taken:
        """Take one reply.

        Returns ``applied``; ``current``: it told nothing new; ``stale``: it is older than what is
        known; ``gap``: something is missing before it, so ask for another sync; ``deleted``.
        """
        match reply:
            case FullContext():
                return self._take_full(reply)
            case DeltaUpdate(delta):
                return self._take_delta(delta)
            case NoChange(position):
                return self._take_no_change(position)
            case ContextDeleted(position):
                return self._take_deleted(position)
            case _:
                raise TypeError(f"a replica takes replies, not {show(reply)}")

    def forget(self) -> None:
        """Know nothing any more, as where a sync has raised `ContextNotFound`."""
        self._state = self._position = self._heard = None
        self._needs_sync = False
        self._deleted = True

    def _take_full(self, reply: FullContext) -> Taken:
        context = reply.context
        known = self._position
        # a server that says "ahead" has lost what we know; else this reply was overtaken
        if _is_older(context.position, known) and reply.reason != "ahead":
            return "stale"
        if reply.reason == "ahead":
            self._heard = None
        self._state = context.state
        self._position = context.position
        self._deleted = False
        self._settle()
        return "applied"

    def _take_delta(self, delta: Delta) -> Taken:
        known = self._position
        if known is None or known.epoch != delta.epoch or known.version < delta.from_version:
            return self._miss(delta.position)
        if known.version >= delta.version:
            return "stale"
        if known.version > delta.from_version:
            return self._miss(delta.position)
        assert self._state is not None
        try:
            self._state = apply(self._state, delta.changes)
        except DeltaMismatch:
            self._position = self._state = None
            return self._miss(delta.position)
        self._position = delta.position
        if self._heard is None or self._heard.epoch == delta.epoch:
            self._settle()
        return "applied"

    def _take_no_change(self, position: Position) -> Taken:
        if position != self._position and not _is_older(position, self._position):
            return self._miss(position)
        if position != self._position or _is_older(position, self._heard):
            return "stale"
        self._settle()
        return "current"

    def _take_deleted(self, position: Position) -> Taken:
        if _is_older(position, self._position):
            return "stale"
        if self._position is not None and self._position.epoch != position.epoch:
            return self._miss(position)  # another life ended; a sync tells about this one
        self.forget()
        return "deleted"

    def _miss(self, position: Position) -> Taken:
        if not _is_older(position, self._heard):
            self._heard = position
        self._needs_sync = True
        return "gap"

    def _settle(self) -> None:
        """Nothing is missing, unless more of this life was told of already."""
        self._needs_sync = self._position is not None and _is_older(self._position, self._heard)

    def __repr__(self) -> str:
        needs = ", needs a sync" if self._needs_sync else ""
        return f"<Replica at {self._position}{needs}>"


def _is_older(position: Position, known: Position | None) -> bool:
    return known is not None and known.epoch == position.epoch and known.version > position.version
