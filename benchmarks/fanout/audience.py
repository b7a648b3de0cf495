"""Hold `Audience`, the watchers of one context: some read at once, some only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final, TypeAlias

import attrs

from chord.api import Chord
from chord.delta import equal
from chord.records import Context, WatchReply
from chord.replica import Replica

PATIENCE: Final = 120.0
"""Seconds without news after which a reply is not to be expected any more."""

Told: TypeAlias = list[WatchReply]
"""What one watcher was told, from the first reply on."""


@attrs.frozen
class Telling:
    """When an update was called for, and acknowledged, and when the last prompt watcher had it."""

    called: float
    acknowledged: float
    last: float

    @property
    def whole(self) -> float:
        """From the call to the last watcher."""
        return self.last - self.called

    @property
    def behind_writer(self) -> float:
        """From the acknowledgement to the last watcher; 0 where all were told before the writer."""
        return max(0.0, self.last - self.acknowledged)

    @property
    def writing(self) -> float:
        """From the call to the acknowledgement, as the writer sees it."""
        return self.acknowledged - self.called


class Audience:
    """Watchers in tasks of their own. All that each was told is kept, for an audit.

    One thing at a time: an update, or a reading of the slow.
    """

    def __init__(self, chord: Chord, context_id: str, prompt: int, slow: int) -> None:
        self._chord = chord
        self._context_id = context_id
        self.prompt: Sequence[Told] = [[] for _ in range(prompt)]
        self.slow: Sequence[Told] = [[] for _ in range(slow)]
        self._missing = 0
        self._last: asyncio.Future[float] = asyncio.Future()
        self._alarm = asyncio.Event()

    async def tell(self, patch: Mapping[str, Any]) -> Telling:
        """Update the context, and wait until all prompt watchers were told."""
        self._expect(len(self.prompt))
        called = perf_counter()
        await self._chord.update_context(self._context_id, patch)
        acknowledged = perf_counter()
        return Telling(called, acknowledged, await self._wait())

    async def rouse(self) -> None:
        """Let each slow watcher read once. There must be something that they were not told."""
        if self.slow:
            self._expect(len(self.slow))
            alarm, self._alarm = self._alarm, asyncio.Event()
            alarm.set()
            await self._wait()

    def count_equal(self, context: Context) -> int:
        """Return how many watchers have the context as it is, by what they were told."""
        return sum(_has(told, context) for told in (*self.prompt, *self.slow))

    def count_different(self, place: int) -> int:
        """Return how many different replies are at that place of what the prompt were told."""
        return len({id(told[place]) for told in self.prompt})

    # -- the watchers ----------------------------------------------------------------------------

    async def begin(self) -> list[asyncio.Task[None]]:
        """Start the watchers, and return them once all know what there is."""
        self._expect(len(self.prompt) + len(self.slow))
        tasks = [
            *(asyncio.create_task(self._listen(told)) for told in self.prompt),
            *(asyncio.create_task(self._doze(told)) for told in self.slow),
        ]
        for task in tasks:
            task.add_done_callback(self._lose)
        await self._wait()
        return tasks

    async def _listen(self, told: Told) -> None:
        async with self._chord.watch_context(self._context_id) as replies:
            async for reply in replies:
                told.append(reply)
                self._arrive()

    async def _doze(self, told: Told) -> None:
        async with self._chord.watch_context(self._context_id) as replies:
            while True:
                told.append(await anext(replies))
                self._arrive()
                await self._alarm.wait()

    def _expect(self, count: int) -> None:
        self._missing = count
        self._last = asyncio.Future()

    def _arrive(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._last.set_result(perf_counter())

    def _lose(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._last.done():
            self._last.set_exception(task.exception() or RuntimeError("a watch ended"))

    async def _wait(self) -> float:
        async with asyncio.timeout(PATIENCE):
            return await self._last

    def __repr__(self) -> str:
        return f"<Audience of {self._context_id!r}: {len(self.prompt)}, and {len(self.slow)} slow>"


@asynccontextmanager
async def gather_audience(
    chord: Chord, context_id: str, prompt: int, slow: int = 0
) -> AsyncIterator[Audience]:
    """Have so many watch the context until the block is left."""
    audience = Audience(chord, context_id, prompt, slow)
    tasks = await audience.begin()
    try:
        yield audience
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _has(told: Told, context: Context) -> bool:
    replica = Replica()
    for reply in told:
        replica.receive(reply)
    return replica.position == context.position and equal(replica.state, context.state)
