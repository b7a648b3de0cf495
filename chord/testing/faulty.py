"""Hold `FaultyBackend`: a store behind an unreliable line, which fails at the calls it is told."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar

from chord.backends.base import Backend
from chord.errors import BackendUnavailable, ChordError, OutcomeUnknown
from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary

T = TypeVar("T")

Mode: TypeAlias = Literal["before", "after", "lost", "late"]
"""How a call fails.

``before``: it is refused, and not carried out (`BackendUnavailable`). ``after``: it is carried
out, and the answer is lost. ``lost``: the request is lost. ``late``: the request is held up, and
carried out just before the next one. The last three raise `OutcomeUnknown` where the call changes
something, and `BackendUnavailable` where it reads.
"""

CHANGING: Final = frozenset({"commit", "trim", "acquire", "renew", "release"})


class FaultyBackend:
    """Passes calls on to `inner`, but for those whose number, from 1, is in `fail_at`.

    With `only`, names of methods, other calls always pass and are not counted. `open` and `close`
    are never counted. `count` tells how many calls there were since the last `arm`.
    """

    def __init__(
        self,
        inner: Backend,
        *,
        fail_at: int | Collection[int] = (),
        mode: Mode = "before",
        only: Collection[str] | None = None,
    ) -> None:
        self._inner = inner
        self._held_up: list[Callable[[], Awaitable[object]]] = []
        self.count = 0
        self.arm(fail_at, mode, only=only)

    def arm(
        self,
        fail_at: int | Collection[int],
        mode: Mode = "before",
        *,
        only: Collection[str] | None = None,
    ) -> None:
        """Fail at these calls, counted from now on: 1 is the next."""
        self._fail_at = frozenset({fail_at} if isinstance(fail_at, int) else fail_at)
        self._mode = mode
        self._only = None if only is None else frozenset(only)
        self.count = 0

    def heal(self) -> None:
        """Fail no more. What is held up still comes before the next call."""
        self._fail_at = frozenset()

    async def deliver(self) -> None:
        """Carry out what is held up; nobody hears what came of it."""
        while self._held_up:
            with contextlib.suppress(ChordError):
                await self._held_up.pop(0)()

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
        asked = {"after": after, "operations": operations, "operations_since": operations_since}
        return await self._pass("load", self._inner.load, context_id, **asked)

    async def commit(self, batch: Batch) -> None:
        await self._pass("commit", self._inner.commit, batch)

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        return await self._pass("heads", self._inner.heads, context_ids)

    async def list(self, prefix: str, after: str | None, limit: int) -> Sequence[Summary]:
        return await self._pass("list", self._inner.list, prefix, after, limit)

    async def due(self, before: float, limit: int) -> Sequence[Summary]:
        return await self._pass("due", self._inner.due, before, limit)

    async def trim(self, before: float, limit: int) -> int:
        return await self._pass("trim", self._inner.trim, before, limit)

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
        wanted = {
            "ttl": ttl,
            "address": address,
            "fresh_epoch": fresh_epoch,
            "operations_since": operations_since,
        }
        return await self._pass("acquire", self._inner.acquire, context_id, owner, **wanted)

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        return await self._pass("renew", self._inner.renew, dict(fences), ttl)

    async def release(self, context_id: str, fence: Fence) -> bool:
        return await self._pass("release", self._inner.release, context_id, fence)

    async def flush(self) -> None:
        await self._pass("flush", self._inner.flush)

    # -- the line ------------------------------------------------------------------------------

    async def _pass(
        self, name: str, call: Callable[..., Awaitable[T]], *arguments: Any, **options: Any
    ) -> T:
        fails = self._is_to_fail(name)
        await self.deliver()
        request = partial(call, *arguments, **options)
        if not fails:
            return await request()
        return await self._fail(request, changes=name in CHANGING)

    def _is_to_fail(self, name: str) -> bool:
        if self._only is not None and name not in self._only:
            return False
        self.count += 1
        return self.count in self._fail_at

    async def _fail(self, request: Callable[[], Awaitable[T]], *, changes: bool) -> T:
        if self._mode == "after":
            with contextlib.suppress(ChordError):
                await request()
        elif self._mode == "late" and changes:
            self._held_up.append(request)
        if changes and self._mode != "before":
            raise OutcomeUnknown(self.address, "the answer was lost")
        raise BackendUnavailable(self.address, "the line is down")

    def __repr__(self) -> str:
        return f"<FaultyBackend {self._inner!r} count={self.count} mode={self._mode}>"
