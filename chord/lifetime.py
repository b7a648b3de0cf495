"""Hold `Lifetime`: whether a runtime is open, in which loop and process, and the tasks it owns."""

from __future__ import annotations

import asyncio
import os

import anyio
import anyio.abc

from chord.crew import Work
from chord.errors import ChordClosed, WrongLoop


class Lifetime:
    """A runtime's one life: it begins, takes nothing more once it is closing, and ends.

    Its tasks end with it, and none of them ends it: what cancels one of them reaches no other.
    `shielded`: what cancels the block that it lives in does not reach them either, so that they
    can finish while it is closing.
    """

    def __init__(self, *, shielded: bool = False) -> None:
        self._shielded = shielded
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._closing = False
        self._scopes: set[anyio.CancelScope] = set()
        self._stopped = False

    async def begin(self) -> None:
        """Belong to the running loop from now on. Raises `ChordClosed` the second time."""
        if self._tasks is not None or self._closing:
            raise ChordClosed("a runtime is entered once; make another")
        self._loop = asyncio.get_running_loop()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()

    def check(self) -> None:
        """Raise `ChordClosed` unless it is open, and `WrongLoop` anywhere but at home."""
        if self._tasks is None or self._closing:
            raise ChordClosed("the runtime is not open: use it in 'async with'")
        if os.getpid() != self._pid:
            raise WrongLoop("opened before a fork; open another in this process")
        if asyncio._get_running_loop() is not self._loop:  # None in a thread that has none
            raise WrongLoop("opened in another event loop")

    def close(self) -> None:
        """Let nobody begin anything new; what is under way goes on, and may start tasks."""
        self._closing = True

    async def end(self) -> None:
        """Cancel all tasks, and return when they have ended."""
        assert self._tasks is not None
        self._stopped = True
        for scope in tuple(self._scopes):  # not the group's: that would raise in here, too
            scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._tasks = None

    @property
    def has_tasks(self) -> bool:
        """Whether it has begun and not ended; true while it is closing, too."""
        return self._tasks is not None

    def spawn(self, work: Work) -> None:
        """Start a task."""
        if self._tasks is None:
            raise ChordClosed("the runtime is not open")
        self._tasks.start_soon(self._run, work)

    async def _run(self, work: Work) -> None:
        """Run, and let no cancellation but our own end the task group, and so the runtime."""
        with anyio.CancelScope(shield=self._shielded) as scope:
            self._scopes.add(scope)
            try:
                if not self._stopped:
                    await work()
            except asyncio.CancelledError:
                if self._stopped or scope.cancel_called:
                    raise
            finally:
                self._scopes.discard(scope)

    @property
    def state(self) -> str:
        return "closed" if self._tasks is None else "closing" if self._closing else "open"

    def __repr__(self) -> str:
        return f"<Lifetime {self.state} tasks={len(self._scopes)}>"


def is_being_cancelled() -> bool:
    """Whether the running task was cancelled, not just something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
