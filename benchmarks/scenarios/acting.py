"""Act out a scenario, all at once or at a constant rate, and take the time of every action."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, SelectorEventLoop, Task, TaskGroup
from collections.abc import Iterable, Mapping, Sequence
from selectors import SelectSelector
from time import perf_counter
from typing import Final, TypeAlias

import attrs

from chord.api import Chord
from chord.records import FullContext
from examples.scenarios import Result, Run, Scenario, begin

Begun: TypeAlias = Mapping[str, FullContext]
"""What clients were told of each context when they came."""

EARLY: Final = 0.000_06
"""Seconds before an action is due at which is woken up, as that takes about so long. To be awake
until then would keep a store's threads from running."""


def make_exact_loop() -> AbstractEventLoop:
    """A loop that sleeps to the microsecond; with `epoll` it would be to the millisecond."""
    return SelectorEventLoop(SelectSelector())


@attrs.frozen(kw_only=True)
class Acted:
    """Runs that were acted out together, in `seconds`; and of each action how late it was begun,
    and how long after its intended time it was done.
    """

    runs: Sequence[Run]
    seconds: float
    latencies: Sequence[float]
    lateness: Sequence[float]


async def act_at_once(chord: Chord, scenario: Scenario, begun: Begun) -> Acted:
    """Begin all actions at the same moment; it is also the one that all latencies count from."""
    stopwatch = _Stopwatch(chord)
    started = perf_counter()
    async with TaskGroup() as group:
        for index in range(scenario.actions):
            for reply in begun.values():
                stopwatch.begin(group, reply, index, started)
    seconds = perf_counter() - started
    return stopwatch.read(scenario, [begun], seconds)


async def act_at_rate(
    chord: Chord, scenario: Scenario, waves: Sequence[Begun], rate: float
) -> Acted:
    """Begin so many actions per second, whatever became of those before, wave after wave."""
    stopwatch = _Stopwatch(chord)
    started = perf_counter()
    async with TaskGroup() as group:
        for number, (reply, index) in enumerate(_line_up(scenario, waves)):
            intended = started + number / rate
            await _wait_until(intended)
            stopwatch.begin(group, reply, index, intended)
    seconds = perf_counter() - started
    return stopwatch.read(scenario, waves, seconds)


def _line_up(scenario: Scenario, waves: Sequence[Begun]) -> Iterable[tuple[FullContext, int]]:
    """The actions in turn: the first of every context, then the second."""
    for begun in waves:
        for index in range(scenario.actions):
            for reply in begun.values():
                yield reply, index


async def _wait_until(moment: float) -> None:
    while (left := moment - perf_counter()) > 0:  # noqa: ASYNC110, no event tells it
        await asyncio.sleep(max(0.0, left - EARLY))


class _Stopwatch:
    """Begins actions, each in a task of its own, and keeps what they came to."""

    def __init__(self, chord: Chord) -> None:
        self._chord = chord
        self._tasks: dict[str, list[Task[Result]]] = {}
        self._latencies: list[float] = []
        self._lateness: list[float] = []

    def begin(self, group: TaskGroup, reply: FullContext, index: int, intended: float) -> None:
        task = group.create_task(self._act(reply, index, intended))
        self._tasks.setdefault(reply.context.context_id, []).append(task)

    async def _act(self, reply: FullContext, index: int, intended: float) -> Result:
        self._lateness.append(perf_counter() - intended)
        try:
            return await begin(self._chord, reply, index)
        except Exception as error:
            return error
        finally:
            self._latencies.append(perf_counter() - intended)

    def read(self, scenario: Scenario, waves: Sequence[Begun], seconds: float) -> Acted:
        runs = [
            Run(scenario=scenario, begun=begun, results=self._find(begun), seconds=seconds)
            for begun in waves
        ]
        return Acted(runs=runs, seconds=seconds, latencies=self._latencies, lateness=self._lateness)

    def _find(self, begun: Begun) -> dict[str, Sequence[Result]]:
        return {each: [task.result() for task in self._tasks.get(each, ())] for each in begun}
