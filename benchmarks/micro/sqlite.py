"""Time concurrent updates on SQLite against a commit for each, which reads, changes and writes.

The peers keep the state as JSON in one column. The files are in the folder for temporary ones,
which must be on a disk for the durable comparison to mean anything.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import islice
from pathlib import Path

import aiosqlite

from benchmarks.comparison import Comparison
from benchmarks.floors import write_in_place
from benchmarks.micro.commits import open_committing
from benchmarks.micro.loops import ROOM, updating_alone, updating_at_once
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.backends.base import Backend
from chord.backends.open import open_backend
from chord.stateless import StatelessChord

CREATE = "CREATE TABLE contexts (id TEXT PRIMARY KEY, state TEXT NOT NULL)"
INSERT = "INSERT INTO contexts VALUES (?, ?)"
READ = "SELECT state FROM contexts WHERE id = ?"
WRITE = "UPDATE contexts SET state = ? WHERE id = ?"
CREATE_LOG = "CREATE TABLE log (version INTEGER PRIMARY KEY, changes BLOB NOT NULL)"
APPEND = "INSERT INTO log (changes) VALUES (?)"


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            open_backend(f"sqlite:///{folder}/ours.db") as backend,
            StatelessChord(backend) as chord,
            StatelessChord.open(f"sqlite:///{folder}/durable.db?synchronous=FULL") as durable,
            _open_aiosqlite(folder / "aiosqlite.db") as peer,
        ):
            await chord.set_context(ROOM, build_room())
            await durable.set_context(ROOM, build_room())
            with (
                _open_sqlite(folder / "stdlib.db", "FULL") as inline,
                _open_sqlite(folder / "bare.db", "NORMAL") as bare,
            ):
                yield [
                    *_compare(sizes.updates, chord, durable, peer, inline),
                    await _compare_commits(backend, bare),
                ]


def _compare(
    count: int,
    chord: StatelessChord,
    durable: StatelessChord,
    peer: aiosqlite.Connection,
    inline: sqlite3.Connection,
) -> list[Comparison]:
    return [
        Comparison(
            name=f"stateless, {count:,} concurrent updates, each",
            kind="peer",
            ours=updating_at_once("update_context", chord, count),
            others=[_through_aiosqlite(peer, count)],
            aim=50,
        ),
        Comparison(
            name=f"stateless, {count:,} concurrent updates, synchronous=FULL, each",
            kind="peer",
            ours=updating_at_once("update_context", durable, count),
            others=[_inline(inline, count)],
            aim=15,
        ),
        Comparison(
            name="stateless, an uncontended update",
            kind="peer",
            ours=updating_alone("update_context", chord),
            others=[_through_aiosqlite(peer, 1)],
        ),
    ]


# -- aiosqlite -----------------------------------------------------------------------------------


@asynccontextmanager
async def _open_aiosqlite(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = NORMAL")
        await connection.execute(CREATE)
        await connection.execute(INSERT, (ROOM, json.dumps(build_room())))
        await connection.commit()
        yield connection


def _through_aiosqlite(connection: aiosqlite.Connection, count: int) -> Contender:
    patches = write_patches()
    turn = asyncio.Lock()  # without it, updates that run at once would be lost

    async def update(patch: dict[str, object]) -> None:
        async with turn:
            async with connection.execute(READ, (ROOM,)) as cursor:
                row = await cursor.fetchone()
            assert row
            state = json.loads(row[0])
            write_in_place(state, patch)
            await connection.execute(WRITE, (json.dumps(state), ROOM))
            await connection.commit()

    async def loop(times: Times) -> None:
        for _ in times:
            await asyncio.gather(*(update(patch) for patch in islice(patches, count)))

    return Contender(name="aiosqlite, a commit each", loop=loop, operations=count)


# -- the standard library ------------------------------------------------------------------------


@contextmanager
def _open_sqlite(path: Path, synchronous: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(CREATE)
        connection.execute(INSERT, (ROOM, json.dumps(build_room())))
        connection.commit()
        yield connection


def _inline(connection: sqlite3.Connection, count: int) -> Contender:
    patches = write_patches()

    def loop(times: Times) -> None:
        for _ in times:
            for patch in islice(patches, count):
                (text,) = connection.execute(READ, (ROOM,)).fetchone()
                state = json.loads(text)
                write_in_place(state, patch)
                connection.execute(WRITE, (json.dumps(state), ROOM))
                connection.commit()

    return Contender(name="sqlite3 inline, a commit each", loop=loop, operations=count)


async def _compare_commits(backend: Backend, bare: sqlite3.Connection) -> Comparison:
    return Comparison(
        name="a commit of one entry to the backend itself",
        kind="floor",
        ours=await open_committing(backend),
        others=[_appending(bare)],
    )


def _appending(connection: sqlite3.Connection) -> Contender:
    """Transactions that insert as many bytes as a delta of one field takes, on this very thread."""
    connection.execute(CREATE_LOG)
    connection.commit()

    def loop(times: Times) -> None:
        for _ in times:
            connection.execute(APPEND, (b"x" * 60,))
            connection.commit()

    return Contender(name="bare sqlite3 transaction", loop=loop)
