"""Time on Valkey what `benchmarks.micro.redis` times on Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.comparison import Comparison
from benchmarks.micro.redis import open_server
from benchmarks.micro.theme import Sizes
from chord.testing.servers import find_valkey


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    async with open_server(find_valkey, sizes) as comparisons:
        yield comparisons
