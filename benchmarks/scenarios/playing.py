"""Play the scenarios on one store in all modes, by turns, so that a slow while slows all alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from benchmarks.harness import Measurement
from benchmarks.modes import MODES, Mode
from benchmarks.play import Play
from benchmarks.scenarios.player import Player
from benchmarks.scenarios.sizes import Sizes
from benchmarks.stores import open_store
from benchmarks.timing import frozen_garbage
from examples.scenarios import Scenario

TRIALS: Final = 3
"""Runs by which the rate of a paced play is found, if it was not played at once before."""


@asynccontextmanager
async def open_theme(
    store: str, sizes: Sizes, modes: Sequence[Mode] = MODES
) -> AsyncIterator[Sequence[Measurement]]:
    with open_store(store) as url:
        stages = [Stage(store, url, scenario, sizes, modes) for scenario in sizes.scenarios]
        yield [
            *(Measurement(f"{stage.name}, at once", stage.play_at_once) for stage in stages),
            *(Measurement(f"{stage.name}, open-loop", stage.play_at_rate) for stage in stages),
        ]


class Stage:
    """Has one scenario played on one store."""

    def __init__(
        self, store: str, url: str, scenario: Scenario, sizes: Sizes, modes: Sequence[Mode]
    ) -> None:
        self.name = scenario.name
        self._store = store
        self._url = url
        self._scenario = scenario
        self._sizes = sizes
        self._modes = modes
        self._slowest: float | None = None  # operations per second of the slowest mode

    async def play_at_once(self) -> list[Play]:
        """Begin all actions of a run at once; each play is told as published, and fairly."""
        players = await self._take_turns(self._sizes.count_runs(self._scenario))
        return [play for player in players for play in player.tell_at_once(self._store)]

    async def play_at_rate(self) -> list[Play]:
        """Begin actions at a rate, the same in all modes: a share of what the slowest can do."""
        waves = self._sizes.count_waves(self._scenario)
        rate = self._sizes.share * await self._find_slowest()
        async with self._open_players() as players:
            for _ in range(self._sizes.rounds):
                for player in players:
                    await player.play_at_rate(waves, rate)
        return [player.tell_at_rate(self._store, waves, rate) for player in players]

    async def _find_slowest(self) -> float:
        if self._slowest is None:
            await self._take_turns(TRIALS)
        assert self._slowest is not None
        return self._slowest

    async def _take_turns(self, runs: int) -> list[Player]:
        async with self._open_players() as players:
            for _ in range(runs):
                for player in players:
                    await player.play_at_once()
        self._slowest = min(player.throughput for player in players)
        return players

    @asynccontextmanager
    async def _open_players(self) -> AsyncIterator[list[Player]]:
        """A player for each mode, each with a namespace of the store to itself."""
        async with AsyncExitStack() as stack:
            stack.enter_context(frozen_garbage())
            sides = [await stack.enter_async_context(mode.open(self._url)) for mode in self._modes]
            yield [Player(*each, self._scenario) for each in zip(self._modes, sides, strict=True)]

    def __repr__(self) -> str:
        return f"<Stage of {self.name} on {self._store}>"
