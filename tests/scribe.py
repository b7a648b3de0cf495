"""Hold `Scribe`, another process that writes to a store: without a runtime, one act at a time."""

from __future__ import annotations

from chord.backends.base import Backend
from chord.journal import Journal
from chord.live import Draft, Live
from chord.position import Position
from chord.requests import Delete, Request, Set
from chord.state import take_in
from tests.paper import NOW, put


class Scribe:
    """Writes numbers, each as `n` of a context."""

    def __init__(self, backend: Backend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal

    async def create(self, context_id: str, epoch: str = "k") -> Position:
        return await self._commit(context_id, Set(state=take_in({"n": 1})), epoch)

    async def update(self, context_id: str, n: int) -> Position:
        return await self._commit(context_id, put({"n": n}))

    async def delete(self, context_id: str) -> None:
        draft = Draft(context_id, await self.read(context_id))
        draft.take(Delete(), NOW, "")
        await self._backend.commit(self._journal.compose(draft, [], NOW))

    async def read(self, context_id: str) -> Live | None:
        stored = await self._backend.load(context_id)
        return self._journal.recover(stored) if stored else None

    async def _commit(self, context_id: str, request: Request, epoch: str = "") -> Position:
        draft = Draft(context_id, await self.read(context_id))
        draft.take(request, NOW, epoch)
        written = [self._journal.write(draft, f"c{draft.position}")]
        await self._backend.commit(self._journal.compose(draft, written, NOW))
        assert draft.position is not None
        return draft.position
