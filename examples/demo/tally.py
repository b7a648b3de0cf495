"""Count replies by their kind, and what they took in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from chord import (
    ContextDeleted,
    Delta,
    DeltaUpdate,
    FullContext,
    MsgspecCodec,
    NoChange,
    Position,
)
from chord.records import WatchReply

KINDS: Final = {
    "no change": "is up to date",
    "delta": "lacks one version",
    "conflated delta": "lacks several versions",
    "full: requested": "knows nothing yet",
    "full: epoch-changed": "knows an earlier life",
    "full: ahead": "claims what never was",
    "full: compacted": "lacks more than {threshold}",
    "full: smaller": "lacks a heavier delta",
    "deleted": "watched a deleted room",
}
"""Each kind of reply, and what the client is like that gets it."""


@attrs.define
class Count:
    """How many replies there were, their bytes, and the bytes of a full state each time."""

    replies: int = 0
    sent: int = 0
    full: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.replies + other.replies, self.sent + other.sent, self.full + other.full)

    @property
    def saved(self) -> float:
        """The part of the bytes that did not need to be sent; 0 where there are none."""
        return 1 - self.sent / self.full if self.full else 0.0


class Tally:
    """Counts the replies that all clients get.

    A reply weighs what its state, or its changes, take as the codec stores them; its position and
    a transport's framing are not counted.
    """

    def __init__(self) -> None:
        self.counts = {kind: Count() for kind in KINDS}
        self._codec = MsgspecCodec()
        self._states: dict[Position, int] = {}
        self._deltas: dict[tuple[Position, int], int] = {}

    def add(self, reply: WatchReply, state: Mapping[str, Any] | None) -> None:
        """Count a reply, which brought its client to `state`."""
        full = 0 if state is None else self._weigh_state(reply.position, state)
        self.counts[find_kind(reply)] += Count(1, self._weigh(reply, full), full)

    @property
    def total(self) -> Count:
        return sum(self.counts.values(), Count())

    def _weigh(self, reply: WatchReply, full: int) -> int:
        match reply:
            case DeltaUpdate(delta):
                return self._weigh_delta(delta)
            case FullContext():
                return full
            case _:
                return 0

    def _weigh_state(self, position: Position, state: Any) -> int:
        if position not in self._states:
            self._states[position] = len(self._codec.encode_state(state))
        return self._states[position]

    def _weigh_delta(self, delta: Delta) -> int:
        key = delta.position, delta.from_version
        if key not in self._deltas:
            self._deltas[key] = len(self._codec.encode_changes(delta.changes))
        return self._deltas[key]


def find_kind(reply: WatchReply) -> str:
    """The kind of a reply, as in `KINDS`."""
    match reply:
        case NoChange():
            return "no change"
        case DeltaUpdate(delta):
            return "conflated delta" if delta.conflated else "delta"
        case FullContext(_, reason):
            return f"full: {reason}"
        case ContextDeleted():
            return "deleted"
