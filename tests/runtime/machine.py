"""Hold what the state machine acts on: a runtime on an unreliable line, another beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from actors.passivation import Dormant
from actors.stateful import StatefulChord
from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.backends.sqlite import SqliteBackend
from chord.clock import ManualClock, Timer
from chord.config import Settings
from chord.errors import ChordError, NotStored
from chord.facade import Facade
from chord.journal import Journal
from chord.replica import Replica
from chord.stateless import StatelessChord
from chord.testing.faulty import FaultyBackend
from tests.runtime.model import Truth

T = TypeVar("T")

Make: TypeAlias = Callable[..., Facade]

SHORT: Final = 0.2
"""Seconds: who waits no longer than this goes on at once, without the time passing."""

STEP: Final = 0.25
QUIET: Final = 12
"""Turns of the loop without a call to the store, after which nothing more comes by itself."""


class HastyClock(ManualClock):
    """A manual clock that lets no one wait for a moment only: pauses between attempts."""

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        if when - self.monotonic() <= SHORT:
            return asyncio.get_running_loop().call_soon(call)
        return super().call_at(when, call)

    def stall(self, seconds: float) -> None:
        """Let the time pass for a process that stands still: all is late that falls due."""
        self._move_to(self.monotonic() + seconds)
        self.advance(0.0)


class Line(FaultyBackend):
    """An unreliable line that can be cut for good, as by the end of the process that used it."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.under_way = 0
        self._is_cut = False

    def cut(self) -> None:
        """Say and hear nothing any more. What is held up on the way may still arrive."""
        self._is_cut = True

    async def _pass(
        self, name: str, call: Callable[..., Awaitable[T]], *arguments: Any, **options: Any
    ) -> T:
        await self._hang_if_cut()
        self.under_way += 1
        try:
            return await super()._pass(name, call, *arguments, **options)
        finally:
            self.under_way -= 1
            await self._hang_if_cut()

    async def _hang_if_cut(self) -> None:
        if self._is_cut:
            await asyncio.get_running_loop().create_future()


class Host:
    """Opens one runtime in a task of its own, and closes it there, or kills it."""

    def __init__(self, make: Make, backend: Backend, settings: Settings) -> None:
        self._ending = asyncio.Event()
        self._killed = False
        self._opened: asyncio.Future[Facade] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(make(backend, settings=settings)))

    async def _run(self, chord: Facade) -> None:
        await chord.__aenter__()
        self._opened.set_result(chord)
        await self._ending.wait()
        if not self._killed:
            return await _leave(chord)
        if isinstance(chord, StatefulChord):
            chord._supervisor._agenda.close()
        chord._fanout.close()
        await chord._lifetime.end()

    async def open(self) -> Facade:
        return await self._opened

    async def close(self) -> None:
        self._ending.set()
        await self._task

    async def kill(self) -> None:
        """End its tasks where they are: nothing is finished, nothing stored."""
        self._killed = True
        await self.close()


async def _leave(chord: Facade) -> None:
    """Leave a runtime; it may say that something is not stored if another process took it over."""
    missing: tuple[str, ...] = ()
    try:
        await chord.__aexit__(None, None, None)
    except NotStored as error:
        missing = error.context_ids
    lost = chord._supervisor._lost_in_the_end if isinstance(chord, StatefulChord) else set()
    assert set(missing) <= lost


class Watching:
    """A replica that is kept up to date by a watch, whatever errors come.

    One that is `slow` takes a reply only when it is told to `hurry`.
    """

    def __init__(self, chord: Facade, context_id: str, beside: bool, *, slow: bool = False) -> None:
        self.context_id = context_id
        self.beside = beside
        self.replica = Replica()
        self._chord = chord
        self._slow = slow
        self._hurry = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with self._chord.watch_context(self.context_id) as replies:
                while True:
                    if self._slow:
                        await self._hurry.wait()
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

    def hurry(self, on: bool) -> None:
        if on:
            self._hurry.set()
        else:
            self._hurry.clear()

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

    def __init__(
        self,
        folder: Path | None,
        makes: Sequence[Make] = (StatelessChord, StatelessChord),
        **fields: Any,
    ) -> None:
        self._folder = folder
        self._makes = makes
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
            **fields,
        )
        self._journal = Journal(self.settings)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._take_note)
        self.problems: list[str] = []
        self.watching: list[Watching] = []
        self._shared = MemoryBackend(clock=self.clock)
        self._dead: list[Line] = []
        self.run(self._open())

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(call)

    def _take_note(self, loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        self.problems.append(f"{details.get('message')}: {details.get('exception')!r}")

    # -- time ------------------------------------------------------------------------------------

    def run_in_time(self, call: Awaitable[T]) -> T:
        """Run a call; while it waits for nothing but the time, let that pass."""
        return self.run(self._run_in_time(call))

    async def _run_in_time(self, call: Awaitable[T]) -> T:
        task = asyncio.ensure_future(call)
        for _ in range(1000):
            await self.settle()
            if task.done():
                return await task
            self.clock.advance(STEP)
        raise AssertionError("it never comes to an end")

    async def settle(self) -> None:
        """Let everything happen that happens without the time passing."""
        quiet = 0
        while quiet < QUIET:
            await asyncio.sleep(0)
            quiet = 0 if any(line.under_way for line in self._lines) else quiet + 1

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def stall(self, seconds: float) -> None:
        self.clock.stall(seconds)

    async def let_pass(self, seconds: float, step: float = 1.0) -> None:
        """Let the time pass in steps, between which everything is done that falls due."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            self.clock.advance(min(step, left))
            await self.settle()

    # -- runtimes --------------------------------------------------------------------------------

    def _connect(self) -> Backend:
        if self._folder is None:
            return self._shared
        return SqliteBackend(self._folder / "store.db", clock=self.clock)

    async def _open(self) -> None:
        self._backends = [self._connect(), self._connect()]
        self.inner = self._backends[0]
        self._lines = [Line(backend) for backend in self._backends]
        self.faulty = self._lines[0]
        for backend in self._backends:
            await backend.open()
        self._hosts = [self._host(0), self._host(1)]
        self.runtimes = [await host.open() for host in self._hosts]

    def _host(self, number: int) -> Host:
        return Host(self._makes[number], self._lines[number], self.settings)

    async def kill(self, beside: bool) -> None:
        """Kill a runtime with its process, and begin another in its place."""
        for each in [each for each in self.watching if each.beside == beside]:
            self.watching.remove(each)
            await each.stop()
        line, backend = self._lines[beside], self._backends[beside]
        line.cut()
        await self._hosts[beside].kill()
        self._dead.append(line)
        await backend.close()  # what was under way there has its end
        await backend.open()
        self._lines[beside] = Line(backend)
        self.faulty = self._lines[0]
        self._hosts[beside] = self._host(beside)
        self.runtimes[beside] = await self._hosts[beside].open()

    async def deliver(self) -> None:
        """Let arrive what was held up, from processes that are gone, too."""
        for line in (*self._dead, *self._lines):
            await line.deliver()

    async def reopen(self) -> None:
        """End everything, as a process ends that has the time, and begin again."""
        await self.close()
        await self._open()

    async def close(self) -> None:
        for each in self.watching:
            await each.stop()
        self.watching.clear()
        for host in self._hosts:
            await self._run_in_time(host.close())
        for backend in self._backends:
            await backend.close()

    # -- what there is to see --------------------------------------------------------------------

    async def load(self, context_id: str) -> tuple[Truth, bool]:
        """What the store has, read past the line and past every cache, and checked.

        And whether whoever goes on from it has to begin a new epoch.
        """
        stored = await self.inner.load(context_id)
        if stored is None:
            return Truth(), False
        live = self._journal.recover(stored)
        live.check()
        return Truth(live.state, live.position, live.updated_at), stored.unclean

    async def audit(self, context_id: str) -> Truth:
        return (await self.load(context_id))[0]

    def recall(self, beside: bool, context_id: str) -> Truth | None:
        """What a runtime has in memory as acknowledged, whether it still owns it or not."""
        chord = self.runtimes[beside]
        if not isinstance(chord, StatefulChord):
            return None
        registry = chord._supervisor._registry
        actor, dormant = registry.find(context_id), registry.find_dormant(context_id)
        live: Any = actor.behavior.look() if actor and actor.behavior else dormant
        assert live is None or actor is None or not isinstance(live, Dormant)
        return Truth(live.state, live.position, live.updated_at) if live else None

    def is_leased(self, beside: bool, context_id: str) -> bool:
        """Whether a runtime is sure of its lease of a context."""
        chord = self.runtimes[beside]
        if not isinstance(chord, StatefulChord):
            return False
        seen = chord._supervisor.inspect(context_id, 0)
        return seen is not None and seen.leased_for > 0

    async def check(self) -> None:
        for chord in self.runtimes:
            chord.check()
        for each in self.watching:
            each.check()
        if isinstance(self.inner, SqliteBackend):
            await self.inner.check()
        else:
            self._shared.check()
        assert not self.problems

    def end(self) -> None:
        self.faulty.heal()
        self.run(self.close())
        self._loop.close()
        assert not self.problems
