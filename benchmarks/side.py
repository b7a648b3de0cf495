"""Open a runtime on a store of its own, with a reader beside it that knows only what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import attrs

from actors.stateful import StatefulChord
from chord.api import Chord
from chord.backends.base import Backend
from chord.backends.open import open_backend
from chord.config import Settings
from chord.stateless import StatelessChord

Runtime: TypeAlias = type[StatefulChord] | type[StatelessChord]

YEAR: Final = 31_536_000.0
"""Seconds after which things happen that are not to happen while something is measured."""


@attrs.frozen
class Side:
    """A runtime that is measured, and a `reader` that has not written and remembers nothing."""

    chord: Chord
    reader: Chord


@asynccontextmanager
async def open_side(runtime: Runtime, url: str, **fields: Any) -> AsyncIterator[Side]:
    """Open the store that `url` names, for one process: nobody looks for writes of others."""
    async with (
        open_backend(url, Settings(**fields)) as backend,
        join_side(runtime, backend, **fields) as side,
    ):
        yield side


@asynccontextmanager
async def join_side(runtime: Runtime, backend: Backend, **fields: Any) -> AsyncIterator[Side]:
    """The same on a store that is open."""
    settings = Settings(
        **{"watch_poll": None, "hibernate_after": YEAR, "idle_ttl": YEAR, **fields},
    )
    async with (
        runtime(backend, settings=settings) as chord,
        StatelessChord(backend, settings=attrs.evolve(settings, cache_size=0)) as reader,
    ):
        yield Side(chord, reader)
