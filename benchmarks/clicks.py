"""Hold `Clicks`: increments that leave a trace each, so that none is lost without being missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from benchmarks.side import Side
from benchmarks.timing import Contender, Times
from chord.changes import Increment
from examples.scenarios import Audit, find


class Clicks:
    """Increments of the number at `path`, 0 at first, in one of the contexts after the other.

    What was acknowledged is counted. The contexts have to be set before.
    """

    def __init__(self, side: Side, context_ids: Sequence[str], path: Sequence[str]) -> None:
        self._side = side
        self._context_ids = context_ids
        self._turn = cycle(context_ids)
        self._path = path
        self._patch: dict[str, Any] = nest(path, Increment())
        self._acknowledged = 0

    def contend(self, name: str) -> Contender:
        """One after the other."""

        async def loop(times: Times) -> None:
            update = self._side.chord.update_context
            for _ in times:
                await update(next(self._turn), self._patch)
                self._acknowledged += 1

        return Contender(name=name, loop=loop)

    def contend_at_once(self, name: str, count: int) -> Contender:
        """So many at the same time."""

        async def loop(times: Times) -> None:
            update = self._side.chord.update_context
            for _ in times:
                clicks = (update(next(self._turn), self._patch) for _ in range(count))
                self._acknowledged += len(await asyncio.gather(*clicks))

        return Contender(name=name, loop=loop, operations=count)

    async def audit(self) -> Audit:
        """Compare what was acknowledged with what the store has, once all is to be there."""
        await self._side.chord.flush()
        kept = [await self._look(each) for each in self._context_ids]
        return Audit(acknowledged=self._acknowledged, kept=sum(kept))

    async def _look(self, context_id: str) -> int:
        context = await find(self._side.reader, context_id)
        clicks: int = dig(context.state, self._path) if context else 0
        return clicks

    def __repr__(self) -> str:
        return f"<Clicks, {self._acknowledged} in {len(self._context_ids)} contexts>"


def nest(path: Sequence[str], value: object) -> dict[str, Any]:
    """Put a value at the end of a path.

    >>> nest(["people", "ana"], 1)
    {'people': {'ana': 1}}
    """
    first, *rest = path
    return {first: nest(rest, value) if rest else value}


def dig(state: Any, path: Sequence[str]) -> Any:
    """Get the value at the end of a path.

    >>> dig({"people": {"ana": 1}}, ["people", "ana"])
    1
    """
    for key in path:
        state = state[key]
    return state
