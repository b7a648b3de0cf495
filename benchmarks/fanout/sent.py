"""Count what a watcher is sent that reads only now and then: merged, one by one, or in full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

import attrs

from actors.stateful import StatefulChord
from benchmarks.curve import Curve, draw
from benchmarks.fanout.audience import Audience, gather_audience
from benchmarks.fanout.sizes import Sizes
from benchmarks.harness import Measurement, Part
from benchmarks.micro.loops import ROOM
from benchmarks.room import build_room, write_hot_patches, write_messages, write_patches
from benchmarks.side import Side, open_side
from benchmarks.wire import weigh_changes, weigh_reply, weigh_state
from examples.scenarios import Audit, find

Patches: TypeAlias = Iterator[dict[str, Any]]

WORKLOADS: Final[Mapping[str, Callable[[], Patches]]] = {
    "50 fields change in turn": write_patches,
    "one field changes": write_hot_patches,
    "messages are added": write_messages,
}


@attrs.frozen
class Reading:
    """The bytes that one reading came to: told as it is, by each delta, and in full."""

    merged: int
    each: int
    full: int


@asynccontextmanager
async def open_sent(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    """Bytes for each version, of which so many pass between two readings."""
    yield [
        Measurement(workload, partial(_count, workload, write, sizes))
        for workload, write in WORKLOADS.items()
    ]


async def _count(workload: str, write: Callable[[], Patches], sizes: Sizes) -> list[Curve]:
    readings = {}
    audit = Audit()
    for between in sizes.between:
        async with open_side(StatefulChord, "memory://", durability="memory") as side:
            readings[between], found = await _read(side, write(), between, sizes.readings)
            audit += found
    return _draw(workload, readings, audit)


async def _read(
    side: Side, patches: Patches, between: int, count: int
) -> tuple[list[Reading], Audit]:
    first = (await side.chord.set_context(ROOM, build_room())).position
    async with gather_audience(side.chord, ROOM, prompt=0, slow=1) as audience:
        readings = [
            await _read_once(side, audience, list(islice(patches, between))) for _ in range(count)
        ]
        await side.chord.flush()
        context = await find(side.reader, ROOM)
        if context is None:
            return readings, Audit(between * count, 0, 1, 0)
        kept = context.position.version - first.version
        return readings, Audit(between * count, kept, 1, audience.count_equal(context))


async def _read_once(
    side: Side, audience: Audience, patches: Sequence[Mapping[str, Any]]
) -> Reading:
    each = [await _update(side, patch) for patch in patches]
    await audience.rouse()
    state = (await side.chord.get_context(ROOM)).state
    return Reading(weigh_reply(audience.slow[0][-1]), sum(each), weigh_state(state))


async def _update(side: Side, patch: Mapping[str, Any]) -> int:
    """The bytes of the delta."""
    delta = (await side.chord.update_context(ROOM, patch)).delta
    return weigh_changes(delta.changes) if delta else 0


def _draw(workload: str, readings: Mapping[int, Sequence[Reading]], audit: Audit) -> list[Curve]:
    def curve(name: str, weigh: Callable[[Reading], int]) -> Curve:
        samples = {
            between: [weigh(reading) / between for reading in some]
            for between, some in readings.items()
        }
        named = f"{workload}: {name}"
        return draw("sent", named, "bytes", "versions between readings", samples, audit)

    return [
        curve("merged at each reading, for each version", lambda reading: reading.merged),
        curve("every delta, for each version", lambda reading: reading.each),
        curve("in full at each reading, for each version", lambda reading: reading.full),
    ]
