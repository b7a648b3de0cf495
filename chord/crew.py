"""Hold `Crew`, tasks that are kept for the next piece of work: starting one costs more than most.

No policy: what the work is, and who waits for it, is told by whoever brings it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
Spawn: TypeAlias = Callable[[Work], None]
"""Starts a task that the runtime owns."""

MOST_SPARE: Final = 64
"""How many tasks without work are kept."""


class Crew:
    """Carries out work, each piece in a task that does nothing else meanwhile.

    The tasks are started by `spawn`, and end when their owner cancels them, or when there are
    enough others. Work that raises ends its task.
    """

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._spare: list[asyncio.Future[Work]] = []

    def put(self, work: Work) -> None:
        """Have a piece of work begin soon. O(1)."""
        while self._spare:
            waiting = self._spare.pop()
            if not waiting.done():
                return waiting.set_result(work)
        self._spawn(partial(self._serve, work))

    async def _serve(self, work: Work) -> None:
        await work()
        while len(self._spare) < MOST_SPARE:
            waiting: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
            self._spare.append(waiting)
            work = await waiting
            await work()

    def __repr__(self) -> str:
        return f"<Crew spare={len(self._spare)}>"
