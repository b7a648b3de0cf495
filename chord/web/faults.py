"""Say what went wrong as a client is told it: a code, a message, and what goes with them. Pure.

What a client is not to know, where a store is or what a traceback says, is not in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from chord.errors import (
    AskCycle,
    BackendUnavailable,
    ChordClosed,
    ChordError,
    ContextNotFound,
    DeadlineExceeded,
    Fenced,
    InvalidArgument,
    InvalidState,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
    Quarantined,
    VersionConflict,
)
from chord.position import Position
from chord.web.leaves import WireError
from chord.web.patches import PatchFailed

_log = logging.getLogger("chord.web")

Tell: TypeAlias = Callable[[Position], str | None]
"""How a position is told; None where it cannot be."""

SOON: Final = 1.0
"""Seconds after which to try again where nothing better is known."""

CONFLICT: Final = "not at the expected position"


class Unauthenticated(ChordError):
    """Nobody knows who asks."""

    def __init__(self) -> None:
        super().__init__("not authenticated")


class Forbidden(ChordError):
    """The principal may not do this. It says nothing of whether there is such a thing."""

    def __init__(self, what: str = "not allowed") -> None:
        super().__init__(what)


class WrongOrigin(Forbidden):
    """A browser asks for a page of a site that is not welcome."""

    def __init__(self) -> None:
        super().__init__("not allowed from this origin")


class Elsewhere(VersionConflict):
    """A conflict of which the principal may not know where the context is."""


class TooLarge(ChordError):
    """A message, or a body, is longer than the door takes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"{size} bytes, where {limit} are allowed")
        self.size = size
        self.limit = limit


class TooMany(ChordError):
    """There are as many as there may be: contexts of a socket, or sockets of a principal."""

    def __init__(self, what: str, limit: int, retry_after: float | None = None) -> None:
        super().__init__(f"no more than {limit} {what}")
        self.limit = limit
        self.retry_after = retry_after


class RateLimited(ChordError):
    """Too much was asked in a short time; try again after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many messages in a short time")
        self.retry_after = retry_after


class NoSuchCall(ChordError):
    """The door has no calls: the application gave it none."""

    def __init__(self) -> None:
        super().__init__("there are no calls here")


class HookFailed(ChordError):
    """A hook of the application's raised: `hook` is its name, and the cause what it raised."""

    def __init__(self, hook: str) -> None:
        super().__init__(f"the hook {hook!r} failed")
        self.hook = hook


class CallFailed(ChordError):
    """A call raised in the application's code, which may have written something before."""

    applied = None


@attrs.frozen(kw_only=True)
class Refusal:
    """What a client is told: the fields of the message `error`, but for `ref` and `context`.

    `actual` is a position as text. `retry_after` is in seconds.
    """

    code: str
    message: str
    applied: bool | None = False
    retry_after: float | None = None
    actual: str | None = None
    address: str | None = None


STATUSES: Final = {
    "malformed": 400,
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not-found": 404,
    "conflict": 412,
    "too-large": 413,
    "owned-elsewhere": 421,
    "too-many": 429,
    "rate-limited": 429,
    "overloaded": 503,
    "quarantined": 503,
    "unavailable": 503,
    "closing": 503,
    "unknown-outcome": 503,
    "deadline": 504,
    "internal": 500,
}
"""The status of HTTP for each code; a `PatchFailed` is a `conflict`, too, but 409."""

CLOSE_CODES: Final = {
    "malformed": 4400,
    "unauthenticated": 4401,
    "forbidden": 4403,
    "too-large": 4413,
    "too-many": 4429,
    "rate-limited": 4429,
    "closing": 1012,
    "internal": 1011,
}
"""How a socket is closed for a fault that ends it."""


def status_of(error: Exception) -> int:
    """Return the status of HTTP that an error has.

    >>> status_of(ContextNotFound("room:1")), status_of(RuntimeError("a secret"))
    (404, 500)
    """
    return 409 if isinstance(error, PatchFailed) else STATUSES[explain(error).code]


def describe(error: Exception, tell: Tell = str) -> Refusal:
    """Say an error to a client, and log it if it is ours. `tell` turns a position to its text.

    >>> describe(ContextNotFound("room:1")).message
    "no context 'room:1'"
    """
    told = explain(error, tell)
    if told.code == "internal":
        cause = error.__cause__ or error
        _log.error("%s", error, exc_info=(type(cause), cause, cause.__traceback__))
    return told


def explain(error: Exception, tell: Tell = str) -> Refusal:
    """Say an error to a client, as `describe`, without a word to the log."""
    for kind, make in _KINDS:
        if isinstance(error, kind):
            return make(error, tell)
    applied = error.applied if isinstance(error, ChordError) else None
    return Refusal(code="internal", message="a fault of the server", applied=applied)


def _quote(code: str) -> Callable[[Any, Any], Refusal]:
    """Tell the error's own words, which are made of what the client knows."""

    def quote(error: Any, tell: object) -> Refusal:
        after = getattr(error, "retry_after", None)
        return Refusal(code=code, message=str(error), applied=error.applied, retry_after=after)

    return quote


def _say(
    code: str, message: str, retry_after: float | None = None
) -> Callable[[Any, Any], Refusal]:
    """Tell no more than these words."""

    def say(error: Any, tell: object) -> Refusal:
        return Refusal(code=code, message=message, applied=error.applied, retry_after=retry_after)

    return say


def _conflict(error: VersionConflict, tell: Tell) -> Refusal:
    if error.actual is None:
        return Refusal(code="conflict", message="there is no such context")
    return Refusal(code="conflict", message=CONFLICT, actual=tell(error.actual))


def _owned(error: OwnedElsewhere, tell: object) -> Refusal:
    message = "another process owns the context"
    return Refusal(code="owned-elsewhere", message=message, address=error.address)


_KINDS: Final[tuple[tuple[type[Exception], Callable[[Any, Any], Refusal]], ...]] = (
    (WireError, _quote("malformed")),
    (PatchFailed, _quote("conflict")),
    (Unauthenticated, _quote("unauthenticated")),
    (Forbidden, _quote("forbidden")),
    (TooLarge, _quote("too-large")),
    (TooMany, _quote("too-many")),
    (RateLimited, _quote("rate-limited")),
    (NoSuchCall, _quote("not-found")),
    (ContextNotFound, _quote("not-found")),
    (InvalidArgument, _quote("invalid")),
    (InvalidState, _quote("invalid")),
    (Elsewhere, _say("conflict", CONFLICT)),
    (VersionConflict, _conflict),
    (OwnedElsewhere, _owned),
    (Overloaded, _quote("overloaded")),
    (Quarantined, _quote("quarantined")),
    (DeadlineExceeded, _quote("deadline")),
    (OutcomeTimeout, _quote("deadline")),
    (ChordClosed, _say("closing", "the server is going away", SOON)),
    (BackendUnavailable, _say("unavailable", "the store cannot be reached", SOON)),
    (Fenced, _say("unavailable", "another process took the context over", SOON)),
    (OutcomeUnknown, _say("unknown-outcome", "nobody can tell whether it was written", SOON)),
    (AskCycle, _say("invalid", "it would wait for itself")),
)
"""What each kind of error is told as; the first that fits."""
