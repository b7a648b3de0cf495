"""Count in an actor of xoscar, in a pool that has no process but this one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import xoscar

from benchmarks.peers.counters.counter import Counter, make_counter


class Counting(xoscar.Actor):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def add(self) -> int:
        self.number += 1
        return self.number


@asynccontextmanager
async def open_counter() -> AsyncIterator[Counter]:
    pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=0)
    async with pool:
        actor = await xoscar.create_actor(Counting, address=pool.external_address, uid="counting")
        yield make_counter("xoscar (pool in this process)", lambda: actor.add())
        await xoscar.destroy_actor(actor)
