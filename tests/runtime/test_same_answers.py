"""Test that both runtimes say the same of the same history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given

from actors import StatefulChord
from chord import (
    DeltaUpdate,
    FullContext,
    MemoryBackend,
    Settings,
    StatelessChord,
    VersionGone,
)
from chord.clock import ManualClock
from tests.runtime.histories import SETTINGS, Player, Step, histories, restore
from tests.runtime.kinds import RELAXED
from tests.runtime.stage import MakeRuntime


async def live(make: MakeRuntime, history: Sequence[Step], *, durable: bool = True) -> list[Any]:
    """What a runtime answers, on a store and under a clock of its own.

    Where it is not asked whether a commit is `durable`, that is not told.
    """
    clock = ManualClock()
    backend = MemoryBackend(clock=clock)
    await backend.open()
    async with make(backend, settings=Settings(clock=clock, provider=restore, **SETTINGS)) as chord:
        told = await Player(chord, clock, durable=durable).live(history)
        chord.check()
    backend.check()
    return told


@given(history=histories)
def test_both_runtimes_answer_the_same(history: list[Step]) -> None:
    compare(history, live(StatefulChord, history), live(StatelessChord, history))


@pytest.mark.parametrize("make", RELAXED)
@given(history=histories)
def test_only_whether_it_is_durable_differs_by_durability(
    make: MakeRuntime, history: list[Step]
) -> None:
    stored, shown = (live(each, history, durable=False) for each in (StatefulChord, make))
    compare(history, stored, shown, unless=_chose_otherwise)


def compare(
    history: Sequence[Step],
    *lived: Coroutine[Any, Any, list[Any]],
    unless: Callable[[Any, Any], bool] = lambda one, other: False,
) -> None:
    for step, one, other in zip(history, *map(asyncio.run, lived), strict=True):
        assert one == other or _is_forgotten(step, one, other) or unless(one, other), step


def _is_forgotten(step: Step, *told: Any) -> bool:
    """Whether it was a state of a former version: not everyone has the same still in memory."""
    return step.name == "remember" and (VersionGone, False) in told


def _chose_otherwise(one: Any, other: Any) -> bool:
    """Whether it was what is smaller: how large the state is, is counted from its last snapshot."""
    return any(
        full[:2] == (FullContext, "smaller")
        and (told[0] is DeltaUpdate or (told[0] is FullContext and told[2] == full[2]))
        for full, told in ((one, other), (other, one))
    )
