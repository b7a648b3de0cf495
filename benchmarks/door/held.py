"""Weigh what a server holds for each socket, beside what a bare broadcast does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.curve import Curve, draw
from benchmarks.door.crowd import open_crowd
from benchmarks.door.hosting import Kind
from benchmarks.door.sizes import Sizes
from benchmarks.figure import Taken
from chord.web.wire import Encoding

WHOSE: Final[Mapping[Kind, str]] = {"door": "the door", "floor": "a bare broadcast"}


async def measure_memory(
    theme: str, encoding: Encoding, sizes: Sizes, *, apart: bool
) -> list[Curve | Taken]:
    """Resident memory above that of a server without sockets, once all have the full state."""
    found: list[Curve | Taken] = []
    for kind, whose in WHOSE.items():
        weights = await _weigh(kind, encoding, sizes, apart=apart)
        found += [
            draw(theme, f"memory of the server, {whose}", "bytes", "sockets", weights),
            Taken(
                theme=theme,
                name=f"memory of the server for a socket, {whose}",
                unit="bytes",
                aim=None,
                value=_divide(weights),
            ),
        ]
    return found


async def _weigh(
    kind: Kind, encoding: Encoding, sizes: Sizes, *, apart: bool
) -> dict[int, list[int]]:
    weights = {}
    async with open_crowd(kind, encoding, sizes, apart=apart) as (server, crowd):
        bare = server.weigh()
        for count in sizes.sockets:
            await crowd.grow(count)
            weights[count] = [server.weigh() - bare]
    return weights


def _divide(weights: dict[int, list[int]]) -> float:
    """What each of the upper half of the sockets weighs, where what all share is there already.

    >>> _divide({10: [50_000], 100: [100_000], 200: [190_000]})
    900.0
    """
    sizes = sorted(weights)
    most = sizes[-1]
    least = max((each for each in sizes[:-1] if each <= most / 2), default=sizes[0])
    return (weights[most][0] - weights[least][0]) / (most - least)
