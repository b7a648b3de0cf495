"""Turn what a server refuses into the errors of Chord, and hold those that only a client meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chord.errors import (
    BackendUnavailable,
    ChordClosed,
    ChordError,
    ContextNotFound,
    DeadlineExceeded,
    NotApplied,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
    Quarantined,
    VersionConflict,
)
from chord.web.wire import Fault

SOON: Final = 1.0
"""Seconds after which to try again, where the server does not say."""


class ConnectionRefused(NotApplied):
    """The server will not have this client: connecting again would not help.

    `code` is that of the socket's end, or the status of HTTP where there never was one.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"refused by the server: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Refused(ChordError):
    """The server refused what was asked; nothing was written. `code` is one of `docs/wire.md`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Forbidden(Refused, PermissionError):
    """The principal may not do this."""


class Invalid(Refused, ValueError):
    """An argument or a value cannot be, or no server understands it; the message says which."""


class RateLimited(NotApplied):
    """A limit of the server is reached; try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def explain(fault: Fault, context_id: str, *, expected: Any = None) -> ChordError:
    """Return the error that a fault stands for, of the context that was asked for.

    Of a `VersionConflict`, `actual` is a position as it is on the wire: text.

    >>> explain(Fault(code="not-found", message="no", applied=False), "room:1")
    ContextNotFound("no context 'room:1'")
    """
    if fault.applied is None:
        unsure = OutcomeTimeout(context_id) if fault.code == "deadline" else None
        return unsure or OutcomeUnknown(context_id, fault.message)
    if fault.code == "conflict":
        actual: Any = fault.actual
        return VersionConflict(context_id, expected, actual)
    make = _MAKERS.get(fault.code)
    return make(fault, context_id) if make else Refused(fault.code, fault.message)


def _after(fault: Fault) -> float:
    return SOON if fault.retry_after is None else fault.retry_after


_MAKERS: Final[dict[str, Callable[[Fault, str], ChordError]]] = {
    "not-found": lambda fault, context_id: ContextNotFound(context_id),
    "forbidden": lambda fault, context_id: Forbidden(fault.code, fault.message),
    "invalid": lambda fault, context_id: Invalid(fault.code, fault.message),
    "malformed": lambda fault, context_id: Invalid(fault.code, fault.message),
    "too-large": lambda fault, context_id: Invalid(fault.code, fault.message),
    "too-many": lambda fault, context_id: RateLimited(fault.message, _after(fault)),
    "rate-limited": lambda fault, context_id: RateLimited(fault.message, _after(fault)),
    "overloaded": lambda fault, context_id: Overloaded(context_id, _after(fault)),
    "quarantined": lambda fault, context_id: Quarantined(context_id, _after(fault)),
    "owned-elsewhere": lambda fault, context_id: OwnedElsewhere(
        context_id, "another process", fault.address or ""
    ),
    "unavailable": lambda fault, context_id: BackendUnavailable("the server", fault.message),
    "deadline": lambda fault, context_id: DeadlineExceeded(context_id),
    "closing": lambda fault, context_id: ChordClosed(fault.message),
}
