"""Follow what contexts cost each other: how long an act on one takes, and what all of them hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs

from actors.stateful import StatefulChord
from benchmarks.clicks import Clicks
from benchmarks.crowd import RESIDENT, WAYS, Way, build_small, fill_process, gather_crowd
from benchmarks.curve import Curve
from benchmarks.harness import Measurement, Part
from benchmarks.scale.chart import Chart
from benchmarks.scale.sizes import Sizes
from benchmarks.side import YEAR, Runtime, Side, open_side
from benchmarks.timing import Contender, Effort, Times
from benchmarks.weighing import weighing
from chord.stateless import StatelessChord

AT_A_TIME: Final = 1000
PAGE: Final = 100


# -- how long an act takes -----------------------------------------------------------------------


@asynccontextmanager
async def open_contexts(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    """Acts where there are many: live ones in memory, and ones in the store.

    No lease is renewed meanwhile: what the many cost would be counted against the few beside them.
    """
    chart = Chart(theme="contexts", of="contexts", sizes=sizes.contexts, effort=effort)
    async with AsyncExitStack() as stack:
        live, stored = {}, {}
        for count in sizes.contexts:
            in_memory = {"durability": "memory", "max_live_contexts": count, "lease_ttl": YEAR}
            live[count] = await _fill(stack, StatefulChord, count, **in_memory)
            stored[count] = await _fill(stack, StatelessChord, count)
        yield [
            _follow_clicks(chart, "update one after the other, stateful, in memory", live),
            _follow_clicks(chart, "update one after the other, stateless, on memory", stored),
            chart.time(f"list {PAGE} of them", lambda count: _listing(stored[count])),
            chart.time("clean up, none of them due", lambda count: _cleaning(stored[count])),
        ]


async def _fill(stack: AsyncExitStack, runtime: Runtime, count: int, **fields: Any) -> Side:
    side = await stack.enter_async_context(open_side(runtime, "memory://", **fields))
    for some in _split(count):
        await asyncio.gather(
            *(
                side.chord.set_context(_name(each), build_small(each) | {"clicks": 0})
                for each in some
            )
        )
    return side


def _split(count: int) -> Iterator[range]:
    for first in range(0, count, AT_A_TIME):
        yield range(first, min(first + AT_A_TIME, count))


def _name(number: int) -> str:
    return f"room:{number}"


def _follow_clicks(chart: Chart, name: str, sides: Mapping[int, Side]) -> Measurement:
    clicks = {
        count: Clicks(side, [_name(number) for number in range(count)], ["clicks"])
        for count, side in sides.items()
    }
    return chart.time(
        name, lambda count: clicks[count].contend(f"{count:,} contexts"), clicks.values()
    )


def _listing(side: Side) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await side.chord.list_contexts(limit=PAGE)

    return Contender(name="list_contexts", loop=loop)


def _cleaning(side: Side) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await side.chord.cleanup()

    return Contender(name="cleanup", loop=loop)


# -- what they hold ------------------------------------------------------------------------------


@asynccontextmanager
async def open_weights(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    """What is allocated for all of them, their states included; and processes that are full."""
    chart = Chart(theme="weights", of="contexts", sizes=sizes.contexts, effort=effort)
    crowds = attrs.evolve(chart, sizes=sizes.crowds)
    yield [
        *(
            chart.weigh(
                f"all contexts, {way} (tracemalloc)", "bytes", partial(_weigh_contexts, way)
            )
            for way in WAYS
        ),
        *(Measurement(f"a process, {way}", partial(_fill_processes, crowds, way)) for way in WAYS),
    ]


async def _weigh_contexts(way: Way, count: int) -> int:
    """What they take above a runtime without any."""
    return await _weigh_crowd(count, way) - await _weigh_crowd(0, way)


async def _weigh_crowd(count: int, way: Way) -> int:
    async with gather_crowd(1, 0, way):
        pass  # what is made once
    with weighing() as read:
        async with gather_crowd(count, 0, way):
            return read()


async def _fill_processes(chart: Chart, way: Way) -> list[Curve]:
    """How long a full collection takes that walks all of them; and how much memory is resident."""
    filled = [await fill_process(count, way) for count in chart.sizes]
    collections = [each.collections for each in filled]
    curves = [chart.draw(f"a full garbage collection, {way}", "seconds", collections)]
    if RESIDENT.exists():
        grown = [[each.grown] for each in filled]
        curves.append(chart.draw(f"all contexts, {way} (resident)", "bytes", grown))
    return curves
