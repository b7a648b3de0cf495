"""Follow what a context costs as its state grows: wide, with all keys at its root, and deep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count, cycle
from typing import Any, Final

import attrs

from actors.stateful import StatefulChord
from benchmarks.clicks import Clicks, dig, nest
from benchmarks.harness import Measurement, Part
from benchmarks.scale.chart import Chart
from benchmarks.scale.sizes import Sizes
from benchmarks.side import Side, open_side
from benchmarks.timing import Contender, Effort, Times
from benchmarks.weighing import weighing
from benchmarks.wire import CODEC, weigh_changes, weigh_state
from chord.delta import update
from chord.state import take_in, take_in_changes
from chord.stateless import StatelessChord
from chord.sync import Since

LEVELS: Final = 32
"""Over which the keys of a deep state are spread evenly, each level within the one above."""


@attrs.frozen(kw_only=True)
class Shape:
    """How a state of so many numbers is built, and the way to the one that is counted up."""

    name: str
    build: Callable[[int], dict[str, Any]]
    path: Callable[[int], Sequence[str]]


# -- the shapes ----------------------------------------------------------------------------------


def build_wide(keys: int) -> dict[str, Any]:
    return dict.fromkeys((f"key_{number}" for number in range(keys)), 0)


def build_deep(keys: int) -> dict[str, Any]:
    """
    >>> build_deep(3)
    {'key_0': 0, 'below': {'key_0': 0, 'below': {'key_0': 0}}}
    """
    levels = _count_levels(keys)
    state: dict[str, Any] = {}
    for level in range(levels):
        own = build_wide(keys // levels + (level < keys % levels))
        state = {**own, "below": state} if state else own
    return state


def _count_levels(keys: int) -> int:
    return min(keys, LEVELS)


WIDE: Final = Shape(name="wide", build=build_wide, path=lambda keys: [f"key_{keys // 2}"])
DEEP: Final = Shape(
    name="deep",
    build=build_deep,
    path=lambda keys: [*["below"] * (_count_levels(keys) - 1), "key_0"],
)


# -- what they cost ------------------------------------------------------------------------------


@asynccontextmanager
async def open_wide(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    async with _open("wide state", WIDE, sizes.keys, effort) as parts:
        yield parts


@asynccontextmanager
async def open_deep(sizes: Sizes, effort: Effort) -> AsyncIterator[Sequence[Part]]:
    async with _open("deep state", DEEP, sizes.keys, effort) as parts:
        yield parts


@asynccontextmanager
async def _open(
    theme: str, shape: Shape, keys: Sequence[int], effort: Effort
) -> AsyncIterator[Sequence[Part]]:
    chart = Chart(theme=theme, of="keys", sizes=keys, effort=effort)
    async with (
        open_side(StatefulChord, "memory://", durability="memory") as live,
        open_side(StatelessChord, "memory://") as stored,
    ):
        for side in (live, stored):
            for number in keys:
                await side.chord.set_context(_name(number), shape.build(number))
                await side.chord.set_context(_name_unwritten(number), shape.build(number))
        yield [
            _follow_clicks(chart, "increment one key, stateful, in memory", live, shape),
            _follow_clicks(chart, "increment one key, stateless, on memory", stored, shape),
            chart.time("set a state that differs in one key", partial(_setting, live, shape)),
            chart.time("sync that lacks one version", partial(_syncing, live, shape)),
            chart.time("get, read from the store", partial(_getting, stored)),
            chart.time("encode the full state", partial(_encoding, shape)),
            chart.weigh("the full state, encoded", "bytes", partial(_weigh_encoded, shape)),
            chart.weigh("a delta of one key, encoded", "bytes", partial(_weigh_delta, shape)),
            chart.weigh(
                "the state in memory (tracemalloc)", "bytes", partial(_weigh_in_memory, shape)
            ),
        ]


def _name(keys: int) -> str:
    return f"state:{keys}"


def _name_unwritten(keys: int) -> str:
    return f"unwritten:{keys}"


def _follow_clicks(chart: Chart, name: str, side: Side, shape: Shape) -> Measurement:
    clicks = {keys: Clicks(side, [_name(keys)], shape.path(keys)) for keys in chart.sizes}
    return chart.time(name, lambda keys: clicks[keys].contend(f"{keys:,} keys"), clicks.values())


def _setting(side: Side, shape: Shape, keys: int) -> Contender:
    """The states are built apart, so that nothing is shared that a diff could skip."""
    states = cycle([shape.build(keys), _alter(shape.build(keys), shape.path(keys))])

    async def loop(times: Times) -> None:
        for _, state in zip(times, states, strict=False):
            await side.chord.set_context(f"set:{keys}", state)

    return Contender(name=f"{keys:,} keys", loop=loop)


def _alter(state: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    dig(state, path[:-1])[path[-1]] = -1
    return state


def _syncing(side: Side, shape: Shape, keys: int) -> Contender:
    """In a context of its own, as what is changed are no clicks."""
    context_id = f"sync:{keys}"
    values = count(1)
    since: Since = None

    async def prepare(times: int) -> None:
        nonlocal since
        if since is None:
            await side.chord.set_context(context_id, shape.build(keys))
        since = (await side.chord.get_context(context_id)).position
        await side.chord.update_context(context_id, nest(shape.path(keys), next(values)))

    async def loop(times: Times) -> None:
        for _ in times:
            await side.chord.sync_context(context_id, since)

    return Contender(name=f"{keys:,} keys", loop=loop, prepare=prepare)


def _getting(side: Side, keys: int) -> Contender:
    """Of a context without a history, which would have to be read, too."""

    async def loop(times: Times) -> None:
        for _ in times:
            await side.reader.get_context(_name_unwritten(keys))

    return Contender(name=f"{keys:,} keys", loop=loop)


def _encoding(shape: Shape, keys: int) -> Contender:
    state = take_in(shape.build(keys))

    def loop(times: Times) -> None:
        for _ in times:
            CODEC.encode_state(state)

    return Contender(name=f"{keys:,} keys", loop=loop)


# -- what they weigh -----------------------------------------------------------------------------


async def _weigh_encoded(shape: Shape, keys: int) -> int:
    return weigh_state(shape.build(keys))


async def _weigh_delta(shape: Shape, keys: int) -> int:
    patch = take_in_changes(nest(shape.path(keys), 1))
    _, changes = update(take_in(shape.build(keys)), patch)
    return weigh_changes(changes)


async def _weigh_in_memory(shape: Shape, keys: int) -> int:
    with weighing() as read:
        state = take_in(shape.build(keys))
        grown = read()
    del state
    return grown
