"""Hold `Scene`: a stateful runtime on a store whose answers a test gives by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

from actors.stateful import StatefulChord
from chord import Commit
from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.facade import Facade
from chord.journal import Journal
from chord.live import Live
from tests.by_hand import ByHand, Call
from tests.waiting import outcome_of, running, turn

T = TypeVar("T")

DURABILITIES: Final = ("write-through", "write-behind", "memory")

LEASE: Final = 10.0


class Scene:
    """A runtime behind a line that can be held up, and its store, which others can use too."""

    def __init__(self, clock: ManualClock, stack: AsyncExitStack) -> None:
        self.clock = clock
        self.store = MemoryBackend(clock=clock)
        self.line = ByHand(self.store)
        self._stack = stack
        self.chord: StatefulChord

    async def open(self, make: type[Facade] = StatefulChord, **fields: Any) -> Any:
        """Open another runtime on the store, which nothing holds up."""
        return await self._enter(make, self.store, fields)

    async def open_held(self, **fields: Any) -> None:
        await self.store.open()
        self.chord = await self._enter(StatefulChord, self.line, fields)

    async def _enter(self, make: type[Facade], backend: Any, fields: dict[str, Any]) -> Any:
        settings = {"clock": self.clock, "watch_poll": None, "lease_ttl": LEASE, **fields}
        chord = await self._stack.enter_async_context(make(backend, **settings))
        self._stack.callback(chord.check)
        return chord

    def ask(self, call: Coroutine[Any, Any, T]) -> asyncio.Task[T | Exception]:
        """Begin a call; its task has what it returns, or what it raises."""
        return asyncio.create_task(outcome_of(call))

    def add(self, n: int = 1, **options: Any) -> asyncio.Task[Commit | Exception]:
        """Begin to add a key to the context `a`."""
        return self.ask(self.chord.update_context("a", {f"k{n}": n}, **options))

    async def in_flight(self, n: int = 1) -> tuple[asyncio.Task[Commit | Exception], Call]:
        """Begin to add a key, and hold the commit of it up."""
        self.line.hold("commit")
        task = self.add(n)
        return task, await self.line.next("commit")

    async def stored(self) -> Live | None:
        stored = await self.store.load("a")
        return Journal(self.chord._settings).recover(stored) if stored else None

    async def keys(self) -> set[str]:
        """Which keys are stored."""
        live = await self.stored()
        return set(live.state) if live else set()

    async def pass_time(self, seconds: float, step: float = 0.5) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.advance(step)
            await turn()

    def stall(self, seconds: float) -> None:
        """Let the time pass while the process stands still: no lease is renewed meanwhile."""
        self.clock._move_to(self.clock.monotonic() + seconds)


@asynccontextmanager
async def staged(**fields: Any) -> AsyncIterator[Scene]:
    """A scene; what is held up at its end is let go."""
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        scene = Scene(clock, stack)
        await scene.open_held(**fields)
        try:
            yield scene
        finally:
            scene.line.hold()
            async with running(clock):
                await scene.line.pass_all()
                await stack.aclose()


async def done(task: asyncio.Task[T]) -> T:
    """What a task returned, once everything has run that can."""
    await turn()
    assert task.done(), "it still waits"
    return task.result()
