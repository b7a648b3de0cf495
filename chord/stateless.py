"""Hold `StatelessChord`: the runtime that goes straight to the store, and keeps only a cache."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from chord.contention import Contention
from chord.facade import Facade
from chord.requests import Request
from chord.turns import Answer


class StatelessChord(Facade):
    """The `Chord` whose truth is in the store: any number of processes may write a context.

    Writes of one context take turns here, and are settled by compare-and-set between processes.
    Use it as an async context manager; the constructor takes an open backend, and leaves it open.
    """

    _contention: Contention

    def _begin_work(self) -> None:
        self._contention = Contention(
            self._backend,
            self._journal,
            self._shelf,
            self._settings,
            self,
            self._lifetime.spawn,
        )

    async def _drain(self) -> None:
        await self._contention.drain()

    def _submit(
        self, context_id: str, request: Request, timeout: float | None
    ) -> Answer | Awaitable[Answer]:
        return self._contention.submit(context_id, request, timeout)

    def _count(self) -> Mapping[str, Any]:
        return self._contention.statistics()
