"""Measure how soon the last of many watchers is told, while a share of them does not listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import attrs

from actors.stateful import StatefulChord
from benchmarks.curve import Curve, draw
from benchmarks.fanout.audience import Audience, Telling, gather_audience
from benchmarks.fanout.sizes import Sizes
from benchmarks.figure import Unit
from benchmarks.harness import Measurement, Part
from benchmarks.micro.loops import ROOM
from benchmarks.room import build_room
from benchmarks.side import Runtime, Side, open_side
from benchmarks.stores import open_store
from benchmarks.timing import frozen_garbage
from chord.stateless import StatelessChord
from examples.scenarios import Audit, find

Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Side]]


@attrs.frozen
class Show:
    """What came of one audience: when each version was told, and how many different replies."""

    tellings: Sequence[Telling]
    different: Sequence[int]
    audit: Audit


@asynccontextmanager
async def open_stateful(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    yield _plan("stateful, in memory", StatefulChord, "memory://", sizes, durability="memory")


@asynccontextmanager
async def open_stateless(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    yield _plan("stateless, on memory", StatelessChord, "memory://", sizes)


@asynccontextmanager
async def open_durable(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    with open_store("SQLite") as url:
        yield _plan("stateful, on SQLite", StatefulChord, url, sizes)


def _plan(theme: str, runtime: Runtime, url: str, sizes: Sizes, **fields: Any) -> list[Measurement]:
    def measure(share: float) -> Measurement:
        return Measurement(
            _say(share),
            lambda: measure_share(theme, lambda: open_side(runtime, url, **fields), share, sizes),
        )

    return [measure(share) for share in sizes.shares]


def _say(share: float) -> str:
    return f"{share:.0%} of them slow" if share else "none of them slow"


async def measure_share(theme: str, open_one: Opening, share: float, sizes: Sizes) -> list[Curve]:
    """Give a show before each number of watchers of whom this share is slow, if any can be."""
    shows = {}
    for count in sizes.watchers:
        slow = round(count * share)
        if slow < count and (slow or not share):
            async with open_one() as side:
                shows[count] = await give_show(side, count - slow, slow, sizes)
    return _draw(theme, _say(share), shows)


async def give_show(side: Side, prompt: int, slow: int, sizes: Sizes) -> Show:
    """Tell an audience of so many versions; the slow read after every few of them."""
    await side.chord.delete_context(ROOM)
    await side.chord.set_context(ROOM, build_room())
    async with gather_audience(side.chord, ROOM, prompt, slow) as audience:
        with frozen_garbage():
            tellings = [
                await _tell(audience, number, sizes) for number in range(1, sizes.versions + 1)
            ]
        return Show(
            tellings,
            [audience.count_different(number) for number in range(1, sizes.versions + 1)],
            await _audit(side, audience, len(tellings)),
        )


async def _tell(audience: Audience, number: int, sizes: Sizes) -> Telling:
    """That the slow read is not timed; they do after the last version, too."""
    telling = await audience.tell(make_patch(number))
    if number % sizes.every == 0 or number == sizes.versions:
        await audience.rouse()
    return telling


def make_patch(number: int) -> dict[str, Any]:
    """A change that leaves a trace of its own: no other is of the same participant."""
    return {"participants": {f"user_{number}": {"typing": True}}}


async def _audit(side: Side, audience: Audience, acknowledged: int) -> Audit:
    await side.chord.flush()
    context = await find(side.reader, ROOM)
    copies = len(audience.prompt) + len(audience.slow)
    if context is None:
        return Audit(acknowledged, 0, copies, 0)
    kept = sum(each["typing"] for each in context.state["participants"].values())
    return Audit(acknowledged, kept, copies, audience.count_equal(context))


def _draw(theme: str, whom: str, shows: Mapping[int, Show]) -> list[Curve]:
    audit = sum((show.audit for show in shows.values()), Audit())

    def curve(name: str, unit: Unit, count: Callable[[Show], Sequence[float]]) -> Curve:
        samples = {watchers: count(show) for watchers, show in shows.items()}
        return draw(theme, f"{name}, {whom}", unit, "watchers", samples, audit)

    def time(name: str, count: Callable[[Telling], float]) -> Curve:
        return curve(name, "seconds", lambda show: [count(each) for each in show.tellings])

    return [
        time("from the call to the last watcher", lambda each: each.whole),
        time("from the acknowledgement to the last watcher", lambda each: each.behind_writer),
        time("from the call to the acknowledgement", lambda each: each.writing),
        curve("different replies to one version", "count", lambda show: show.different),
    ]
