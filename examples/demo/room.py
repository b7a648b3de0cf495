"""Play the lives of a room whose clients come and go while it is written to, and audit them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeAlias

import attrs

from chord import Append, Chord, ChordError, Increment, Position
from examples.demo.clients import Client
from examples.demo.tally import Tally
from examples.scenarios import Audit, catches_up, find, make_group, make_message

WATCHING: Final = 3
"""One in so many clients watches; the others ask."""

SKETCH: Final = 1200
"""Bytes of the whiteboard, which is redrawn as a whole."""

BETWEEN_SKETCHES: Final = 100
REDRAWN: Final = 4
"""After so many updates somebody draws, so many times in a row."""

Write: TypeAlias = tuple[str, dict[str, Any]]
"""Who writes, and what."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is played: `lives` of a room, `updates` in each of them, and `clients` who follow it.

    Chances are drawn from `seed`. Who lacks more than `threshold` versions gets the full state.
    """

    seed: int = 7
    clients: int = 50
    lives: int = 4
    updates: int = 1000
    threshold: int = 100

    @property
    def total(self) -> int:
        return self.lives * self.updates


class Room:
    """A room, its clients, and the book of what was acknowledged to them.

    `reader`, another runtime on the same store, tells what was kept.
    """

    def __init__(self, chord: Chord, reader: Chord, context_id: str, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.audits: list[Audit] = []
        self.written = 0
        self.errors = 0
        self._chord = chord
        self._reader = reader
        self._context_id = context_id
        self._random = Random(plan.seed)
        self._next_sketch = BETWEEN_SKETCHES // 3
        self._acknowledged: Counter[str] = Counter()
        self.clients = [
            Client(chord, context_id, f"user_{number}", number % WATCHING == 0, self.tally)
            for number in range(1, plan.clients + 1)
        ]

    @property
    def life(self) -> int:
        return min(len(self.audits) + 1, self.plan.lives)

    async def play(self, show: Callable[[Room], None]) -> None:
        """Play all lives, and call `show` after each round."""
        async with asyncio.TaskGroup() as tasks:
            for life in range(1, self.plan.lives + 1):
                await self._live(life * self.plan.updates, tasks, show)
                if life == self.plan.lives:
                    await self._gather_all()
                self.audits.append(await self._audit())
                if life < self.plan.lives:
                    await self._chord.delete_context(self._context_id)

    async def _live(
        self, until: int, tasks: asyncio.TaskGroup, show: Callable[[Room], None]
    ) -> None:
        await self._chord.set_context(self._context_id, make_group(self._context_id))
        self._acknowledged.clear()
        await self._send_some_away()
        while self.written < until:
            await self._come_and_go()
            for client in self._online(watching=True):
                client.keep_watching(tasks)
            await self._write_some(until - self.written)
            await asyncio.gather(*(client.sync() for client in self._online(watching=False)))
            show(self)

    def _online(self, *, watching: bool) -> list[Client]:
        return [each for each in self.clients if each.online and each.watches is watching]

    # -- who is there ----------------------------------------------------------------------------

    async def _send_some_away(self) -> None:
        """Have a few clients miss much, at a moment that is not left to chance."""
        few = self._random.sample(self.clients, min(4, len(self.clients)))
        await asyncio.gather(*(each.sync() for each in few))
        for client, share in zip(few, (1.05, 1.15, 0.9, 0.95), strict=False):
            await client.leave(self.written + int(self.plan.threshold * share))

    async def _come_and_go(self) -> None:
        for client in self.clients:
            if client.back_at is not None and client.back_at <= self.written:
                client.come_back()
            elif client.online and self._random.random() < 0.03:
                await client.leave(self.written + self._choose_absence())

    def _choose_absence(self) -> int:
        """How many updates somebody misses: few mostly, at times more than are served."""
        threshold = self.plan.threshold
        shortest, longest = self._random.choices(
            [(2, threshold // 3), (threshold // 3, threshold), (threshold, 2 * threshold)],
            weights=[8, 3, 1],
        )[0]
        return self._random.randint(shortest, longest)

    # -- what they do ----------------------------------------------------------------------------

    async def _write_some(self, most: int) -> None:
        """Write at once what a few people do; at times nobody does anything."""
        if self.written >= self._next_sketch:
            self._next_sketch += BETWEEN_SKETCHES
            writes = self._draw(min(most, REDRAWN))
        else:
            count = min(most, self._random.choice([0, 1, 1, 1, 2, 4, 7]))
            writes = [self._choose_change(self.written + n) for n in range(count)]
        await asyncio.gather(*(self._write(user, change) for user, change in writes))
        self.written += len(writes)

    def _draw(self, times: int) -> list[Write]:
        user = self._random.choice(self.clients).user
        return [
            (user, {"whiteboard": {"by": user, "strokes": self._random.randbytes(SKETCH)}})
            for _ in range(times)
        ]

    def _choose_change(self, number: int) -> Write:
        random = self._random
        user = random.choice(self.clients).user
        match random.choices(["status", "typing", "message"], weights=[4, 3, 1])[0]:
            case "status":
                field: dict[str, Any] = {"status": random.choice(["online", "away", "busy"])}
            case "typing":
                field = {"typing": random.random() < 0.5}
            case _:
                message = make_message(number, "word " * random.randint(1, 12), user)
                return user, {"chat_history": Append([message])}
        return user, {"participants": {user: field}}

    async def _write(self, user: str, change: dict[str, Any]) -> None:
        """Write a change, and count it in the room and in the book."""
        try:
            await self._chord.update_context(
                self._context_id, {**change, "updates_of": {user: Increment()}}
            )
        except ChordError:
            self.errors += 1
        else:
            self._acknowledged[user] += 1

    # -- how it ends -----------------------------------------------------------------------------

    async def _gather_all(self) -> None:
        """Bring everybody up to date, one of them after a claim that cannot be true."""
        context = await find(self._chord, self._context_id)
        if context is not None:
            ahead = Position(context.position.epoch, context.position.version + 10)
            await self.clients[0].claim(ahead)
        for client in self.clients:
            client.come_back()
            await client.stop()
            await client.sync()

    async def _audit(self) -> Audit:
        """Compare the room with the book, and the copies of all who are there with the room."""
        context = await find(self._reader, self._context_id)
        counts = context.state.get("updates_of", {}) if context else {}
        kept = sum(min(count, counts.get(user, 0)) for user, count in self._acknowledged.items())
        replicas = [client.replica for client in self.clients if client.online]
        same = await asyncio.gather(*(catches_up(self._reader, each, context) for each in replicas))
        return Audit(self._acknowledged.total(), kept, len(replicas), sum(same))
