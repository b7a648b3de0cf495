"""Keep the room as JSON in a row through aiosqlite; a client reads, changes, writes and commits.

All of them share a connection, whose statements are carried out one at a time; between a client's
read and its write the others come in, unless a lock keeps them out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import aiosqlite

from benchmarks.peers.rooms.room import Room, add_one

CREATE = "CREATE TABLE rooms (id TEXT PRIMARY KEY, state TEXT NOT NULL)"
INSERT = "INSERT OR REPLACE INTO rooms VALUES (?, ?)"
READ = "SELECT state FROM rooms WHERE id = ?"
WRITE = "UPDATE rooms SET state = ? WHERE id = ?"
ROOM = "room:1"

Turn = Callable[[], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def open_rooms(folder: Path) -> AsyncIterator[Sequence[Room]]:
    async with aiosqlite.connect(folder / "aiosqlite.db") as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = NORMAL")
        await connection.execute(CREATE)
        turn = asyncio.Lock()
        yield [
            _keep("aiosqlite, one client at a time by a lock", connection, lambda: turn),
            _keep("aiosqlite, without a lock", connection, nullcontext),
        ]


def _keep(name: str, connection: aiosqlite.Connection, turn: Turn) -> Room:
    async def set(state: dict[str, Any]) -> None:
        await connection.execute(INSERT, (ROOM, json.dumps(state)))
        await connection.commit()

    async def say(user: str) -> None:
        async with turn():
            state = await get()
            add_one(state, user)
            await connection.execute(WRITE, (json.dumps(state), ROOM))
            await connection.commit()

    async def get() -> dict[str, Any]:
        async with connection.execute(READ, (ROOM,)) as cursor:
            row = await cursor.fetchone()
        assert row
        state: dict[str, Any] = json.loads(row[0])
        return state

    return Room(name=name, set=set, say=say, get=get)
