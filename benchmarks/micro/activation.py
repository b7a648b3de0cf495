"""Time and count what it takes to bring a context from Redis into memory, under a lease."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import redis.asyncio

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.backends.redis import RedisBackend
from chord.codec import MsgspecCodec
from chord.state import take_in
from chord.stateless import StatelessChord

NAMESPACE = "activation"


@asynccontextmanager
async def open_activation(
    url: str, client: redis.asyncio.Redis
) -> AsyncIterator[Sequence[Comparison | Figure]]:
    """An activation is forced by an update that changes nothing: nothing is committed."""
    backend = RedisBackend(url, namespace=NAMESPACE)
    await backend.open()
    try:
        async with StatefulChord(backend) as chord, StatelessChord(backend) as elsewhere:
            sleepers = Sleepers(chord, elsewhere)
            yield [
                Comparison(
                    name="activate a room from Redis",
                    kind="floor",
                    ours=sleepers.contend(),
                    others=[await _getting(client)],
                ),
                Figure(
                    name="round trips of an activation",
                    unit="count",
                    take=lambda: _count_round_trips(sleepers, backend),
                    aim=1,
                ),
            ]
    finally:
        await backend.close()


class Sleepers:
    """Contexts that are in the store and not in memory, each of them activated once."""

    def __init__(self, chord: StatefulChord, elsewhere: StatelessChord) -> None:
        self._chord = chord
        self._elsewhere = elsewhere
        self._numbers = count(1)
        self._asleep: list[str] = []

    def contend(self) -> Contender:
        return Contender(name="acquire and load", loop=self.wake, prepare=self.make)

    async def make(self, times: int) -> None:
        self._asleep = [f"room:{next(self._numbers)}" for _ in range(times)]
        for context_id in self._asleep:
            await self._elsewhere.set_context(context_id, build_room())

    async def wake(self, times: Times) -> None:
        for _, context_id in zip(times, self._asleep, strict=False):
            await self._chord.update_context(context_id, {})


async def _getting(client: redis.asyncio.Redis) -> Contender:
    """A bare read of as many bytes as the room takes in the store."""
    await client.set("{bare}:get", MsgspecCodec().encode_state(take_in(build_room())))

    async def loop(times: Times) -> None:
        for _ in times:
            await client.get("{bare}:get")

    return Contender(name="bare GET of its bytes, redis-py", loop=loop)


async def _count_round_trips(sleepers: Sleepers, backend: RedisBackend) -> float:
    await sleepers.make(1)
    before = _count_flushes(backend)
    await sleepers.wake([None])
    return _count_flushes(backend) - before


def _count_flushes(backend: RedisBackend) -> int:
    return sum(lane["flushes"] for lane in backend.statistics().values())
