"""Hold `Fanout`: who watches which context. A watcher is a position and a wake-up, not a queue.

It says nothing of what changed: a watcher that is woken looks for itself, from where it is. Those
who watch one context share a topic, with the number of its last publication, and each keeps the
number that it has seen. Who is awake finds by comparing them that there is something to look for,
so that a publication costs only as much as there are sleepers to wake.
"""

from __future__ import annotations

import math
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection
from types import TracebackType
from typing import Final, TypeAlias

from chord.clock import Clock
from chord.position import Position
from chord.records import ContextDeleted, DeltaUpdate, NoChange, Reply, WatchReply

CatchUp: TypeAlias = Callable[[Position | int | None, bool], Awaitable[WatchReply]]
"""What a watcher at a position lacks; the flag tells that it looks for the first time."""

Glance: TypeAlias = Callable[[Position | int | None], WatchReply | None]
"""The same where it can be told from memory, at once; None where it cannot."""

MOST_REMEMBERED: Final = 64
"""Positions of one context from which replies are remembered: most watchers are at few of them."""

_UNSEEN: Final = -1


class Topic:
    """What those who watch one context share.

    `cursor` is the number of the last publication. A publication finishes the futures of all who
    sleep, and lets go of them, as of the replies, which lead to the publication before.
    """

    __slots__ = ("_left", "_told", "cursor", "replies", "sleepers", "watchers")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.watchers: dict[Watcher, None] = {}
        self.sleepers: list[Future[None]] = []
        self.replies: dict[Position | int | None, tuple[Reply, float]] = {}
        self._left = 0
        self._told: tuple[DeltaUpdate, Position] | None = None

    def wake_all(self) -> None:
        sleepers, self.sleepers, self._left = self.sleepers, [], 0
        for sleep in sleepers:
            if not sleep.done():  # as one is whose task was cancelled, or which was woken alone
                sleep.set_result(None)

    def leave(self) -> None:
        """Take note that a sleeper is done: at most half of those that are kept are.

        O(1), amortized. One that is noted twice, or was let go of, only has it tidied up sooner.
        """
        self._left += 1
        if self._left * 2 > len(self.sleepers):
            self.sleepers = [sleep for sleep in self.sleepers if not sleep.done()]
            self._left = 0

    def locate(self, reply: WatchReply) -> Position:
        """Where a reply leads to: one object for all who are told the same delta in a row."""
        if type(reply) is not DeltaUpdate:
            return reply.position
        told = self._told
        if told is None or told[0] is not reply:
            told = self._told = (reply, reply.position)
        return told[1]

    def check(self) -> None:
        assert self.watchers
        sleepers = set(self.sleepers)
        for watcher in self.watchers:
            assert watcher.topic is self
            watcher.check(sleepers)
        assert self._left * 2 <= len(self.sleepers)
        assert len(self.replies) <= MOST_REMEMBERED


class Watcher:
    """One who watches: asleep, woken, or told that there is nothing to come."""

    __slots__ = ("_rest", "_seen", "_sleep", "ended", "last", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self._seen = topic.cursor
        self._sleep: Future[None] | None = None
        self._rest: Future[None] | None = None
        self.ended = False
        self.last: Position | None = None  # of a context that was deleted

    def wake(self) -> None:
        """Wake this one alone."""
        self._seen = _UNSEEN
        if _finish(self._sleep):
            self.topic.leave()

    def end(self, last: Position | None) -> None:
        self.ended = True
        self.last = last
        self.wake()
        if last is None:
            _finish(self._rest)

    async def wait(self) -> None:
        """Return when woken since the last call, and at once if ended. For one task at a time."""
        topic = self.topic
        if self._seen == topic.cursor and not self.ended:
            sleep: Future[None] = Future()
            self._sleep = sleep
            topic.sleepers.append(sleep)
            try:
                await sleep
            except BaseException:
                topic.leave()
                raise
        self._seen = topic.cursor

    async def rest(self, clock: Clock, moment: float) -> None:
        """Return at that moment, or once the runtime closes."""
        if clock.monotonic() >= moment or (self.ended and self.last is None):
            return
        rest: Future[None] = Future()
        self._rest = rest
        timer = clock.call_at(moment, lambda: _finish(rest))
        try:
            await rest
        finally:
            timer.cancel()
            self._rest = None

    def check(self, sleepers: Collection[Future[None]]) -> None:
        assert not self.ended
        assert self._seen <= self.topic.cursor
        if self._sleep is not None and not self._sleep.done():
            assert self._seen == self.topic.cursor
            assert self._sleep in sleepers


def _finish(future: Future[None] | None) -> bool:
    """Whether it was not done yet."""
    if future is None or future.done():
        return False
    future.set_result(None)
    return True


class Fanout:
    """The watchers of all contexts, and what they may tell each other."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._published = 0
        self.wakeups = 0  # of all who were told, asleep or not

    def attach(self, context_id: str) -> Watcher:
        topic = self._topics.get(context_id)
        if topic is None:
            self._published += 1  # no topic begins with a number that an earlier one had
            topic = self._topics[context_id] = Topic(self._published)
        watcher = Watcher(topic)
        topic.watchers[watcher] = None
        return watcher

    def detach(self, context_id: str, watcher: Watcher) -> None:
        """Let go of a watcher, and wake it: nobody else will."""
        watcher.wake()
        topic = self._topics.get(context_id)
        if topic is None:
            return
        topic.watchers.pop(watcher, None)
        if not topic.watchers:
            del self._topics[context_id]

    def publish(self, context_id: str) -> None:
        """Wake all who watch this context. O(sleepers)."""
        topic = self._topics.get(context_id)
        if topic is None:
            return
        self._published = topic.cursor = self._published + 1
        self.wakeups += len(topic.watchers)
        if topic.replies:
            topic.replies = {}
        if topic.sleepers:
            topic.wake_all()

    def end(self, context_id: str, last: Position) -> None:
        """Tell all who watch this context that it was deleted, and let go of them."""
        topic = self._topics.pop(context_id, None)
        if topic is not None:
            for watcher in topic.watchers:
                watcher.end(last)

    def close(self) -> None:
        """Let all watches end."""
        for topic in self._topics.values():
            for watcher in topic.watchers:
                watcher.end(None)
        self._topics.clear()

    # -- replies that are shared -----------------------------------------------------------------

    def cursor(self, context_id: str) -> int | None:
        """Return the number of the last publication, which `remember` asks for; None if unwatched.

        To be taken before one looks. No number is given twice.
        """
        topic = self._topics.get(context_id)
        return None if topic is None else topic.cursor

    def remember(
        self,
        context_id: str,
        since: Position | int | None,
        reply: Reply,
        cursor: int | None,
        until: float = math.inf,
    ) -> None:
        """Keep what leads from `since` to the publication `cursor`, until there is another.

        It is good `until` that moment. A reply to an earlier publication is not kept, nor one from
        yet another position where there are `MOST_REMEMBERED` already.
        """
        topic = self._topics.get(context_id)
        if topic is not None and topic.cursor == cursor and len(topic.replies) < MOST_REMEMBERED:
            topic.replies[since] = reply, until

    def remembered(
        self, context_id: str, since: Position | int | None, now: float = 0.0
    ) -> Reply | None:
        """Return what was remembered since the last publication, if it is good still."""
        topic = self._topics.get(context_id)
        if topic is None or since not in topic.replies:
            return None
        reply, until = topic.replies[since]
        return reply if now <= until else None

    # -- in numbers ------------------------------------------------------------------------------

    def watched(self) -> list[str]:
        """Return the ids of the contexts that are watched."""
        return list(self._topics)

    def count(self, context_id: str) -> int:
        """Return how many watch this context."""
        topic = self._topics.get(context_id)
        return 0 if topic is None else len(topic.watchers)

    def __len__(self) -> int:
        return sum(len(topic.watchers) for topic in self._topics.values())

    def check(self) -> None:
        """Assert every invariant."""
        for topic in self._topics.values():
            assert topic.cursor <= self._published
            topic.check()


class Watch:
    """An async context manager, and an async iterator of replies, of one watcher.

    After an error, iterating goes on from the same position. When woken it asks `glance` first:
    what that has to tell is told without waiting for anything.
    """

    def __init__(
        self,
        fanout: Fanout,
        context_id: str,
        since: Position | int | None,
        catch_up: CatchUp,
        clock: Clock,
        min_interval: float,
        *,
        glance: Glance | None = None,
    ) -> None:
        self._fanout = fanout
        self._context_id = context_id
        self._position = since
        self._catch_up = catch_up
        self._glance = glance or _glance_at_nothing
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
        if type(reply) is ContextDeleted:
            self._detach()
        watcher = self._watcher
        self._position = reply.position if watcher is None else watcher.topic.locate(reply)
        if self._min_interval:
            self._next_at = self._clock.monotonic() + self._min_interval
        return reply

    async def _next(self) -> WatchReply | None:
        """The next reply, or None if there was nothing new after all."""
        watcher = self._watcher
        if watcher is None:
            raise StopAsyncIteration
        await watcher.wait()
        try:
            if self._min_interval:
                await watcher.rest(self._clock, self._next_at)
            if watcher.ended:
                return self._end(watcher.last)
            reply = self._glance(self._position)
            if reply is None:
                reply = await self._catch_up(self._position, False)
        except BaseException:
            watcher.wake()  # there is still something to look for
            raise
        return None if type(reply) is NoChange else reply

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


def _glance_at_nothing(since: Position | int | None) -> None:
    return None
