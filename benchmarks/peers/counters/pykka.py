"""Count in an actor of pykka, which is a thread; it is not asyncio's, so answers are blocked for.

Awaiting one of its futures blocks the event loop too, which is therefore left out of the loops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pykka

from benchmarks.peers.counters.counter import Counter
from benchmarks.timing import Loop, Times


class Counting(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def add(self) -> int:
        self.number += 1
        return self.number


@asynccontextmanager
async def open_counter() -> AsyncIterator[Counter]:
    actor = Counting.start()
    proxy = actor.proxy()

    async def add() -> int:
        number: int = proxy.add().get()
        return number

    def alone(times: Times) -> None:
        for _ in times:
            proxy.add().get()

    def at_once(count: int) -> Loop:
        def loop(times: Times) -> None:
            for _ in times:
                pykka.get_all([proxy.add() for _ in range(count)])

        return loop

    try:
        yield Counter(name="pykka (threads)", add=add, alone=alone, at_once=at_once)
    finally:
        actor.stop()
