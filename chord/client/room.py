"""Hold `Room`, a context that a client watches: its state, and what changes in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from chord.changes import Changes
from chord.client.subscription import Subscription
from chord.delta.difference import diff
from chord.errors import ContextNotFound


@attrs.frozen(kw_only=True)
class Change:
    """What changed in a room since it was last told; `state` and `position` are those after."""

    changes: Changes
    state: Mapping[str, Any]
    position: str


class Room:
    """A watched context, from entering to leaving. Its state is read-only, and kept up to date.

    Entering waits for the first state; it raises `ContextNotFound`, or why there will be none.
    Iterate over it to be told of changes: each `Change` is what happened since the one before, so
    a slow reader gets several in one, and misses nothing. It ends where the context is deleted, and
    where the room is left.
    """

    def __init__(
        self,
        context_id: str,
        subscribe: Callable[[], Subscription],
        unsubscribe: Callable[[Subscription], None],
    ) -> None:
        self.context_id = context_id
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._subscription: Subscription | None = None
        self._news = asyncio.Event()
        self._left = False
        self._told: Mapping[str, Any] = {}
        self._told_at: str | None = None

    @property
    def state(self) -> Mapping[str, Any] | None:
        """The latest state that the server told of.

        None before there is one, once the context is deleted, and while it has to be told anew.
        """
        return self._subscription.replica.state if self._subscription else None

    @property
    def position(self) -> str | None:
        return self._subscription.replica.position if self._subscription else None

    @property
    def deleted(self) -> bool:
        return self._subscription is not None and self._subscription.replica.deleted

    async def __aenter__(self) -> Room:
        if self._subscription is not None:
            raise RuntimeError("a room is entered once: ask for another")
        self._subscription = self._subscribe()
        self._subscription.rooms.add(self._news.set)
        try:
            await self._begin()
        except BaseException:
            self._leave(self._subscription)
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._subscription is not None:
            self._leave(self._subscription)

    async def _begin(self) -> None:
        while self.state is None:
            if self.deleted:
                raise ContextNotFound(self.context_id)
            await self._wait()
        self._tell()

    def _leave(self, subscription: Subscription) -> None:
        self._left = True
        self._news.set()
        subscription.rooms.discard(self._news.set)
        self._unsubscribe(subscription)

    def __aiter__(self) -> Room:
        return self

    async def __anext__(self) -> Change:
        while True:
            change = self._tell()
            if change is not None:
                return change
            if self.deleted or self._left:
                raise StopAsyncIteration
            await self._wait()

    def _tell(self) -> Change | None:
        state, position = self.state, self.position
        if state is None or position is None or position == self._told_at:
            return None
        changes = diff(self._told, state)
        self._told, self._told_at = state, position
        return Change(changes=changes, state=state, position=position) if changes else None

    async def _wait(self) -> None:
        if self._subscription is None:
            raise RuntimeError("a room is entered by `async with`")
        if self._subscription.error is not None:
            raise self._subscription.error
        await self._news.wait()
        if not self._left:
            self._news.clear()

    def __repr__(self) -> str:
        return f"<Room {self.context_id!r} at {self.position}>"
