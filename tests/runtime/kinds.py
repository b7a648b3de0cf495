"""Hold the kinds of runtimes that the suite runs over, and how a test says that it is for some."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from actors.stateful import StatefulChord
from chord.backends.base import Backend
from chord.config import Settings
from chord.stateless import StatelessChord
from tests.runtime.stage import MakeRuntime


def make_behind(backend: Backend, *, settings: Settings) -> StatefulChord:
    """A runtime that acknowledges at once, and stores within `flush_interval`."""
    return StatefulChord(backend, settings=attrs.evolve(settings, durability="write-behind"))


def make_in_memory(backend: Backend, *, settings: Settings) -> StatefulChord:
    """A runtime that acknowledges at once, and stores what leaves its memory."""
    return StatefulChord(backend, settings=attrs.evolve(settings, durability="memory"))


STATELESS: Final = pytest.param(StatelessChord, id="stateless")
STATEFUL: Final = pytest.param(StatefulChord, id="stateful")

RUNTIMES: Final = [STATELESS, STATEFUL]
"""Those that acknowledge what is stored: for them a `Commit` is durable."""

RELAXED: Final[list[Any]] = [
    pytest.param(make_behind, id="stateful-behind"),
    pytest.param(make_in_memory, id="stateful-memory-mode"),
]
"""Those that acknowledge what is not stored yet. They run on the memory store only."""

stateless: Final = pytest.mark.parametrize("make_runtime", [STATELESS])
"""Marks a test of what only a runtime does that goes straight to the store."""

stateful: Final = pytest.mark.parametrize("make_runtime", [STATEFUL])
"""Marks a test of what only a runtime does that owns the contexts in its memory."""

storing: Final = pytest.mark.parametrize("make_runtime", RUNTIMES)
"""Marks a test, among those for every durability, that holds up what an update waits for."""


relaxed: Final = pytest.mark.parametrize("make_runtime", RELAXED)
"""Marks a test of what is acknowledged before it is stored."""


@pytest.fixture(params=[*RUNTIMES, *RELAXED])
def make_runtime(request: pytest.FixtureRequest) -> MakeRuntime:
    """Every runtime in every durability: a module imports it that tests what is common to all."""
    make: MakeRuntime = request.param
    return make
