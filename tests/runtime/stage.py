"""Hold `Stage`, on which a test opens runtimes of one kind, all on one store, under one clock."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, Protocol, TypeAlias

from chord.api import Chord
from chord.backends.base import Backend
from chord.clock import ManualClock
from chord.config import Settings
from chord.errors import OwnedElsewhere
from tests.by_hand import ByHand
from tests.waiting import PATIENCE, pass_time, turn

Connect: TypeAlias = Callable[[], Awaitable[Backend]]
"""Opens a store as another process would; one in memory is the same object each time."""


BRIEF: Final[dict[str, Any]] = {"hibernate_after": 1.0, "idle_ttl": 2.0}
"""Settings with which what a runtime owns leaves its memory before long."""


class Runtime(Chord, Protocol):
    """A `Chord` that can be checked."""

    def check(self) -> None: ...


class MakeRuntime(Protocol):
    def __call__(
        self, backend: Backend, *, settings: Settings
    ) -> AbstractAsyncContextManager[Runtime]: ...


class Stage:
    """What a test opens stays open until its end, when everything is checked."""

    def __init__(
        self, make: MakeRuntime, connect: Connect, clock: ManualClock, stack: AsyncExitStack
    ) -> None:
        self._make = make
        self._connect = connect
        self._stack = stack
        self._stores = AsyncExitStack()  # they close last: what is open may have to be stored
        stack.push_async_callback(self._stores.aclose)
        self.clock = clock

    async def open(self, **fields: Any) -> Runtime:
        """Open one more runtime on the store, as if in one more process."""
        return await self.open_on(await self.connect(), **fields)

    async def open_by_hand(self, **fields: Any) -> tuple[Runtime, ByHand]:
        """Open a runtime on a store that the test can hold up."""
        backend = ByHand(await self.connect())
        chord = await self.open_on(backend, **fields)
        self._stack.push_async_callback(backend.pass_all)
        return chord, backend

    async def open_on(self, backend: Backend, **fields: Any) -> Runtime:
        chord = await self._stack.enter_async_context(self.make(backend, **fields))
        self._stack.callback(chord.check)
        return chord

    def make(self, backend: Backend, **fields: Any) -> AbstractAsyncContextManager[Runtime]:
        """Make a runtime that the test enters by itself. Time stands still, and nobody polls."""
        settings = Settings(**{"clock": self.clock, "watch_poll": None, **fields})
        return self._make(backend, settings=settings)

    async def let_go(self, chord: Chord, context_id: str = "a") -> None:
        """Have all that a runtime owns leave its memory: another may write this context then.

        Time passes for one that owns any, its `idle_ttl`.
        """
        while chord.statistics().get("live"):
            pass_time(self.clock, 1.0)
            await turn()
        backend = await self.connect()
        end = time.monotonic() + PATIENCE
        while not await _is_free(backend, context_id):
            assert time.monotonic() < end, f"another owns {context_id!r}"
            await turn(1)

    async def connect(self) -> Backend:
        """Open the store once more, without a runtime."""
        backend = await self._connect()
        self._stores.push_async_callback(_close, backend)
        return backend


async def _is_free(backend: Backend, context_id: str) -> bool:
    """Whether nobody owns a context; whatever was sent under an older lease is refused then."""
    try:
        grant = await backend.acquire(context_id, "nobody", ttl=1e6, address="", fresh_epoch=None)
    except OwnedElsewhere:
        return False
    return await backend.release(context_id, grant.fence)


async def _close(backend: Backend) -> None:
    check = getattr(backend, "check", None)
    if check is not None:
        await backend.open()
        checked = check()
        if inspect.isawaitable(checked):
            await checked
    await backend.close()
