"""Compare an ask of an idle actor, and one that waits in its mailbox, with bare asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any, Final

from actors import ContextActor, StatefulChord, command
from actors.mailbox import Mailbox
from actors.messages import Ask
from benchmarks.comparison import Comparison
from benchmarks.micro.loops import gathering_nothing, open_round_trip
from benchmarks.micro.theme import Sizes
from benchmarks.timing import Contender, Times
from chord.requests import Update
from chord.state import take_in_changes

GATE: Final = "gate:1"
ROOMY: Final = 1 << 30


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    async with (
        open_round_trip() as round_trip,
        StatefulChord.open("memory://", durability="memory") as chord,
    ):
        gate = chord.actor(Gate, GATE)
        await gate.count()
        yield [
            Comparison(
                name="put an ask into a mailbox, and take it out",
                kind="floor",
                ours=_passing_mailbox(sizes.updates),
                others=[_passing_deque(sizes.updates)],
            ),
            Comparison(
                name="a command of an idle actor, awaited",
                kind="floor",
                ours=_commanding(gate),
                others=[_awaiting(), round_trip],
            ),
            Comparison(
                name=f"{sizes.updates:,} updates that wait in the mailbox behind a command, each",
                kind="floor",
                ours=_waiting(chord, gate, sizes.updates),
                others=[gathering_nothing(sizes.updates)],
            ),
        ]


class Gate(ContextActor, prefix="gate:"):
    """Counts beside its state, and can hold its turn."""

    number = 0

    def initial(self) -> dict[str, Any]:
        return {"number": 0}

    @command
    def count(self) -> int:
        self.number += 1
        return self.number

    @command
    async def hold(self, held: asyncio.Event, opened: asyncio.Event) -> None:
        held.set()
        await opened.wait()


# -- the queue alone -----------------------------------------------------------------------------


class _Nobody:
    def withdraw(self, ask: Ask) -> None: ...


def _make_ask() -> Ask:
    request = Update(patches=(take_in_changes({"number": 1}),))
    return Ask(request, asyncio.get_running_loop().create_future(), counter=_Nobody())


def _passing_mailbox(count: int) -> Contender:
    mailbox = Mailbox(count, ROOMY)
    asks = [_make_ask() for _ in range(count)]

    def loop(times: Times) -> None:
        for _ in times:
            for ask in asks:
                mailbox.put(ask, 0.0, waits=False)
            mailbox.take(count)

    return Contender(name="Mailbox", loop=loop, operations=count)


def _passing_deque(count: int) -> Contender:
    queue: deque[Ask] = deque()
    asks = [_make_ask() for _ in range(count)]

    def loop(times: Times) -> None:
        for _ in times:
            for ask in asks:
                queue.append(ask)
            while queue:
                queue.popleft()

    return Contender(name="collections.deque", loop=loop, operations=count)


# -- the actor -----------------------------------------------------------------------------------


def _commanding(gate: Gate) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await gate.count()

    return Contender(name="command", loop=loop)


def _awaiting() -> Contender:
    number = 0

    async def count() -> int:
        nonlocal number
        number += 1
        return number

    async def loop(times: Times) -> None:
        for _ in times:
            await count()

    return Contender(name="a bare coroutine", loop=loop)


def _waiting(chord: StatefulChord, gate: Gate, updates: int) -> Contender:
    numbers = count(1)

    async def loop(times: Times) -> None:
        for _ in times:
            held, opened = asyncio.Event(), asyncio.Event()
            holding = asyncio.ensure_future(gate.hold(held, opened))
            await held.wait()
            patches = ({"number": number} for number in islice(numbers, updates))
            waiting = asyncio.gather(*(chord.update_context(GATE, patch) for patch in patches))
            await asyncio.sleep(0)
            opened.set()
            await waiting
            await holding

    return Contender(name="update_context", loop=loop, operations=updates)
