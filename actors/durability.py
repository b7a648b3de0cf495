"""Decide when what an actor applied is to be stored, and what an outcome of that means. Pure."""

from __future__ import annotations

import enum
from typing import Final

import attrs

from actors.behavior import Behavior
from chord.config import Settings
from chord.errors import (
    ChordError,
    DuplicateOperation,
    Fenced,
    OutcomeUnknown,
    OwnedElsewhere,
    VersionConflict,
)
from chord.records import Batch, Stored

MAX_BATCH: Final = 1000
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""How many versions, and bytes of them, are committed at once."""

MAX_UNSTORED: Final = 10_000
MAX_UNSTORED_BYTES: Final = 16 * 1024 * 1024
"""How much may be applied and not stored before requests have to wait."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 10.0

TRIES: Final = 4
"""How often it is asked what became of a commit before those who wait are told `OutcomeUnknown`."""


class Verdict(enum.Enum):
    """What an error of a commit says about the batch."""

    REFUSED = "it was not applied, and we are still the owner"
    DISOWNED = "it was not applied, and whether we are the owner is to be found out"
    DOUBTFUL = "it may have been applied"


def judge(error: ChordError) -> Verdict:
    """Say what an error of a commit means."""
    if isinstance(error, (Fenced, OwnedElsewhere, VersionConflict, DuplicateOperation)):
        return Verdict.DISOWNED
    if isinstance(error, OutcomeUnknown):
        return Verdict.DOUBTFUL
    return Verdict.REFUSED


def bears(stored: Stored | None, batch: Batch) -> bool:
    """Whether what a store has is what this very batch led to."""
    position = stored.position if stored else None
    if position != batch.position:
        return False
    if stored is None or position is None or batch.expect is None:
        return True
    if position.epoch != batch.expect.epoch:
        return True  # the name of an epoch is given once
    ours = batch.entries[-1].commit_id
    return any(entry.commit_id == ours for entry in stored.entries[-1:])


def find_pause(attempt: int, chance: float) -> float:
    """Seconds to wait before the attempt of that number, from 1: doubled each time, jittered.

    `chance` is a number of 0 to 1.

    >>> find_pause(1, 1.0), find_pause(3, 0.0), find_pause(100, 1.0)
    (0.05, 0.1, 10.0)
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 32))
    return longest * (0.5 + chance / 2)


@attrs.frozen
class Durability:
    """What an acknowledgement means (`Settings.durability`), and when it makes a commit due."""

    shows_at_once: bool
    keeps_all: bool
    interval: float | None
    count: int
    size: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Durability:
        mode = settings.durability
        return cls(
            shows_at_once=mode != "write-through",
            keeps_all=mode != "memory",
            interval=settings.flush_interval if mode == "write-behind" else None,
            count=settings.flush_count,
            size=settings.flush_bytes,
        )

    def is_due(self, behavior: Behavior) -> bool:
        """Whether there is something to commit that waits for nothing but its turn."""
        if behavior.is_settled:
            return False
        if not self.shows_at_once or behavior.alone is not None:
            return True
        if self.interval is None:
            return False
        return behavior.unstored >= self.count or behavior.unstored_bytes >= self.size

    def is_crowded(self, behavior: Behavior) -> bool:
        """Whether so much is not stored that the next request has to wait."""
        return behavior.unstored_bytes >= MAX_UNSTORED_BYTES or len(behavior.steps) >= MAX_UNSTORED

    def is_pressing(self, behavior: Behavior) -> bool:
        """Whether a commit is due because too much is not stored."""
        return self.is_crowded(behavior) and not behavior.is_settled
