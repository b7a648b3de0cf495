"""Hold `Stage`: it plays a scenario on a runtime, over and over, and audits every run of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from benchmarks.timing import Contender, Times
from chord.api import Chord
from chord.records import FullContext
from examples.scenarios import Run, Scenario, act, audit, prepare


class Stage:
    """Runs a scenario on `chord`, in new contexts each time; `reader` has not written, and audits.

    Only the actions are timed. What was played is audited, and deleted, before the next round.
    """

    def __init__(self, chord: Chord, reader: Chord, scenario: Scenario) -> None:
        self._chord = chord
        self._reader = reader
        self._scenario = scenario
        self._numbers = count(1)
        self._begun: list[Mapping[str, FullContext]] = []
        self._runs: list[Run] = []

    def contend(self, name: str) -> Contender:
        scenario = self._scenario
        return Contender(
            name=name,
            loop=self._play,
            operations=scenario.contexts * scenario.actions,
            prepare=self._prepare,
        )

    async def clear(self) -> None:
        """Audit all that was played since the last time. Raises `RuntimeError` if it fails."""
        for run in self._runs:
            found = await audit(self._reader, run)
            if run.errors or not found.holds:
                raise RuntimeError(f"{self._scenario.name}: {run.errors} errors, {found}")
            for context_id in run.results:
                await self._chord.delete_context(context_id)
        self._runs.clear()

    async def _prepare(self, times: int) -> None:
        await self.clear()
        self._begun = [
            await prepare(self._chord, self._scenario, f"{next(self._numbers)}/")
            for _ in range(times)
        ]

    async def _play(self, times: Times) -> None:
        for _, begun in zip(times, self._begun, strict=False):
            self._runs.append(await act(self._chord, self._scenario, begun))

    def __repr__(self) -> str:
        return f"<Stage {self._scenario.name} on {self._chord!r}>"
