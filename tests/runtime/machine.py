"""Hold what the state machine acts on: a runtime on an unreliable line, another beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.backends.sqlite import SqliteBackend
from chord.clock import ManualClock, Timer
from chord.config import Settings
from chord.errors import ChordError
from chord.journal import Journal
from chord.replica import Replica
from chord.stateless import StatelessChord
from chord.testing.faulty import FaultyBackend
from tests.runtime.model import Truth

T = TypeVar("T")

SHORT = 0.2
"""Seconds: who waits no longer than this goes on at once, without the time passing."""


class HastyClock(ManualClock):
    """A manual clock that lets no one wait for a moment only: pauses between attempts."""

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        if when - self.monotonic() <= SHORT:
            return asyncio.get_running_loop().call_soon(call)
        return super().call_at(when, call)


class Host:
    """Opens one runtime in a task of its own, and closes it there."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[StatelessChord] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(backend, settings))

    async def _run(self, backend: Backend, settings: Settings) -> None:
        async with StatelessChord(backend, settings=settings) as chord:
            self._opened.set_result(chord)
            await self._closing.wait()

    async def open(self) -> StatelessChord:
        return await self._opened

    async def close(self) -> None:
        self._closing.set()
        await self._task


class Watching:
    """A replica that is kept up to date by a watch, whatever errors come."""

    def __init__(self, chord: StatelessChord, context_id: str) -> None:
        self.context_id = context_id
        self.replica = Replica()
        self._chord = chord
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with self._chord.watch_context(self.context_id) as replies:
                while True:
                    await self._take(replies)
        except (ChordError, StopAsyncIteration):
            return  # it could not be entered, or there is nothing to come

    async def _take(self, replies: Any) -> None:
        try:
            reply = await anext(replies)
        except ChordError:
            await asyncio.sleep(0)
            return
        assert self.replica.receive(reply) != "gap"

    @property
    def is_over(self) -> bool:
        return self._task.done()

    def check(self) -> None:
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self.check()


class World:
    """A store, a runtime whose line to it may fail, and another runtime beside it."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.clock = HastyClock()
        self.provided: dict[str, Any] = {}
        self.settings = Settings(
            clock=self.clock,
            context_ttl=100.0,
            context_auto_delete=True,
            delta_ttl=60.0,
            delta_threshold=4,
            op_ttl=50.0,
            snapshot_every=3,
            cache_size=2,
            watch_poll=1.0,
            provider=self.provided.__getitem__,
        )
        self._journal = Journal(self.settings)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._take_note)
        self.problems: list[str] = []
        self.watching: list[Watching] = []
        self._shared = MemoryBackend(clock=self.clock)
        self.run(self._open())

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    def _take_note(self, loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        self.problems.append(f"{details.get('message')}: {details.get('exception')!r}")

    def _connect(self) -> Backend:
        if self._folder is None:
            return self._shared
        return SqliteBackend(self._folder / "store.db", clock=self.clock)

    async def _open(self) -> None:
        self.inner, self._beside = self._connect(), self._connect()
        self.faulty = FaultyBackend(self.inner)
        for backend in (self.inner, self._beside):
            await backend.open()
        self._hosts = [Host(self.faulty, self.settings), Host(self._beside, self.settings)]
        self.chord, self.other = [await host.open() for host in self._hosts]

    async def reopen(self) -> None:
        """End everything, as a process ends that has the time, and begin again."""
        await self.close()
        await self._open()

    async def close(self) -> None:
        for each in self.watching:
            await each.stop()
        self.watching.clear()
        for host in self._hosts:
            await host.close()
        for backend in {self.inner, self._beside}:
            await backend.close()

    async def audit(self, context_id: str) -> Truth:
        """What the store has, read past the line and past every cache, and checked."""
        stored = await self.inner.load(context_id)
        if stored is None:
            return Truth()
        live = self._journal.recover(stored)
        live.check()
        return Truth(live.state, live.position, live.updated_at)

    async def check(self) -> None:
        self.chord.check()
        self.other.check()
        for each in self.watching:
            each.check()
        if isinstance(self.inner, SqliteBackend):
            await self.inner.check()
        else:
            self._shared.check()
        assert not self.problems

    def end(self) -> None:
        self.run(self.close())
        self._loop.close()
        assert not self.problems
