"""Hold the parts of a theme in which all sockets read as fast as they can."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from benchmarks.door.held import measure_memory
from benchmarks.door.sizes import Sizes
from benchmarks.door.sockets import allow_sockets
from benchmarks.door.speed import measure_speed
from benchmarks.harness import Measurement, Part
from chord.web.wire import Encoding


@asynccontextmanager
async def open_theme(
    theme: str, encoding: str, apart: bool, sizes: Sizes, profile: Path | None
) -> AsyncIterator[Sequence[Part]]:
    """The door's part of the first may be profiled, at about twice its time."""
    allow_sockets(2 * sizes.sockets[-1])
    of = Encoding(encoding)
    yield [
        Measurement(
            "speed", partial(measure_speed, theme, of, sizes, apart=apart, profile=profile)
        ),
        Measurement("memory", partial(measure_memory, theme, of, sizes, apart=apart)),
    ]
