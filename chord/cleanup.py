"""Clean up: delete what is due, cut old logs, and do so periodically."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

import attrs

from chord.backends.base import Backend
from chord.clock import Clock, Timer
from chord.config import Settings
from chord.crew import Spawn
from chord.errors import ChordClosed, ConfigurationError, InvalidArgument
from chord.records import Report, Summary

PAGE: Final = 100
"""How many contexts are asked for at once where there is no limit."""

MOST: Final = 2**31 - 1
"""A limit that is as good as any larger one; not every store can count further."""

DEFAULT_INTERVAL: Final = 60.0

Fate: TypeAlias = Literal["expired", "exported", "skipped", "failed"]
"""What became of a due context; an exported one was deleted, too."""

Expire: TypeAlias = Callable[[Summary], Awaitable[Fate]]


async def sweep(backend: Backend, settings: Settings, limit: int | None, expire: Expire) -> Report:
    """Clean up once. Due contexts go the oldest first, at most `limit` of them.

    Those that cannot go now are passed over and hold up nobody else. The cost follows what is due.
    """
    now = settings.clock.time()
    counts = dict.fromkeys(("expired", "exported", "skipped", "failed"), 0)
    if settings.context_auto_delete:
        await _expire_due(backend, now - settings.context_ttl, limit, expire, counts)
    trimmed = await _trim(backend, now - settings.delta_ttl, limit)
    return Report(
        expired=counts["expired"] + counts["exported"],
        exported=counts["exported"],
        trimmed=trimmed,
        skipped=counts["skipped"],
        failed=counts["failed"],
    )


async def _trim(backend: Backend, before: float, limit: int | None) -> int:
    if limit is not None:
        return await backend.trim(before, min(limit, MOST))
    total = 0
    while trimmed := await backend.trim(before, PAGE):
        total += trimmed
    return total


async def _expire_due(
    backend: Backend, before: float, limit: int | None, expire: Expire, counts: dict[str, int]
) -> None:
    passed_over: set[str] = set()
    left = limit
    while left is None or left > 0:
        page = max(PAGE, len(passed_over))  # grows, so that many who stay do not cost a square
        page = page if left is None else min(left, page)
        found = await backend.due(before, page + len(passed_over))
        due = [summary for summary in found if summary.context_id not in passed_over][:page]
        if not due:
            return
        for summary in due:
            fate = await expire(summary)
            counts[fate] += 1
            if fate in ("skipped", "failed"):
                passed_over.add(summary.context_id)
            elif left is not None:
                left -= 1


@attrs.frozen
class Schedule:
    interval: float
    limit: int | None


class PeriodicCleaner:
    """Runs a clean-up every so often, in a task of its runtime, and never two at once."""

    def __init__(
        self,
        settings: Settings,
        run: Callable[[int | None], Awaitable[Report]],
        spawn: Spawn,
    ) -> None:
        self._clock: Clock = settings.clock
        self._default = settings.cleanup_interval or DEFAULT_INTERVAL
        self._run = run
        self._spawn = spawn
        self._schedule: Schedule | None = None
        self._closed = False
        self._timer: Timer | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[Any] | None = None
        self.runs = 0
        self.last_report: Report | None = None
        self.last_error: Exception | None = None

    @property
    def running(self) -> bool:
        return self._schedule is not None

    async def start(self, interval: float | None = None, limit: int | None = None) -> None:
        if self._closed:
            raise ChordClosed("the cleaner has ended with its runtime")
        check_limit(limit)
        self._arm(Schedule(self._check(interval, self._default), limit))

    async def update(self, interval: float | None = None, limit: int | None = None) -> None:
        check_limit(limit)
        if self._schedule is None:
            raise ConfigurationError("the cleaner is not running: start() it first")
        interval = self._check(interval, self._schedule.interval)
        self._arm(Schedule(interval, self._schedule.limit if limit is None else limit))

    async def stop(self) -> None:
        self._schedule = None
        self._disarm()
        if asyncio.current_task() is not self._task:  # a hook that stops it is part of the run
            await self._idle.wait()

    def close(self) -> None:
        """Stop for good, without waiting; a run that is under way ends with its runtime."""
        self._closed = True
        self._schedule = None
        self._disarm()

    @staticmethod
    def _check(interval: float | None, default: float) -> float:
        if interval is None:
            return default
        if type(interval) not in (int, float) or not interval > 0:
            raise InvalidArgument("interval", interval, "positive")
        return interval

    def _arm(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._disarm()
        due = self._clock.monotonic() + schedule.interval
        self._timer = self._clock.call_at(due, self._begin)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        assert self._schedule is not None
        self._arm(self._schedule)
        if self._idle.is_set():
            self._idle.clear()
            self._spawn(self._clean)

    async def _clean(self) -> None:
        limit = self._schedule.limit if self._schedule else None
        self._task = asyncio.current_task()
        try:
            self.last_report = await self._run(limit)
            self.last_error = None
        except Exception as error:  # whatever it is, it must not end the runtime
            self.last_error = error
        finally:
            self.runs += 1
            self._task = None
            self._idle.set()

    def __repr__(self) -> str:
        return f"<PeriodicCleaner {self._schedule or 'stopped'} runs={self.runs}>"


def check_limit(limit: int | None) -> None:
    """Raise `InvalidArgument` unless it is None or a positive number."""
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidArgument("limit", limit, "a positive int or None")
