"""Compare what updates cost in each mode on one store, and what storing them costs in the end.

Every update is counted, and a store that has lost one when it is asked afterwards gets no figures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import attrs

from benchmarks import comparison
from benchmarks.clicks import Clicks
from benchmarks.comparison import Comparison, Measured
from benchmarks.durability.sizes import Sizes
from benchmarks.harness import Measurement
from benchmarks.modes import MODES, Mode
from benchmarks.room import build_room
from benchmarks.side import Side
from benchmarks.stores import open_store
from benchmarks.timing import Contender, Effort, Times

ROOM: Final = "room:1"
CLICKS: Final = "clicks"
OURS: Final = "write-through"


@asynccontextmanager
async def open_theme(
    store: str, sizes: Sizes, effort: Effort
) -> AsyncIterator[Sequence[Measurement]]:
    """What they are called by is the cost of write-through, in that of the others."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(open_store(store))
        racers = [await stack.enter_async_context(open_racer(mode, url)) for mode in MODES]
        yield [
            Measurement(name, partial(compare, store, name, racers, contenders, effort))
            for name, contenders in _contend(racers, sizes.updates).items()
        ]


class Racer:
    """Clicks on a room in one mode."""

    def __init__(self, mode: Mode, side: Side) -> None:
        self.name = mode.name
        self._side = side
        self._clicks = Clicks(side, [ROOM], [CLICKS])

    def alone(self) -> Contender:
        return self._clicks.contend(self.name)

    def at_once(self, count: int) -> Contender:
        return self._clicks.contend_at_once(self.name, count)

    def stored(self, count: int) -> Contender:
        """So many at once, and the flush that stores what is not stored by then."""
        updating = self.at_once(count)

        async def loop(times: Times) -> None:
            for _ in times:
                await _go_round(updating)
                await self.flush()

        return Contender(name=self.name, loop=loop, operations=count)

    async def flush(self) -> None:
        await self._side.chord.flush()

    async def warm(self) -> None:
        await _go_round(self.alone())

    async def check(self) -> None:
        """Raise `RuntimeError` if not all is kept that was acknowledged."""
        found = await self._clicks.audit()
        if not found.holds:
            raise RuntimeError(f"{self.name} lost {found.lost} of {found.acknowledged} updates")

    def __repr__(self) -> str:
        return f"<Racer {self.name}>"


async def _go_round(contender: Contender) -> None:
    under_way = contender.loop([None])
    assert under_way is not None
    await under_way


@asynccontextmanager
async def open_racer(mode: Mode, url: str) -> AsyncIterator[Racer]:
    async with mode.open(url) as side:
        await side.chord.set_context(ROOM, build_room() | {CLICKS: 0})
        yield Racer(mode, side)


def _contend(racers: Sequence[Racer], count: int) -> dict[str, list[Contender]]:
    return {
        "an update, awaited": [racer.alone() for racer in racers],
        f"{count:,} concurrent updates, each": [racer.at_once(count) for racer in racers],
        f"{count:,} concurrent updates and a flush, each": [
            racer.stored(count) for racer in racers
        ],
    }


async def compare(
    store: str,
    name: str,
    racers: Sequence[Racer],
    contenders: Sequence[Contender],
    effort: Effort,
) -> Measured:
    """Each round begins with everything stored, so that none pays for what another put off."""

    async def settle(times: int) -> None:
        for racer in racers:
            await racer.flush()
        for racer in racers:
            await racer.warm()  # the first write after a flush waits for the disk

    rested = [attrs.evolve(each, prepare=settle) for each in contenders]
    (ours,) = (each for each in rested if each.name == OURS)
    others = [each for each in rested if each is not ours]
    compared = Comparison(name=name, kind="floor", ours=ours, others=others)
    measured = await comparison.run(store, compared, effort)
    for racer in racers:
        await racer.check()
    return measured
