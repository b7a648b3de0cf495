"""Keep the room as JSON under a key of Redis through redis-py; a client gets, changes and sets it.

One way does only that; the other watches the key, and begins again when another client was faster.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import WatchError

from benchmarks.peers.rooms.room import Room, add_one

ROOM = "room:1"


@asynccontextmanager
async def open_rooms(url: str) -> AsyncIterator[Sequence[Room]]:
    async with Redis.from_url(url) as client:
        yield [
            _keep_watching("redis-py, WATCH, GET, SET, again if refused", client),
            _keep_naively("redis-py, GET then SET", client),
        ]


def _keep_naively(name: str, client: Redis) -> Room:
    async def say(user: str) -> None:
        state = await _get(client)
        add_one(state, user)
        await client.set(ROOM, json.dumps(state))

    return _keep(name, client, say)


def _keep_watching(name: str, client: Redis) -> Room:
    async def say(user: str) -> None:
        async with client.pipeline(transaction=True) as pipe:
            while True:
                try:
                    await pipe.watch(ROOM)
                    state = await _get(pipe)
                    add_one(state, user)
                    pipe.multi()  # type: ignore[no-untyped-call]
                    pipe.set(ROOM, json.dumps(state))
                    await pipe.execute()
                except WatchError:
                    continue
                return

    return _keep(name, client, say)


def _keep(name: str, client: Redis, say: Any) -> Room:
    async def set(state: dict[str, Any]) -> None:
        await client.set(ROOM, json.dumps(state))

    return Room(name=name, set=set, say=say, get=lambda: _get(client))


async def _get(client: Redis) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(await client.get(ROOM) or "{}")
    return state
