"""Hold what the tests of defects share: contexts that grow, and clients that follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from chord import Chord, Position, Replica
from chord.delta import equal
from tests.waiting import outcome_of

DUE: Final[dict[str, Any]] = {"context_auto_delete": True, "context_ttl": 10.0}
"""Settings by which a clean-up deletes what was not updated for 10 seconds."""


async def outcomes_of(*calls: Awaitable[Any]) -> list[Any]:
    """What calls that are made at once return or raise."""
    return list(await asyncio.gather(*map(outcome_of, calls)))


async def grow(chord: Chord, versions: int) -> list[Position]:
    """Bring a context to that version; return its positions, the first of them at index 1."""
    first = (await chord.set_context("a", {"n": 1})).position
    rest = [await chord.update_context("a", {"n": n}) for n in range(2, versions + 1)]
    return [Position(first.epoch, 0), first, *(commit.position for commit in rest)]


async def catch_up(chord: Chord, since: Replica | None = None) -> Replica:
    """Bring a client up to date; without one, a client that knows nothing."""
    replica = since or Replica()
    replica.receive(await chord.sync_context("a", replica.since))
    return replica


async def check_follows(replica: Replica, chord: Chord) -> None:
    """Assert that a client which asks for what it lacks holds then what the server holds."""
    await catch_up(chord, replica)
    context = await chord.get_context("a")
    assert replica.position == context.position
    assert equal(replica.state, context.state)
