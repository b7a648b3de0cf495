"""Hold what is asked of an actor: to add one to a number, and to answer with what that came to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

from benchmarks.timing import Loop, Times

Add: TypeAlias = Callable[[], Awaitable[int]]


@attrs.frozen(kw_only=True)
class Counter:
    """An actor with a number: how to add one to it, once, one after the other, and all at once.

    `alone` is a loop of asks, each answered before the next. `at_once` makes a loop that asks so
    often each time round, before it waits for the first answer.
    """

    name: str
    add: Add
    alone: Loop
    at_once: Callable[[int], Loop]


def make_counter(name: str, add: Add) -> Counter:
    """An actor of asyncio's, whose answers are awaited."""

    async def alone(times: Times) -> None:
        for _ in times:
            await add()

    def at_once(count: int) -> Loop:
        async def loop(times: Times) -> None:
            for _ in times:
                await asyncio.gather(*(add() for _ in range(count)))

        return loop

    return Counter(name=name, add=add, alone=alone, at_once=at_once)
