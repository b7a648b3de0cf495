"""Count in a task that reads an `asyncio.Queue` and answers by futures: no library at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from benchmarks.peers.counters.counter import Counter, make_counter


@asynccontextmanager
async def open_counter() -> AsyncIterator[Counter]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[asyncio.Future[int]] = asyncio.Queue()

    async def count() -> None:
        number = 0
        while True:
            asked = await queue.get()
            number += 1
            asked.set_result(number)

    async def add() -> int:
        answer: asyncio.Future[int] = loop.create_future()
        await queue.put(answer)
        return await answer

    counting = asyncio.create_task(count())
    try:
        yield make_counter("a task and an asyncio.Queue", add)
    finally:
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting
