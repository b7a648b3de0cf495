"""Time updates on Redis and Valkey against one bare round trip of a script through redis-py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import redis.asyncio

from benchmarks.comparison import Comparison
from benchmarks.harness import CannotMeasure
from benchmarks.micro.commits import open_committing
from benchmarks.micro.loops import ROOM, updating_alone, updating_at_once, updating_in_sequence
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.backends.open import open_backend
from chord.stateless import StatelessChord
from chord.testing.servers import Server, ServerMissing, find_redis

SCRIPT = """
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0) + 1
redis.call('HSET', KEYS[1], 'version', version)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('LTRIM', KEYS[2], -100, -1)
return version
"""
"""What any store of numbered changes does at least."""


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    async with open_server(find_redis, sizes) as comparisons:
        yield comparisons


@asynccontextmanager
async def open_server(find: Callable[[], str], sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    """The comparisons on a server of that kind, which runs for as long as they take."""
    try:
        program = find()
    except ServerMissing as missing:
        raise CannotMeasure(str(missing)) from missing
    with Server(program) as server:
        async with AsyncExitStack() as stack:
            warm, other, forgetful = [
                await stack.enter_async_context(StatelessChord.open(server.url, cache_size=size))
                for size in (1024, 1024, 0)
            ]
            client = await stack.enter_async_context(redis.asyncio.Redis.from_url(server.url))
            await warm.set_context(ROOM, build_room())
            bare = await _calling_script(client)
            backend = await stack.enter_async_context(open_backend(server.url))
            yield [
                *_compare(sizes.updates, bare, warm, other, forgetful),
                Comparison(
                    name="a commit of one entry to the backend itself",
                    kind="floor",
                    ours=await open_committing(backend),
                    others=[bare],
                ),
            ]


def _compare(
    count: int,
    bare: Contender,
    warm: StatelessChord,
    other: StatelessChord,
    forgetful: StatelessChord,
) -> list[Comparison]:
    return [
        Comparison(
            name="stateless, an uncontended update, the last one was ours",
            kind="floor",
            ours=updating_alone("update_context", warm),
            others=[bare],
            aim=2,
        ),
        Comparison(
            name="stateless, an uncontended update, the last one was another's",
            kind="floor",
            ours=updating_alone("update_context", warm, other),
            others=[bare],
            aim=6,
        ),
        Comparison(
            name="stateless, an uncontended update, nothing remembered",
            kind="floor",
            ours=updating_alone("update_context", forgetful),
            others=[bare],
            aim=6,
        ),
        Comparison(
            name=f"stateless, {count:,} concurrent updates, each",
            kind="peer",
            ours=updating_at_once("update_context", warm, count),
            others=[updating_in_sequence("one by one", warm, count)],
            aim=5,
        ),
    ]


async def _calling_script(client: redis.asyncio.Redis) -> Contender:
    sha = await client.script_load(SCRIPT)
    argument = b"x" * 60

    async def loop(times: Times) -> None:
        for _ in times:
            await client.evalsha(sha, 2, "{bare}:meta", "{bare}:log", argument)

    return Contender(name="bare EVALSHA, redis-py", loop=loop)
