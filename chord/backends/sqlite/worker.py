"""Hold `Worker`: a thread that owns a connection, and carries out what is queued in groups.

The queue goes one way, and one call into the event loop comes back for each group, however many
callers it answers. A caller that was cancelled is passed over; its act is carried out all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple

from chord.backends.sqlite.session import Session

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_IN_GROUP: Final = 1000
"""How many acts share a transaction, so that other processes get their turn."""


class Job:
    """An act that waits for its turn, then what it came to."""

    __slots__ = ("act", "arguments", "error", "future", "result")

    def __init__(
        self, act: Callable[..., object] | None, arguments: Any, future: asyncio.Future[Any]
    ) -> None:
        self.act = act
        self.arguments = arguments
        self.future = future
        self.result: object = None
        self.error: Exception | None = None

    def carry_out(self, session: Session) -> None:
        assert self.act
        self.result = self.act(session, *self.arguments)


RunGroup: TypeAlias = Callable[[Session, list[Job]], None]


class Worker:
    """A thread with one connection. Started and stopped in one event loop, which it answers to."""

    def __init__(self, name: str, connect: Callable[[], Session], run_group: RunGroup) -> None:
        self._connect = connect
        self._run_group = run_group
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self.groups = 0
        self.acts = 0

    async def start(self) -> None:
        """Connect; raise what came of it where that fails."""
        self._thread.start()
        await self._put(None, ())

    def submit(self, act: Callable[[Session, *Ts], T], *arguments: *Ts) -> asyncio.Future[T]:
        """Queue an act behind those that are."""
        return self._put(act, arguments)

    async def stop(self) -> None:
        """Return when all that was queued is done and the connection is closed."""
        await self.dismiss()
        self._thread.join()

    def dismiss(self) -> asyncio.Future[None]:
        """Have it end behind what is queued, without waiting for it."""
        return self._put(None, ())

    def _put(self, act: Callable[..., T] | None, arguments: tuple[Any, ...]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Job(act, arguments, future))
        return future

    # -- in the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        opened = self._queue.get()
        try:
            session = self._connect()
        except Exception as error:
            opened.error = error
            return self._answer([opened])
        self._answer([opened])
        self._serve(session)

    def _serve(self, session: Session) -> None:
        while self._serve_group(session):
            pass

    def _serve_group(self, session: Session) -> bool:
        """Answer one group; False once the end was asked for. Keeps nothing of it."""
        jobs = self._take()
        last = jobs.pop() if jobs[-1].act is None else None
        if jobs:
            self._run(session, jobs)
            self._answer(jobs)
        if last:
            session.close()
            self._answer([last])
        return last is None

    def _take(self) -> list[Job]:
        """Wait for one job, and take what is queued behind it."""
        first = self._queue.get()
        more = min(self._queue.qsize(), MOST_IN_GROUP - 1)
        return [first, *(self._queue.get() for _ in range(more))]

    def _run(self, session: Session, jobs: list[Job]) -> None:
        self.groups += 1
        self.acts += len(jobs)
        try:
            self._run_group(session, jobs)
        except Exception as error:
            session.roll_back()
            for job in jobs:
                job.error = session.translate(error)

    def _answer(self, jobs: list[Job]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, jobs)


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)
            job.error = None  # its traceback leads back to the job
