"""Hold what tests over HTTP share: a runtime, and a client of its door, open to all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from chord import Chord, StatelessChord
from chord.web.door import Door
from tests.web.asking import browse


@pytest.fixture
async def chord() -> AsyncIterator[Chord]:
    async with StatelessChord.open("memory://") as chord:
        yield chord


@pytest.fixture
async def client(chord: Chord) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(Door(chord, open_to_all=True)) as client:
        yield client
