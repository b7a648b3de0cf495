"""Load a door of whose sockets a share reads a little now and then: what is held, who is late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

import attrs

from benchmarks.curve import Curve, draw
from benchmarks.door.crowd import open_crowd
from benchmarks.door.sizes import Sizes
from benchmarks.door.sockets import GREETING, allow_sockets
from benchmarks.fanout.audience import Telling
from benchmarks.figure import Taken
from benchmarks.harness import Measurement, Part
from chord.web.wire import Encoding
from examples.scenarios import Audit


@asynccontextmanager
async def open_theme(
    theme: str, encoding: str, apart: bool, sizes: Sizes, profile: Path | None
) -> AsyncIterator[Sequence[Part]]:
    """There is no profile of it."""
    allow_sockets(sizes.sockets[-1])
    measure = partial(measure_slow, theme, Encoding(encoding), sizes, apart=apart)
    yield [Measurement("speed and memory", measure)]


@attrs.frozen
class Load:
    """What heavy updates came to: when the prompt had them, frames of a slow one, memory."""

    tellings: Sequence[Telling]
    frames: float
    grown: int
    audit: Audit


async def measure_slow(
    theme: str, encoding: Encoding, sizes: Sizes, *, apart: bool
) -> list[Curve | Taken]:
    """Load a door with a share of slow sockets, and one without."""
    counts = [each for each in sizes.sockets if round(each * sizes.share)]
    slow, none = [
        {
            count: await _load(encoding, sizes, count, round(count * share), apart=apart)
            for count in counts
        }
        for share in (sizes.share, 0.0)
    ]
    share = f"{sizes.share:.0%}"
    audit = sum((load.audit for load in (*slow.values(), *none.values())), Audit())

    def time(whom: str, loads: dict[int, Load]) -> Curve:
        samples = {count: [each.whole for each in load.tellings] for count, load in loads.items()}
        name = f"from sending to the last prompt socket, {whom}"
        return draw(theme, name, "seconds", "sockets", samples, audit)

    most = counts[-1]
    held = (slow[most].grown - none[most].grown) / round(most * sizes.share)
    return [  # of updates of so many letters that buffers are full soon
        time("none of them slow", none),
        time(f"{share} of them slow", slow),
        draw(
            theme,
            f"frames that a slow socket was sent of {sizes.heavy} updates",
            "count",
            "sockets",
            {count: [load.frames] for count, load in slow.items()},
            audit,
        ),
        Taken(
            theme=theme,
            name=f"memory of the server for a slow socket of {most:,}",
            unit="bytes",
            aim=None,
            value=held,
        ),
    ]


async def _load(encoding: Encoding, sizes: Sizes, count: int, slow: int, *, apart: bool) -> Load:
    async with open_crowd("door", encoding, sizes, apart=apart) as (server, crowd):
        await crowd.grow(count, slow)
        async with crowd.dozing():
            before = server.weigh()
            tellings = [await crowd.tell(sizes.letters) for _ in range(sizes.heavy)]
            grown = server.weigh() - before
        audit = await crowd.audit()
        frames = [each.frames - GREETING for each in crowd.sleepers]
        return Load(tellings, median(frames or [0]), grown, audit)
