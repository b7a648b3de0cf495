"""Count in a context of Chord: beside its state, in it by a command, in it by a plain update."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs

from actors import ContextActor, StatefulChord, command
from benchmarks.peers.counters.counter import Counter, make_counter
from chord import Increment

UPDATED: Final = "plain:one"


class Counting(ContextActor, prefix="counting:"):
    number = 0

    def initial(self) -> dict[str, Any]:
        return {"number": 0}

    @command
    def add(self) -> int:
        self.number += 1
        return self.number

    @command
    def add_in_state(self) -> int:
        self.update({"number": Increment()})
        number: int = self.state["number"]
        return number


@attrs.frozen
class Ours:
    """Three ways to count; the last two give each addition a version and keep its delta."""

    beside_state: Counter
    in_state: Counter
    updated: Counter


@asynccontextmanager
async def open_counters() -> AsyncIterator[Ours]:
    """Counters that acknowledge in memory, as other libraries do, which have no store."""
    async with StatefulChord.open("memory://", durability="memory") as chord:
        beside_state = chord.actor(Counting, "counting:beside")
        in_state = chord.actor(Counting, "counting:in")
        await chord.set_context(UPDATED, {"number": 0})

        async def update() -> int:
            commit = await chord.update_context(UPDATED, {"number": Increment()})
            return commit.position.version - 1

        yield Ours(
            make_counter("command", lambda: beside_state.add()),
            make_counter("command", lambda: in_state.add_in_state()),
            make_counter("update_context", update),
        )
