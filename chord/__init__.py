"""Chord: contexts of state, each change numbered, and what a client that is behind lacks."""

from chord.api import Chord, State
from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.backends.open import open_backend
from chord.cattrs_codec import CattrsCodec
from chord.changes import REMOVE, Added, Append, Increment, Modified, Removed, Replace, Spliced
from chord.clock import Clock, ManualClock, SystemClock
from chord.codec import Codec, MsgspecCodec
from chord.config import Settings
from chord.errors import (
    AskCycle,
    BackendUnavailable,
    CannotFormat,
    ChordClosed,
    ChordError,
    ConfigurationError,
    ContextNotFound,
    CorruptData,
    DeadlineExceeded,
    DeltaMismatch,
    Fenced,
    InvalidArgument,
    InvalidContextId,
    InvalidState,
    NotApplied,
    NotStored,
    NoTurn,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
    Quarantined,
    VersionConflict,
    VersionGone,
    WrongActor,
    WrongLoop,
)
from chord.fanout import Watch
from chord.formatters.base import Formatter, leaves
from chord.position import Position
from chord.records import (
    Commit,
    Context,
    ContextDeleted,
    Delta,
    DeltaUpdate,
    FullContext,
    NoChange,
    Reply,
    Report,
    Summary,
    WatchReply,
)
from chord.replica import Replica, Taken
from chord.requests import ExpectedAt
from chord.stateless import StatelessChord
from chord.sync import Since
from chord.telemetry import Event, LogTelemetry, Telemetry

__all__ = [
    "REMOVE",
    "Added",
    "Append",
    "AskCycle",
    "Backend",
    "BackendUnavailable",
    "CannotFormat",
    "CattrsCodec",
    "Chord",
    "ChordClosed",
    "ChordError",
    "Clock",
    "Codec",
    "Commit",
    "ConfigurationError",
    "Context",
    "ContextDeleted",
    "ContextNotFound",
    "CorruptData",
    "DeadlineExceeded",
    "Delta",
    "DeltaMismatch",
    "DeltaUpdate",
    "Event",
    "ExpectedAt",
    "Fenced",
    "Formatter",
    "FullContext",
    "Increment",
    "InvalidArgument",
    "InvalidContextId",
    "InvalidState",
    "LogTelemetry",
    "ManualClock",
    "MemoryBackend",
    "Modified",
    "MsgspecCodec",
    "NoChange",
    "NoTurn",
    "NotApplied",
    "NotStored",
    "OutcomeTimeout",
    "OutcomeUnknown",
    "Overloaded",
    "OwnedElsewhere",
    "Position",
    "Quarantined",
    "Removed",
    "Replace",
    "Replica",
    "Reply",
    "Report",
    "Settings",
    "Since",
    "Spliced",
    "State",
    "StatelessChord",
    "Summary",
    "SystemClock",
    "Taken",
    "Telemetry",
    "VersionConflict",
    "VersionGone",
    "Watch",
    "WatchReply",
    "WrongActor",
    "WrongLoop",
    "leaves",
    "open_backend",
]
