"""Commit to an SQLite file from a process of its own, and print each acknowledged version.

Called with the file, a name to sign with, and how many versions to commit.
"""

from __future__ import annotations

import asyncio
import sys

from chord.backends.sqlite import SqliteBackend
from chord.errors import VersionConflict
from chord.testing.contract_batches import ROOM, make_entry, make_step


async def write(path: str, name: str, count: int) -> None:
    backend = SqliteBackend(path, busy_timeout=60.0)
    await backend.open()
    for _ in range(count):
        print(await step(backend, name), flush=True)
    await backend.close()


async def step(backend: SqliteBackend, name: str) -> int:
    """Add one version, however often others come first."""
    while True:
        stored = await backend.load(ROOM)
        assert stored
        version = stored.position.version + 1
        try:
            await backend.commit(
                make_step(stored.position, entries=(make_entry(version, commit_id=name),))
            )
        except VersionConflict:
            continue
        return version


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
