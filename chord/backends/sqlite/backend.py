"""Hold `SqliteBackend`: the async face of the acts, which run in a writing and a reading thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar, TypeVarTuple

from chord.backends.base import check_batch
from chord.backends.sqlite import index, lease
from chord.backends.sqlite.check import check
from chord.backends.sqlite.commit import commit
from chord.backends.sqlite.group import read_group, write_group
from chord.backends.sqlite.load import load
from chord.backends.sqlite.schema import (
    Place,
    Synchronous,
    checkpoint,
    open_reader,
    open_writer,
)
from chord.backends.sqlite.session import Session
from chord.backends.sqlite.worker import Worker
from chord.clock import Clock, SystemClock
from chord.errors import BackendUnavailable, WrongLoop
from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SqliteBackend:
    """A store in one SQLite file, in WAL mode; ``":memory:"`` lives as long as it is open.

    Commits that wait at the same time share a transaction; reads go on beside it. Several
    processes may open one file: who finds it locked waits up to `busy_timeout` seconds. Leases are
    timed by `clock.time()`, which those processes must share.

    With `synchronous="NORMAL"` what is acknowledged survives the end of the process, however it
    comes, and `flush` makes it survive a loss of power; ``"FULL"`` has each commit do so, for one
    more wait for the disk.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        namespace: str = "chord",
        clock: Clock | None = None,
        synchronous: Synchronous = "NORMAL",
        busy_timeout: float = 5.0,
    ) -> None:
        self._place = Place(
            path=os.fspath(path),
            namespace=namespace,
            clock=clock or SystemClock(),
            synchronous=synchronous,
            busy_timeout=busy_timeout,
        )
        self._workers: tuple[Worker, Worker] | None = None
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._closing: asyncio.Future[None] | None = None

    @property
    def address(self) -> str:
        return self._place.address

    # -- opening and closing -------------------------------------------------------------------

    async def open(self) -> None:
        if self._workers is None:
            self._workers = await _start(self._place)
            self._home = (os.getpid(), asyncio.get_running_loop())
        self._check_home()

    async def close(self) -> None:
        if self._workers is not None:
            self._check_home()
            self._closing = asyncio.ensure_future(_stop(*self._workers))
            self._workers = None
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def flush(self) -> None:
        self._get_workers()
        if not self._place.is_memory:
            await asyncio.to_thread(checkpoint, self._place)

    # -- one context ---------------------------------------------------------------------------

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        return await self._read(load, context_id, after, operations, operations_since)

    async def commit(self, batch: Batch) -> None:
        check_batch(batch)
        await self._write(commit, batch)

    async def acquire(
        self,
        context_id: str,
        owner: str,
        *,
        ttl: float,
        address: str,
        fresh_epoch: str | None,
        operations_since: float = 0.0,
    ) -> Grant:
        return await self._write(
            lease.acquire, context_id, owner, ttl, address, fresh_epoch, operations_since
        )

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        return await self._write(lease.renew, dict(fences), ttl)

    async def release(self, context_id: str, fence: Fence) -> bool:
        return await self._write(lease.release, context_id, fence)

    # -- many contexts -------------------------------------------------------------------------

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        return await self._read(index.find_heads, tuple(context_ids))

    async def list(self, prefix: str, after: str | None, limit: int) -> Sequence[Summary]:
        return await self._read(index.list_contexts, prefix, after, limit)

    async def due(self, before: float, limit: int) -> Sequence[Summary]:
        return await self._read(index.list_due, before, limit)

    async def trim(self, before: float, limit: int) -> int:
        return await self._write(index.trim, before, limit)

    # -- within --------------------------------------------------------------------------------

    def _write(self, act: Callable[[Session, *Ts], T], *arguments: *Ts) -> asyncio.Future[T]:
        return self._get_workers()[0].submit(act, *arguments)

    def _read(self, act: Callable[[Session, *Ts], T], *arguments: *Ts) -> asyncio.Future[T]:
        return self._get_workers()[1].submit(act, *arguments)

    def _get_workers(self) -> tuple[Worker, Worker]:
        if self._workers is None:
            raise BackendUnavailable(self.address, "not open")
        self._check_home()
        return self._workers

    def _check_home(self) -> None:
        if self._home != (os.getpid(), asyncio.get_running_loop()):
            raise WrongLoop(f"{self.address} was opened in another event loop or process")

    async def check(self) -> None:
        """Assert that the store does not contradict itself. O(what is stored)."""
        await self._write(check)

    def statistics(self) -> dict[str, int]:
        """Count the changes and the transactions that they shared, and the same of reads."""
        if self._workers is None:
            return {}
        writer, reader = self._workers
        return {
            "writes": writer.acts,
            "write_groups": writer.groups,
            "reads": reader.acts,
            "read_groups": reader.groups,
        }

    def __repr__(self) -> str:
        return f"<SqliteBackend {self.address} open={self._workers is not None}>"


async def _start(place: Place) -> tuple[Worker, Worker]:
    """Start the writing and the reading worker; in memory there is one connection for both."""
    writer = Worker("chord-sqlite-writer", partial(open_writer, place), write_group)
    reader = writer
    try:
        await writer.start()
        if not place.is_memory:
            reader = Worker("chord-sqlite-reader", partial(open_reader, place), read_group)
            await reader.start()
    except BaseException:
        for worker in {writer, reader}:
            worker.dismiss()
        raise
    return writer, reader


async def _stop(writer: Worker, reader: Worker) -> None:
    """Stop the reader first: the last connection to close puts the log back into the file."""
    try:
        if reader is not writer:
            await reader.stop()
    finally:
        await writer.stop()
