"""Hold `Telemetry`, the port through which each operation is told, once, when it has ended."""

from __future__ import annotations

import logging
from typing import Protocol

import attrs

from chord.clock import Clock

_log = logging.getLogger("chord")


@attrs.frozen(kw_only=True)
class Event:
    """One operation that has ended.

    `outcome` is ``ok``, ``unchanged``, the `reason` or kind of a reply, or the name of the error's
    class. `duration` is in seconds. `size` counts the bytes that went to, or are counted by, the
    store for this operation; 0 where none were.
    """

    operation: str
    context_id: str | None
    outcome: str
    duration: float
    size: int = 0


class Telemetry(Protocol):
    """Whoever wants to know. Called in the event loop, so it must be quick and must not raise."""

    def record(self, event: Event) -> None:
        """Take note of one operation."""


class Span:
    """One operation under way, told when it ends: by its error's name, if it raises one."""

    __slots__ = ("_clock", "_context_id", "_operation", "_started", "_telemetry", "outcome", "size")

    def __init__(
        self, telemetry: Telemetry | None, clock: Clock, operation: str, context_id: str | None
    ) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._operation = operation
        self._context_id = context_id
        self._started = 0.0
        self.outcome = "ok"
        self.size = 0

    def __enter__(self) -> Span:
        if self._telemetry is not None:
            self._started = self._clock.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._telemetry is None:
            return
        event = Event(
            operation=self._operation,
            context_id=self._context_id,
            outcome=self.outcome if kind is None else kind.__name__,
            duration=self._clock.monotonic() - self._started,
            size=self.size,
        )
        try:
            self._telemetry.record(event)
        except Exception:  # what was done is done, whoever fails to take note of it
            _log.exception("telemetry failed on %r", event)


class Unwatched(Span):
    """A span of whatever operation, of which nobody wants to know."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        return None


class LogTelemetry:
    """Tell each operation to a logger, in one line, at level DEBUG."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("chord")

    def record(self, event: Event) -> None:
        self._logger.debug(
            "%s %s %s %.6f s %d B",
            event.operation,
            event.context_id,
            event.outcome,
            event.duration,
            event.size,
        )
