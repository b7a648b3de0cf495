"""Hold a store that loses writes without a word, for tests that must notice."""

from __future__ import annotations

from typing import Any

from chord import MemoryBackend
from chord.records import Batch


class LossyBackend(MemoryBackend):
    """Acknowledges all commits, and drops every tenth."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._commits = 0

    async def commit(self, batch: Batch) -> None:
        self._commits += 1
        if self._commits % 10:
            await super().commit(batch)
