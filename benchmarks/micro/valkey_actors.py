"""Compare the two runtimes with each other on Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.comparison import Comparison
from benchmarks.micro.modes import open_modes
from benchmarks.micro.redis_actors import serve
from benchmarks.micro.theme import Sizes
from chord.testing.servers import find_valkey


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    with serve(find_valkey) as server:
        async with open_modes("Valkey", server.url, server.url, sizes.updates) as comparisons:
            yield comparisons
