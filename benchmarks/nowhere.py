"""Hold `Nowhere`, a store that keeps nothing: what is weighed beside it is the runtime's alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary


class Nowhere:
    """A `Backend` on which every act succeeds, and nothing is there afterwards."""

    address = "nowhere"

    def __init__(self) -> None:
        self._terms = 0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        return None

    async def commit(self, batch: Batch) -> None:
        pass

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        return {}

    async def list(self, prefix: str, after: str | None, limit: int) -> Sequence[Summary]:
        return []

    async def due(self, before: float, limit: int) -> Sequence[Summary]:
        return []

    async def trim(self, before: float, limit: int) -> int:
        return 0

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
        self._terms += 1
        return Grant(Fence(owner, self._terms), None)

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        return set()

    async def release(self, context_id: str, fence: Fence) -> bool:
        return True

    async def flush(self) -> None:
        pass

    def __repr__(self) -> str:
        return "<Nowhere>"
