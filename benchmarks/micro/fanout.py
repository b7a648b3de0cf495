"""Compare wake-ups of many watchers of one context with those of plain futures, and with none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TypeAlias

from benchmarks.comparison import Comparison
from benchmarks.micro.loops import ROOM, updating_alone
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.clock import SystemClock
from chord.fanout import Fanout, Watch
from chord.position import Position
from chord.records import Delta, DeltaUpdate, Reply, WatchReply
from chord.stateless import StatelessChord

Asleep: TypeAlias = tuple[Sequence[asyncio.Task[None]], Callable[[], None]]
"""Tasks that wait, and what wakes them."""


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(waking_own(sizes.watchers))
        waits = await stack.enter_async_context(_waking_watchers(sizes.watchers))
        watches = await stack.enter_async_context(_waking_watches(sizes.watchers))
        past_many = await stack.enter_async_context(_updating(sizes.watchers))
        past_none = await stack.enter_async_context(_updating(0))
        yield [
            *_compare_publishing(sizes.watchers),
            Comparison(
                name=f"update, past {sizes.watchers:,} watchers that do not wait",
                kind="floor",
                ours=past_many,
                others=[past_none],
                aim=1.5,
            ),
            Comparison(
                name=f"wake {sizes.watchers:,} watchers, until all have run on, each",
                kind="floor",
                ours=_waking_watchers_once(sizes.watchers),
                others=[_waking_own_once(sizes.watchers)],
                aim=1.2,
            ),
            Comparison(
                name=f"wake {sizes.watchers:,} watchers, until they wait again, each",
                kind="floor",
                ours=waits,
                others=[own],
            ),
            Comparison(
                name=f"tell {sizes.watchers:,} watches, until they wait again, each",
                kind="floor",
                ours=watches,
                others=[own],
            ),
        ]


# -- nobody waits --------------------------------------------------------------------------------


def _compare_publishing(count: int) -> list[Comparison]:
    many = _publishing(f"past {count:,}", count)
    return [
        Comparison(
            name=f"publish, past {count:,} watchers that do not wait",
            kind="floor",
            ours=many,
            others=[_publishing("past one", 1)],
            aim=1.5,
        ),
        Comparison(
            name="publish, beside a context that nobody watches",
            kind="floor",
            ours=many,
            others=[_publishing("not in the dict", 0)],
        ),
    ]


def _publishing(name: str, count: int) -> Contender:
    fanout = Fanout()
    for _ in range(count):
        fanout.attach(ROOM)

    def loop(times: Times) -> None:
        for _ in times:
            fanout.publish(ROOM)

    return Contender(name=name, loop=loop)


@asynccontextmanager
async def _updating(count: int) -> AsyncIterator[Contender]:
    """Updates of a context that so many watch, none of whom asks for a second reply."""
    async with AsyncExitStack() as stack:
        chord = await stack.enter_async_context(StatelessChord.open("memory://", watch_poll=None))
        await chord.set_context(ROOM, build_room())
        for _ in range(count):
            await stack.enter_async_context(chord.watch_context(ROOM))
        yield updating_alone(f"past {count:,}", chord)


# -- all wait, once ------------------------------------------------------------------------------


def _waking_own_once(count: int) -> Contender:
    def fall_asleep() -> Asleep:
        futures = [asyncio.get_running_loop().create_future() for _ in range(count)]

        async def wait(future: asyncio.Future[None]) -> None:
            await future

        def wake() -> None:
            for future in futures:
                future.set_result(None)

        return [asyncio.create_task(wait(future)) for future in futures], wake

    return _waking_once("a future of its own for each task", fall_asleep, count)


def _waking_watchers_once(count: int) -> Contender:
    def fall_asleep() -> Asleep:
        fanout = Fanout()
        tasks = [asyncio.create_task(fanout.attach(ROOM).wait()) for _ in range(count)]
        return tasks, lambda: fanout.publish(ROOM)

    return _waking_once("Watcher.wait()", fall_asleep, count)


def _waking_once(name: str, fall_asleep: Callable[[], Asleep], count: int) -> Contender:
    """From the wake-up until all have run on. That they fall asleep is not timed."""
    asleep: list[Asleep] = []

    async def prepare(times: int) -> None:
        asleep[:] = [fall_asleep() for _ in range(times)]
        await asyncio.sleep(0)

    async def loop(times: Times) -> None:
        for _, (tasks, wake) in zip(times, asleep, strict=False):
            wake()
            await asyncio.sleep(0)
            assert tasks[-1].done()

    return Contender(name=name, loop=loop, operations=count, prepare=prepare)


# -- all wait, again and again -------------------------------------------------------------------


@asynccontextmanager
async def waking_own(count: int) -> AsyncIterator[Contender]:
    """Futures, one for each of so many tasks, that are finished one after the other."""
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(count)]

    async def wait_for_ever(place: int) -> None:
        while True:
            await futures[place]
            futures[place] = loop.create_future()

    def wake() -> None:
        for future in tuple(futures):
            future.set_result(None)

    waiting = [wait_for_ever(place) for place in range(count)]
    async with _waking("a future of its own for each task", wake, waiting) as contender:
        yield contender


@asynccontextmanager
async def _waking_watchers(count: int) -> AsyncIterator[Contender]:
    fanout = Fanout()

    async def wait_for_ever() -> None:
        watcher = fanout.attach(ROOM)
        while True:
            await watcher.wait()

    waiting = [wait_for_ever() for _ in range(count)]
    async with _waking("Watcher.wait()", lambda: fanout.publish(ROOM), waiting) as contender:
        yield contender


@asynccontextmanager
async def _waking_watches(count: int) -> AsyncIterator[Contender]:
    """Watches that are all told the same, from memory."""
    fanout = Fanout()
    version = 0

    async def look(since: Position | int | None, first: bool) -> WatchReply:
        return glance(since)

    def glance(since: Position | int | None) -> Reply:
        reply = fanout.remembered(ROOM, since)
        if reply is None:
            reply = _tell(version)
            fanout.remember(ROOM, since, reply, fanout.cursor(ROOM))
        return reply

    async def read() -> None:
        async with Watch(fanout, ROOM, None, look, SystemClock(), 0.0, glance=glance) as watch:
            async for _ in watch:
                pass

    def publish() -> None:
        nonlocal version
        version += 1
        fanout.publish(ROOM)

    async with _waking("anext(watch)", publish, [read() for _ in range(count)]) as contender:
        yield contender


def _tell(version: int) -> DeltaUpdate:
    delta = Delta(
        context_id=ROOM,
        changes={},
        from_version=version - 1,
        version=version,
        epoch="benchmark",
        updated_at=0.0,
    )
    return DeltaUpdate(delta)


@asynccontextmanager
async def _waking(
    name: str, wake: Callable[[], None], waiting: Sequence[Awaitable[None]]
) -> AsyncIterator[Contender]:
    """Have a task for each of those that wait; all that are woken run in one turn of the loop."""

    async def loop(times: Times) -> None:
        for _ in times:
            wake()
            await asyncio.sleep(0)

    everyone = asyncio.gather(*waiting)
    await asyncio.sleep(0)
    try:
        yield Contender(name=name, loop=loop, operations=len(waiting))
    finally:
        everyone.cancel()
        with suppress(asyncio.CancelledError):
            await everyone
