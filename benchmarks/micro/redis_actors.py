"""Time live contexts whose updates are on Redis before they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice

import redis.asyncio
from msgspec import msgpack

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.floors import write_in_place
from benchmarks.harness import CannotMeasure
from benchmarks.micro.activation import open_activation
from benchmarks.micro.actors import SPREAD, compare_spread, open_in_memory, set_rooms
from benchmarks.micro.loops import ROOM, updating_at_once
from benchmarks.micro.modes import open_modes
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.testing.servers import Server, ServerMissing, find_redis

COMPARE_AND_SET = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'state', ARGV[2])
return 1
"""


UNWRITTEN = 1_000_000_000
"""A number that no loop comes to."""


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison | Figure]]:
    with serve(find_redis) as server:
        async with AsyncExitStack() as stack:
            durable = await stack.enter_async_context(StatefulChord.open(server.url))
            await set_rooms(durable, SPREAD)
            in_memory = await stack.enter_async_context(open_in_memory())
            client = await stack.enter_async_context(redis.asyncio.Redis.from_url(server.url))
            behind_lock = await _comparing_and_setting(client, sizes.updates)
            yield [
                *_compare(sizes.updates, durable, in_memory, behind_lock),
                *await stack.enter_async_context(open_activation(server.url, client)),
                *await stack.enter_async_context(
                    open_modes("Redis", server.url, server.url, sizes.updates)
                ),
            ]


def serve(find: Callable[[], str]) -> Server:
    """A server of that kind, to be entered."""
    try:
        return Server(find())
    except ServerMissing as missing:
        raise CannotMeasure(str(missing)) from missing


def _compare(
    count: int, durable: StatefulChord, in_memory: StatefulChord, behind_lock: Contender
) -> list[Comparison | Figure]:
    return [
        Comparison(
            name=f"{count:,} concurrent updates of one context on Redis, each",
            kind="floor",
            ours=updating_at_once("write-through", durable, count),
            others=[updating_at_once("the same in memory", in_memory, count)],
            aim=1.3,
        ),
        Figure(
            name=f"commits for each of {count:,} concurrent updates of one context",
            unit="count",
            take=lambda: _count_commits(durable, count),
            aim=0.02,
        ),
        Comparison(
            name=f"{count:,} concurrent updates of one context, each, against a lock",
            kind="peer",
            ours=updating_at_once("write-through", durable, count),
            others=[behind_lock],
            aim=10,
        ),
        compare_spread("Redis", durable, count, 4),
    ]


async def _count_commits(chord: StatefulChord, count: int) -> float:
    before = chord.statistics()["commits"]
    patches = islice(write_patches(first=UNWRITTEN), count)
    await asyncio.gather(*(chord.update_context(ROOM, patch) for patch in patches))
    commits: int = chord.statistics()["commits"] - before
    return commits / count


async def _comparing_and_setting(client: redis.asyncio.Redis, count: int) -> Contender:
    """Updates that read the state, change it and set it if it is the same, one at a time."""
    patches = write_patches()
    turn = asyncio.Lock()
    key = "{bare}:room"
    sha = await client.script_load(COMPARE_AND_SET)
    await client.hset(key, mapping={"version": "1", "state": msgpack.encode(build_room())})

    async def update(patch: dict[str, object]) -> None:
        async with turn:
            is_set = False
            while not is_set:
                version, packed = await client.hmget(key, "version", "state")
                assert isinstance(version, bytes)
                assert isinstance(packed, bytes)
                state = msgpack.decode(packed)
                write_in_place(state, patch)
                is_set = await client.evalsha(sha, 1, key, version, msgpack.encode(state))

    async def loop(times: Times) -> None:
        for _ in times:
            await asyncio.gather(*(update(patch) for patch in islice(patches, count)))

    return Contender(name="read, compare and set, behind a lock", loop=loop, operations=count)
