"""Follow what an act on one context costs as more clients begin theirs at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from benchmarks.clicks import Clicks
from benchmarks.harness import Measurement, Part
from benchmarks.micro.loops import ROOM
from benchmarks.modes import MODES, Mode
from benchmarks.scale.chart import Chart
from benchmarks.scale.sizes import Sizes
from benchmarks.side import Side
from benchmarks.stores import open_store
from benchmarks.timing import Contender, Effort, Times
from chord.changes import Increment
from chord.sync import Since

DURABLE: Final = tuple(mode for mode in MODES if mode.durability in (None, "write-through"))
"""The modes in which what is acknowledged is stored; in the others the store counts for little."""


@asynccontextmanager
async def open_clients(store: str, sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    """Clients of one room, in each mode; on a store that is real, in those that wait for it."""
    chart = Chart(
        theme=f"clients on {store}", of="clients at once", sizes=sizes.clients, effort=effort
    )
    with open_store(store) as url:
        async with AsyncExitStack() as stack:
            yield [
                part
                for mode in (MODES if store == "memory" else DURABLE)
                for part in _plan(chart, mode, await _open_room(stack, mode, url))
            ]


async def _open_room(stack: AsyncExitStack, mode: Mode, url: str) -> Side:
    side = await stack.enter_async_context(mode.open(url))
    await side.chord.set_context(ROOM, {"clicks": 0})
    return side


def _plan(chart: Chart, mode: Mode, side: Side) -> list[Part]:
    return [
        _follow_clicks(chart, f"increment, {mode.name}", side),
        chart.time(f"sync that lacks one version, {mode.name}", partial(_syncing, side)),
    ]


def _follow_clicks(chart: Chart, name: str, side: Side) -> Measurement:
    clicks = Clicks(side, [ROOM], ["clicks"])
    return chart.time(
        name, lambda count: clicks.contend_at_once(f"{count:,} clients", count), [clicks]
    )


def _syncing(side: Side, clients: int) -> Contender:
    since: Since = None

    async def prepare(times: int) -> None:
        nonlocal since
        since = (await side.chord.get_context(ROOM)).position
        await side.chord.update_context(ROOM, {"asked": Increment()})

    async def loop(times: Times) -> None:
        for _ in times:
            await asyncio.gather(*(side.chord.sync_context(ROOM, since) for _ in range(clients)))

    return Contender(name=f"{clients:,} clients", loop=loop, operations=clients, prepare=prepare)
