"""Compare the two runtimes with each other on one store: calls, and the scenarios, audited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import Final

import attrs

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.micro.loops import ROOM, updating_alone, updating_at_once
from benchmarks.micro.playing import Stage
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.api import Chord
from chord.backends.open import open_backend
from chord.config import Settings
from chord.position import Position
from chord.stateless import StatelessChord
from examples.scenarios import MULTIPLE, SINGLE, Scenario

LACKING: Final = 10
BEHIND: Final = "behind"
"""A context that is not written any more, and how many versions a client of it lacks."""


@attrs.frozen
class Side:
    """A runtime on a part of a store that is its own, and one that only reads there."""

    chord: Chord
    reader: Chord
    since: Position


@asynccontextmanager
async def open_modes(
    store: str, stateful_url: str, stateless_url: str, count: int
) -> AsyncIterator[Sequence[Comparison]]:
    """The comparisons on a store of that name; each runtime has a namespace to itself."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(_open_side(StatefulChord, stateful_url))
        theirs = await stack.enter_async_context(_open_side(StatelessChord, stateless_url))
        plays = [await _compare_playing(stack, store, ours, theirs, s) for s in (SINGLE, MULTIPLE)]
        yield [*_compare_calls(store, ours, theirs, count), *plays]


@asynccontextmanager
async def _open_side(
    runtime: type[StatefulChord] | type[StatelessChord], url: str
) -> AsyncIterator[Side]:
    settings = Settings(namespace=f"modes-{runtime.__name__.lower()}")
    async with (
        open_backend(url, settings) as backend,
        runtime(backend, settings=settings) as chord,
        StatelessChord(backend, settings=settings) as reader,
    ):
        await chord.set_context(ROOM, build_room())
        first = await chord.set_context(BEHIND, build_room())
        for patch in islice(write_patches(), LACKING):
            await chord.update_context(BEHIND, patch)
        yield Side(chord, reader, first.position)


def _compare_calls(store: str, ours: Side, theirs: Side, count: int) -> list[Comparison]:
    def compare(what: str, make: Callable[[str, Side], Contender]) -> Comparison:
        return Comparison(
            name=f"stateful, {store}, {what}",
            kind="peer",
            ours=make("stateful", ours),
            others=[make("stateless", theirs)],
            aim=1,
        )

    return [
        compare("an update", lambda name, side: updating_alone(name, side.chord)),
        compare(f"a sync that lacks {LACKING} versions", _syncing),
        compare(
            f"{count:,} concurrent updates, each",
            lambda name, side: updating_at_once(name, side.chord, count),
        ),
    ]


def _syncing(name: str, side: Side) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await side.chord.sync_context(BEHIND, side.since)

    return Contender(name=name, loop=loop)


async def _compare_playing(
    stack: AsyncExitStack, store: str, ours: Side, theirs: Side, scenario: Scenario
) -> Comparison:
    stages = [Stage(side.chord, side.reader, scenario) for side in (ours, theirs)]
    for stage in stages:
        stack.push_async_callback(stage.clear)
    stateful, stateless = stages
    return Comparison(
        name=f"stateful, {store}, scenario {scenario.name}, each action",
        kind="peer",
        ours=stateful.contend("stateful"),
        others=[stateless.contend("stateless")],
        aim=1,
    )
