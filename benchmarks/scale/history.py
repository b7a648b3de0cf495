"""Follow what a context costs as more of its past is kept, and its clients are further behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

import attrs

from actors.stateful import StatefulChord
from benchmarks.harness import Part
from benchmarks.micro.loops import ROOM, updating
from benchmarks.room import build_room, write_hot_patches, write_patches
from benchmarks.scale.chart import Chart
from benchmarks.scale.sizes import Sizes
from benchmarks.side import Runtime, Side, open_side
from benchmarks.timing import Contender, Effort, Times
from benchmarks.weighing import weighing
from benchmarks.wire import weigh_reply
from chord.api import Chord
from chord.position import Position
from chord.stateless import StatelessChord

UNWRITTEN: Final = 1_000_000_000
"""A number that no loop comes to."""


# -- the past that is kept -----------------------------------------------------------------------


@asynccontextmanager
async def open_history(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    """Histories that are full: each version drops the oldest."""
    chart = Chart(theme="history", of="deltas kept", sizes=sizes.deltas, effort=effort)
    async with AsyncExitStack() as stack:
        live, stored = {}, {}
        for kept in sizes.deltas:
            live[kept] = await _open_past(stack, StatefulChord, kept, durability="memory")
            stored[kept] = await _open_past(stack, StatelessChord, kept)
        yield [
            chart.time("sync from the oldest, asked before", lambda kept: _syncing(*live[kept])),
            chart.time("update, stateful, in memory", lambda kept: _updating(*live[kept])),
            chart.time("get, read from the store", lambda kept: _getting(*stored[kept])),
            chart.weigh("the deltas in memory (tracemalloc)", "bytes", _weigh_past),
        ]


Past: TypeAlias = tuple[Side, Position]
"""A room with a history, and its position so many versions ago."""


async def _open_past(stack: AsyncExitStack, runtime: Runtime, kept: int, **fields: Any) -> Past:
    side = await stack.enter_async_context(
        open_side(runtime, "memory://", delta_threshold=kept, **fields)
    )
    await side.chord.set_context(ROOM, build_room())
    return side, await _bring(side.chord, write_patches(), kept)


async def _bring(chord: Chord, patches: Iterator[dict[str, Any]], versions: int) -> Position:
    """Bring the room further by so many versions; return where it was."""
    first = (await chord.get_context(ROOM)).position
    for patch in islice(patches, versions):
        await chord.update_context(ROOM, patch)
    return first


def _syncing(side: Side, since: Position) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await side.chord.sync_context(ROOM, since)

    return Contender(name="sync_context", loop=loop)


def _updating(side: Side, since: Position) -> Contender:
    """From here on `since` is further back than the history."""
    return updating("update_context", side.chord, ROOM, write_patches(UNWRITTEN))


def _getting(side: Side, since: Position) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await side.reader.get_context(ROOM)

    return Contender(name="get_context", loop=loop)


async def _weigh_past(kept: int) -> int:
    async with open_side(
        StatefulChord, "memory://", durability="memory", delta_threshold=kept
    ) as side:
        await side.chord.set_context(ROOM, build_room())
        await _bring(side.chord, write_patches(), 1)
        with weighing() as read:
            await _bring(side.chord, write_patches(2), kept)
            return read()


# -- clients that are behind ---------------------------------------------------------------------


@asynccontextmanager
async def open_behind(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    """A client that was away asks what it lacks, which nobody has asked before."""
    chart = Chart(theme="behind", of="versions behind", sizes=sizes.behind, effort=effort)
    async with (
        open_side(StatefulChord, "memory://", durability="memory") as live,
        open_side(StatelessChord, "memory://") as stored,
    ):
        for side in (live, stored):
            await side.chord.set_context(ROOM, build_room())
            await _bring(side.chord, write_patches(), max(sizes.behind))
        head = (await stored.chord.get_context(ROOM)).position
        yield [
            chart.time(
                "update, then such a sync, stateful, in memory", partial(_catching_up, live)
            ),
            chart.time("such a sync, read from the store", partial(_reading_up, stored, head)),
            chart.weigh(
                "what is told, 50 fields change in turn",
                "bytes",
                partial(_weigh_told, write_patches),
            ),
            chart.weigh(
                "what is told, one field changes", "bytes", partial(_weigh_told, write_hot_patches)
            ),
        ]


def _catching_up(side: Side, behind: int) -> Contender:
    """No two of the questions are about the same versions, so none is answered from memory."""
    patches = write_patches(UNWRITTEN * behind)

    async def loop(times: Times) -> None:
        for _ in times:
            head = (await side.chord.update_context(ROOM, next(patches))).position
            await side.chord.sync_context(ROOM, _go_back(head, behind))

    return Contender(name=f"{behind} behind", loop=loop)


def _reading_up(side: Side, head: Position, behind: int) -> Contender:
    return _syncing(attrs.evolve(side, chord=side.reader), _go_back(head, behind))


def _go_back(position: Position, versions: int) -> Position:
    return Position(position.epoch, position.version - versions)


async def _weigh_told(write: Callable[[], Iterator[dict[str, Any]]], behind: int) -> int:
    async with open_side(StatelessChord, "memory://") as side:
        await side.chord.set_context(ROOM, build_room())
        since = await _bring(side.chord, write(), behind)
        return weigh_reply(await side.chord.sync_context(ROOM, since))
