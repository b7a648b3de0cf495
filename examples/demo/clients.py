"""Hold a client of the room: a replica that is kept up to date, by asking or by watching."""

from __future__ import annotations

import asyncio

from chord import Chord, ContextNotFound, FullContext, Position, Replica
from chord.records import WatchReply
from examples.demo.tally import Tally


class Client:
    """One who follows a context, and is away at times: until so many updates were written."""

    def __init__(self, chord: Chord, context_id: str, user: str, watches: bool, tally: Tally):
        self.user = user
        self.watches = watches
        self.replica = Replica()
        self.back_at: int | None = None
        self._chord = chord
        self._context_id = context_id
        self._tally = tally
        self._watch: asyncio.Task[None] | None = None

    @property
    def online(self) -> bool:
        return self.back_at is None

    async def leave(self, back_at: int) -> None:
        """Be away until that many updates were written."""
        self.back_at = back_at
        await self.stop()

    def come_back(self) -> None:
        self.back_at = None

    async def sync(self) -> None:
        """Ask for what is lacking, and take the answer. A room that is not there is no answer."""
        try:
            self._take(await self._chord.sync_context(self._context_id, since=self.replica.since))
        except ContextNotFound:
            return

    async def claim(self, position: Position) -> None:
        """Ask with a position that this client was never given."""
        self._take(await self._chord.sync_context(self._context_id, since=position))

    def keep_watching(self, tasks: asyncio.TaskGroup) -> None:
        """Watch, unless this client does already."""
        if self._watch is None or self._watch.done():
            self._watch = tasks.create_task(self._follow())

    async def stop(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None

    async def _follow(self) -> None:
        watch = self._chord.watch_context(self._context_id, since=self.replica.since)
        try:
            async with watch as replies:
                async for reply in replies:
                    self._take(reply)
        except ContextNotFound:
            return

    def _take(self, reply: WatchReply) -> None:
        self.replica.receive(reply)
        state = reply.context.state if isinstance(reply, FullContext) else self.replica.state
        self._tally.add(reply, state)
