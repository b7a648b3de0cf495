"""Hold `Player`: it plays a scenario in one mode, over and over, and audits all that it played."""

from __future__ import annotations

import gc
from contextlib import suppress
from itertools import count
from statistics import median
from time import perf_counter

import attrs

from benchmarks.latency import sum_up
from benchmarks.modes import Mode
from benchmarks.play import Play, Timing
from benchmarks.scenarios.acting import Acted, Begun, act_at_once, act_at_rate
from benchmarks.scenarios.sizes import count_actions
from benchmarks.side import Side
from chord.errors import ChordError
from chord.records import Commit
from examples.scenarios import Audit, Run, Scenario, audit, prepare


class Player:
    """Plays in new contexts each time, and deletes them. Only the actions are timed, and apart from
    them how long it took to set the contexts. The audit reads what is stored, once all is to be.
    """

    def __init__(self, mode: Mode, side: Side, scenario: Scenario) -> None:
        self.mode = mode
        self._side = side
        self._scenario = scenario
        self._numbers = count(1)
        self._setting: list[float] = []
        self._acting: list[float] = []
        self._latencies: list[float] = []
        self._lateness: list[float] = []
        self._durable = 0
        self._errors = 0
        self._audit = Audit()

    async def play_at_once(self) -> None:
        started = perf_counter()
        begun = await self._prepare()
        self._setting.append(perf_counter() - started)
        gc.collect()
        await self._keep(await act_at_once(self._side.chord, self._scenario, begun))

    async def play_at_rate(self, waves: int, rate: float) -> None:
        begun = [await self._prepare() for _ in range(waves)]
        gc.collect()
        await self._keep(await act_at_rate(self._side.chord, self._scenario, begun, rate))

    async def _prepare(self) -> Begun:
        return await prepare(self._side.chord, self._scenario, f"{next(self._numbers)}/")

    # -- what became of it -----------------------------------------------------------------------

    async def _keep(self, acted: Acted) -> None:
        self._acting.append(acted.seconds)
        self._latencies += acted.latencies
        self._lateness += acted.lateness
        with suppress(ChordError):  # what is not stored is told by the audit
            await self._side.chord.flush()
        for run in acted.runs:
            await self._judge(run)

    async def _judge(self, run: Run) -> None:
        answers = [answer for _, _, answer in run.each()]
        self._durable += sum(isinstance(each, Commit) and each.durable for each in answers)
        self._errors += run.errors
        self._audit += await audit(self._side.reader, run)
        for context_id in run.results:
            with suppress(ChordError):
                await self._side.chord.delete_context(context_id)

    # -- what it tells ---------------------------------------------------------------------------

    @property
    def throughput(self) -> float:
        """Actions per second in the run of median length."""
        return count_actions(self._scenario) / median(self._acting)

    def tell_at_once(self, store: str) -> list[Play]:
        """The same runs as they are published, with the setting of contexts, and without."""
        pairs = zip(self._setting, self._acting, strict=True)
        published = [setting + acting for setting, acting in pairs]
        fair = self._tell(store, "fair", count_actions(self._scenario))
        return [attrs.evolve(fair, timing="published", seconds=tuple(published)), fair]

    def tell_at_rate(self, store: str, waves: int, rate: float) -> Play:
        actions = waves * count_actions(self._scenario)
        return self._tell(store, "open-loop", actions, rate)

    def _tell(self, store: str, timing: Timing, operations: int, rate: float | None = None) -> Play:
        return Play(
            scenario=self._scenario.name,
            store=store,
            runtime=self.mode.runtime,
            durability=self.mode.durability,
            timing=timing,
            operations=operations,
            seconds=tuple(self._acting),
            latency=sum_up(self._latencies),
            durable=self._durable,
            errors=self._errors,
            audit=self._audit,
            rate=rate,
            lateness=sum_up(self._lateness) if rate else None,
        )

    def __repr__(self) -> str:
        return f"<Player of {self._scenario.name}, {self.mode.name}>"
