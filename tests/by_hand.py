"""Hold `ByHand`, a store whose answers a test gives by hand, in any order that it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from chord.backends.base import Backend
from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary
from tests.waiting import until

T = TypeVar("T")


class Call:
    """A call to the store that waits for the test to say what becomes of it."""

    def __init__(self, name: str, argument: Any, run: Callable[[], Coroutine[Any, Any, Any]]):
        self.name = name
        self.argument = argument
        self._run = run
        self._outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def carry_out(self) -> None:
        """Do it in the store; the caller is not told yet."""
        try:
            result = await self._run()
        except Exception as error:
            if not self._outcome.done():
                self._outcome.set_exception(error)
        else:
            if not self._outcome.done():
                self._outcome.set_result(result)

    def answer(self) -> None:
        """Tell the caller what it came to."""
        assert self._outcome.done()
        self.answered.set_result(None)

    async def go(self) -> None:
        """Do it, and tell the caller."""
        await self.carry_out()
        self.answer()

    def fail(self, error: Exception) -> None:
        """Tell the caller this, whatever was or will be done."""
        self.answered.set_exception(error)

    async def wait(self) -> Any:
        await self.answered
        return await self._outcome

    def __repr__(self) -> str:
        return f"<Call {self.name} {self.argument!r}>"


class ByHand:
    """Passes calls on to `inner`; those whose name is held wait in `calls` for the test."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self._held: frozenset[str] = frozenset()
        self.calls: list[Call] = []
        self.seen: list[str] = []
        self.under_way = 0

    def hold(self, *names: str) -> None:
        """Hold calls of these names from now on; none: hold no more."""
        self._held = frozenset(names)

    async def next(self, name: str) -> Call:
        """Wait for the first held call of this name, and take it."""
        await until(lambda: any(call.name == name for call in self.calls))
        call = next(call for call in self.calls if call.name == name)
        self.calls.remove(call)
        return call

    async def pass_all(self) -> None:
        """Hold no more, and let go what is held."""
        self.hold()
        while self.calls:
            await self.calls.pop(0).go()

    async def _pass(self, name: str, argument: Any, run: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self.seen.append(name)
        self.under_way += 1
        try:
            if name not in self._held:
                return await run()
            call = Call(name, argument, run)
            self.calls.append(call)
            result: T = await call.wait()
            return result
        finally:
            self.under_way -= 1

    # -- the backend ---------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return self._inner.address

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        return await self._pass(
            "load",
            (context_id, after),
            lambda: self._inner.load(
                context_id,
                after=after,
                operations=operations,
                operations_since=operations_since,
            ),
        )

    async def commit(self, batch: Batch) -> None:
        await self._pass("commit", batch, lambda: self._inner.commit(batch))

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        return await self._pass("heads", context_ids, lambda: self._inner.heads(context_ids))

    async def list(self, prefix: str, after: str | None, limit: int) -> Sequence[Summary]:
        return await self._pass("list", prefix, lambda: self._inner.list(prefix, after, limit))

    async def due(self, before: float, limit: int) -> Sequence[Summary]:
        return await self._pass("due", before, lambda: self._inner.due(before, limit))

    async def trim(self, before: float, limit: int) -> int:
        return await self._pass("trim", before, lambda: self._inner.trim(before, limit))

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
        return await self._pass(
            "acquire",
            context_id,
            lambda: self._inner.acquire(
                context_id,
                owner,
                ttl=ttl,
                address=address,
                fresh_epoch=fresh_epoch,
                operations_since=operations_since,
            ),
        )

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        return await self._pass("renew", fences, lambda: self._inner.renew(fences, ttl))

    async def release(self, context_id: str, fence: Fence) -> bool:
        return await self._pass(
            "release", context_id, lambda: self._inner.release(context_id, fence)
        )

    async def flush(self) -> None:
        await self._pass("flush", None, self._inner.flush)
