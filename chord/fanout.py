"""Hold `Fanout`: who watches which context. A watcher is a position and a wake-up, not a queue.

It says nothing of what changed: a watcher that is woken looks for itself, from where it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeAlias

from chord.clock import Clock
from chord.position import Position
from chord.records import ContextDeleted, NoChange, WatchReply

CatchUp: TypeAlias = Callable[[Position | int | None, bool], Awaitable[WatchReply]]
"""What a watcher at a position lacks; the flag tells that it looks for the first time."""


class Watcher:
    """One who watches: asleep, woken, or told that there is nothing to come."""

    __slots__ = ("_rest", "_sleep", "_woken", "ended", "last")

    def __init__(self) -> None:
        self._sleep: asyncio.Future[None] | None = None
        self._rest: asyncio.Future[None] | None = None
        self._woken = False
        self.ended = False
        self.last: Position | None = None  # of a context that was deleted

    def wake(self) -> None:
        self._woken = True
        _finish(self._sleep)

    def end(self, last: Position | None) -> None:
        self.ended = True
        self.last = last
        self.wake()
        if last is None:
            _finish(self._rest)

    async def wait(self) -> None:
        """Return when woken since the last call, and at once if ended. For one task at a time."""
        if not self._woken and not self.ended:
            self._sleep = asyncio.get_running_loop().create_future()
            try:
                await self._sleep
            finally:
                self._sleep = None
        self._woken = False

    async def rest(self, clock: Clock, moment: float) -> None:
        """Return at that moment, or once the runtime closes."""
        if clock.monotonic() >= moment or (self.ended and self.last is None):
            return
        self._rest = rest = asyncio.get_running_loop().create_future()
        timer = clock.call_at(moment, lambda: _finish(rest))
        try:
            await rest
        finally:
            timer.cancel()
            self._rest = None


def _finish(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


class Fanout:
    """The watchers of all contexts."""

    def __init__(self) -> None:
        self._watchers: dict[str, dict[Watcher, None]] = {}
        self.wakeups = 0

    def attach(self, context_id: str) -> Watcher:
        watcher = Watcher()
        self._watchers.setdefault(context_id, {})[watcher] = None
        return watcher

    def detach(self, context_id: str, watcher: Watcher) -> None:
        watchers = self._watchers.get(context_id, {})
        watchers.pop(watcher, None)
        if not watchers:
            self._watchers.pop(context_id, None)

    def publish(self, context_id: str) -> None:
        """Wake all who watch this context. O(watchers)."""
        watchers = self._watchers.get(context_id, ())
        self.wakeups += len(watchers)
        for watcher in watchers:
            watcher.wake()

    def end(self, context_id: str, last: Position) -> None:
        """Tell all who watch this context that it was deleted, and let go of them."""
        for watcher in self._watchers.pop(context_id, ()):
            watcher.end(last)

    def close(self) -> None:
        """Let all watches end."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end(None)
        self._watchers.clear()

    def watched(self) -> list[str]:
        """Return the ids of the contexts that are watched."""
        return list(self._watchers)

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

    def check(self) -> None:
        """Assert every invariant."""
        for watchers in self._watchers.values():
            assert watchers
            assert not any(watcher.ended for watcher in watchers)


class Watch:
    """An async context manager, and an async iterator of replies, of one watcher.

    After an error, iterating goes on from the same position.
    """

    def __init__(
        self,
        fanout: Fanout,
        context_id: str,
        since: Position | int | None,
        catch_up: CatchUp,
        clock: Clock,
        min_interval: float,
    ) -> None:
        self._fanout = fanout
        self._context_id = context_id
        self._position = since
        self._catch_up = catch_up
        self._clock = clock
        self._min_interval = min_interval
        self._first: WatchReply | None = None
        self._next_at = 0.0
        self._in_use = False
        self._watcher: Watcher | None = None
        self._entered = False

    @property
    def position(self) -> Position | int | None:
        """What the reader knows once it has taken the last reply."""
        return self._position

    async def __aenter__(self) -> Watch:
        if self._entered:
            raise RuntimeError("a watch is entered once; make another")
        self._entered = True
        self._watcher = self._fanout.attach(self._context_id)
        try:
            self._first = await self._catch_up(self._position, True)
        except BaseException:
            self._detach()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watcher is not None:
            self._watcher.end(None)  # a task of the reader's may still be waiting
        self._detach()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> WatchReply:
        if self._watcher is None:
            if not self._entered:
                raise RuntimeError("a watch is used in 'async with', then iterated over")
            raise StopAsyncIteration
        if self._in_use:
            raise RuntimeError("another task is waiting for this watch already")
        self._in_use = True
        try:
            reply, self._first = self._first, None
            while reply is None:
                reply = await self._next()
        finally:
            self._in_use = False
        if isinstance(reply, ContextDeleted):
            self._detach()
        self._position = reply.position
        self._next_at = self._clock.monotonic() + self._min_interval
        return reply

    async def _next(self) -> WatchReply | None:
        """The next reply, or None if there was nothing new after all."""
        watcher = self._watcher
        if watcher is None:
            raise StopAsyncIteration
        await watcher.wait()
        try:
            await watcher.rest(self._clock, self._next_at)
            if watcher.ended:
                return self._end(watcher.last)
            reply = await self._catch_up(self._position, False)
        except BaseException:
            watcher.wake()  # there is still something to look for
            raise
        return None if isinstance(reply, NoChange) else reply

    def _end(self, last: Position | None) -> WatchReply | None:
        """The last reply, unless what ended is not the life that the reader knows."""
        if last is None:
            self._detach()
            raise StopAsyncIteration
        if isinstance(self._position, Position) and self._position.epoch != last.epoch:
            self._watcher = self._fanout.attach(self._context_id)
            self._watcher.wake()
            return None
        if isinstance(self._position, Position) and self._position.version > last.version:
            last = self._position
        return ContextDeleted(last)

    def _detach(self) -> None:
        if self._watcher is not None:
            self._fanout.detach(self._context_id, self._watcher)
            self._watcher = None

    def __repr__(self) -> str:
        state = "closed" if self._watcher is None else "open"
        return f"<Watch {self._context_id!r} at {self._position}, {state}>"
