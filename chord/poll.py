"""Look for what other processes did to the contexts that are watched here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chord.backends.base import Backend
from chord.clock import Clock
from chord.fanout import Fanout
from chord.position import Position
from chord.shelf import Shelf


class Poller:
    """Asks the store for the heads of all watched contexts, every `interval` seconds.

    A context that moved is loaded once, however many watch it. One that it is to `skip` is known
    here better than in the store.
    """

    def __init__(
        self,
        backend: Backend,
        shelf: Shelf,
        fanout: Fanout,
        clock: Clock,
        interval: float,
        *,
        skip: Callable[[str], bool] | None = None,
    ) -> None:
        self._backend = backend
        self._shelf = shelf
        self._fanout = fanout
        self._clock = clock
        self._interval = interval
        self._skip = skip
        self._told: dict[str, Position] = {}
        self.last_error: Exception | None = None

    async def run(self) -> None:
        """Look for ever; a store that is away is asked again the next time."""
        while True:
            await self._wait()
            self.last_error = None
            try:
                await self.look()
            except Exception as error:  # an application's codec may raise anything
                self.last_error = error

    async def look(self) -> None:
        """Look once. A context that cannot be read holds up no other; it is looked for again."""
        watched = self._fanout.watched()
        if self._skip is not None:
            watched = [context_id for context_id in watched if not self._skip(context_id)]
        heads = await self._backend.heads(watched) if watched else {}
        self._told = {key: told for key, told in self._told.items() if key in heads}
        for context_id in watched:
            try:
                await self._compare(context_id, heads.get(context_id))
            except Exception as error:
                self.last_error = error

    async def _compare(self, context_id: str, head: Position | None) -> None:
        """Wake who watches if the head is another than they were last woken for.

        What is remembered here cannot tell that: a reader may have been faster.
        """
        live = self._shelf.peek(context_id)
        overtaken = live is not None and live.position != head  # by a slow load of an older life
        if head is not None and head == self._told.get(context_id) and not overtaken:
            return
        if head is None or live is None or live.position != head:
            await self._shelf.fresh(context_id)
        self._fanout.publish(context_id)
        if head is not None:
            self._told[context_id] = head

    async def _wait(self) -> None:
        due = asyncio.Event()
        timer = self._clock.call_at(self._clock.monotonic() + self._interval, due.set)
        try:
            await due.wait()
        finally:
            timer.cancel()
