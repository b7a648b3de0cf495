"""Measure how soon the last of many sockets is told, and how much a second, beside a floor.

The floor is a server that sends the same bytes to all, and does nothing else: what uvicorn and the
library below it take. Both are asked in turn by the same client, which has a processor to itself
where there are two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import attrs

from benchmarks.comparison import Measured
from benchmarks.curve import Curve, draw
from benchmarks.door.crowd import Crowd, Rush, gather_crowd
from benchmarks.door.hosting import Host, Kind, host
from benchmarks.door.sizes import Sizes
from benchmarks.fanout.audience import Telling
from benchmarks.figure import Unit
from benchmarks.timing import Samples, frozen_garbage
from chord.web.wire import Encoding
from examples.scenarios import Audit


@attrs.frozen
class Show:
    """What came of one number of sockets. `time` is the server's for each frame, one by one."""

    tellings: Sequence[Telling]
    rushes: Sequence[Rush]
    time: float


@attrs.frozen
class Stage:
    """A server, and the crowd before it."""

    server: Host
    crowd: Crowd
    shows: dict[int, Show]

    async def show(self, count: int, sizes: Sizes) -> None:
        await self.crowd.grow(count)
        with frozen_garbage():
            time, frames = self.server.read_time(), self.crowd.count_frames()
            tellings = [await self.crowd.tell() for _ in range(sizes.updates)]
            time, frames = self.server.read_time() - time, self.crowd.count_frames() - frames
            rushes = [await self.crowd.rush(sizes.rushed) for _ in range(sizes.rushes)]
        self.shows[count] = Show(tellings, rushes, time / frames)


async def measure_speed(
    theme: str, encoding: Encoding, sizes: Sizes, *, apart: bool, profile: Path | None = None
) -> list[Curve | Measured]:
    """Follow a door and a floor as both crowds grow."""
    async with AsyncExitStack() as stack:

        async def open_stage(kind: Kind, profile: Path | None = None) -> Stage:
            server = await stack.enter_async_context(host(kind, profile))
            gathering = gather_crowd(server, encoding, sizes, apart=apart)
            return Stage(server, await stack.enter_async_context(gathering), {})

        door, floor = await open_stage("door", profile), await open_stage("floor")
        for count in sizes.sockets:
            await door.show(count, sizes)
            await floor.show(count, sizes)
        audit = await door.crowd.audit()
    return [
        *_draw(theme, "the door", door.shows, audit),
        *_draw(theme, "a bare broadcast", floor.shows),
        *_compare(theme, door.shows, floor.shows),
    ]


def _draw(
    theme: str, whose: str, shows: Mapping[int, Show], audit: Audit | None = None
) -> list[Curve]:
    def curve(name: str, unit: Unit, count: Callable[[Show], Sequence[float]]) -> Curve:
        samples = {sockets: count(show) for sockets, show in shows.items()}
        return draw(theme, f"{name}, {whose}", unit, "sockets", samples, audit)

    def time(name: str, count: Callable[[Telling], float]) -> Curve:
        return curve(name, "seconds", lambda show: [count(each) for each in show.tellings])

    def rate(name: str, count: Callable[[Rush], float]) -> Curve:
        return curve(name, "count", lambda show: [count(each) for each in show.rushes])

    return [
        time("from sending to the last socket", lambda each: each.whole),
        time("from the acknowledgement to the last socket", lambda each: each.behind_writer),
        rate("updates acknowledged a second", lambda each: each.updates / each.acknowledged),
        rate("frames delivered a second", lambda each: each.frames / each.whole),
        curve("processor time of the server for a frame", "seconds", lambda show: [show.time]),
    ]


def _compare(theme: str, door: Mapping[int, Show], floor: Mapping[int, Show]) -> list[Measured]:
    most = max(door)

    def compare(name: str, count: Callable[[Show], Sequence[float]]) -> Measured:
        return Measured(
            theme=theme,
            name=f"{name}, {most:,} sockets",
            kind="floor",
            aim=None,
            ours=_sample("the door", count(door[most])),
            others=(_sample("a bare broadcast", count(floor[most])),),
        )

    return [
        compare(
            "from sending an update to the last socket",
            lambda show: [each.whole for each in show.tellings],
        ),
        compare(
            "an update of many in a row, to the last socket",
            lambda show: [each.whole / each.updates for each in show.rushes],
        ),
        compare("processor time of the server for a frame", lambda show: [show.time]),
    ]


def _sample(name: str, seconds: Sequence[float]) -> Samples:
    return Samples(name=name, count=1, operations=1, seconds=tuple(seconds))
