"""Test calls whose time runs out, and calls that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import pytest

from actors import StatefulChord
from chord import (
    Append,
    DeadlineExceeded,
    NotApplied,
    OutcomeTimeout,
    OutcomeUnknown,
    StatelessChord,
)
from tests.by_hand import ByHand, Call
from tests.runtime.kinds import stateful
from tests.runtime.stage import Runtime, Stage
from tests.waiting import outcome_of, turn, until

pytestmark = pytest.mark.anyio


def append(chord: Runtime, item: int, **options: Any) -> asyncio.Task[Any]:
    call = chord.update_context("a", {"log": Append([item])}, **options)
    return asyncio.create_task(outcome_of(call))


async def find_log(chord: Runtime) -> Any:
    return (await chord.get_context("a")).state["log"]


HeldUp: TypeAlias = tuple[Runtime, ByHand, asyncio.Task[Any], Call]

Hold: TypeAlias = Callable[[Stage], Awaitable[HeldUp]]


async def hold_up(stage: Stage, **options: Any) -> HeldUp:
    """A write that has begun, and whose commit waits."""
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    return await hold_up_the_next(chord, backend, **options)


async def hold_up_a_beginning(stage: Stage) -> HeldUp:
    """A context whose first commit waits."""
    return await hold_up_the_next(*await stage.open_by_hand(), create={"log": []})


async def hold_up_the_next(chord: Runtime, backend: ByHand, **options: Any) -> HeldUp:
    backend.hold("commit")
    first = append(chord, 1, **options)
    held = await backend.next("commit")
    backend.hold()
    return chord, backend, first, held


behind: Final = pytest.mark.parametrize(
    ("make_runtime", "hold"),
    [
        pytest.param(StatelessChord, hold_up, id="stateless"),
        pytest.param(StatelessChord, hold_up_a_beginning, id="stateless-beginning"),
        pytest.param(StatefulChord, hold_up_a_beginning, id="stateful-beginning"),
    ],
)
"""Marks a test of requests that have not begun, as the one before them is held up."""


@behind
async def test_before_the_work_began_nothing_was_applied(stage: Stage, hold: Hold) -> None:
    chord, _, first, held = await hold(stage)
    second = append(chord, 2, timeout=1.0)
    await turn()
    stage.clock.advance(0.9)
    await turn()
    assert not second.done()
    stage.clock.advance(0.1)
    error = await second
    assert isinstance(error, DeadlineExceeded)
    assert isinstance(error, NotApplied)
    assert isinstance(error, TimeoutError)
    assert error.applied is False
    assert error.context_id == "a"
    await held.go()
    assert (await first).changed
    assert await find_log(chord) == [1]


async def test_after_the_work_began_the_outcome_is_unknown(stage: Stage) -> None:
    chord, _, first, held = await hold_up(stage, timeout=1.0)
    stage.clock.advance(1.0)
    error = await first
    assert isinstance(error, OutcomeTimeout)
    assert isinstance(error, OutcomeUnknown)
    assert isinstance(error, TimeoutError)
    assert error.applied is None
    assert error.context_id == "a"
    await held.go()
    await turn()
    assert await find_log(chord) == [1]


@stateful
async def test_what_was_applied_behind_another_has_begun(stage: Stage) -> None:
    chord, _, first, held = await hold_up(stage)
    second = append(chord, 2, timeout=1.0)
    await turn()
    stage.clock.advance(1.0)
    assert isinstance(await second, OutcomeTimeout)
    await held.go()
    assert (await first).changed
    await until_stored(chord)
    assert await find_log(chord) == [1, 2]


@stateful
async def test_what_waits_for_a_context_to_be_loaded_has_not_begun(stage: Stage) -> None:
    there = await stage.open()
    await there.set_context("a", {"log": []})
    await stage.let_go(there)
    chord, backend = await stage.open_by_hand()
    backend.hold("acquire")
    first, second = append(chord, 1, timeout=1.0), append(chord, 2)
    acquire = await backend.next("acquire")
    stage.clock.advance(1.0)
    assert isinstance(await first, DeadlineExceeded)
    await acquire.go()
    assert (await second).changed
    assert await find_log(chord) == [2]


async def until_stored(chord: Runtime) -> None:
    await until(lambda: chord.statistics()["unstored"] == 0)


async def test_after_an_unknown_outcome_the_same_op_id_is_safe(stage: Stage) -> None:
    chord, _, first, held = await hold_up(stage, timeout=1.0, op_id="op")
    stage.clock.advance(1.0)
    assert isinstance(await first, OutcomeTimeout)
    again = append(chord, 1, op_id="op")
    await turn()
    await held.go()
    assert (await again).changed
    assert await find_log(chord) == [1]


@behind
async def test_one_that_ran_out_hurts_no_other(stage: Stage, hold: Hold) -> None:
    chord, _, first, held = await hold(stage)
    others = [append(chord, n, timeout=1.0 if n % 2 else 9.0) for n in range(2, 8)]
    await turn()
    stage.clock.advance(5.0)
    await turn()
    await held.go()
    results = await asyncio.gather(first, *others)
    assert [isinstance(result, DeadlineExceeded) for result in results[1:]] == [False, True] * 3
    assert await find_log(chord) == [1, 2, 4, 6]


async def test_one_that_is_answered_in_time_leaves_no_timer(stage: Stage) -> None:
    chord = await stage.open()
    await chord.set_context("b", {}, timeout=5.0)
    before = stage.clock.pending()
    await chord.set_context("a", {"log": []}, timeout=5.0)
    await append(chord, 1, timeout=5.0)
    await chord.transform_context("a", lambda state: {"n": 1}, timeout=5)
    assert stage.clock.pending() == before
    stage.clock.advance(100)
    assert await find_log(chord) == [1]


@behind
async def test_set_and_transform_run_out_of_time_too(stage: Stage, hold: Hold) -> None:
    chord, _, first, held = await hold(stage)
    calls = [
        asyncio.create_task(outcome_of(chord.set_context("a", {}, timeout=1.0))),
        asyncio.create_task(outcome_of(chord.transform_context("a", dict, timeout=1.0))),
    ]
    await turn()
    stage.clock.advance(1.0)
    for call in calls:
        assert isinstance(await call, DeadlineExceeded)
    await held.go()
    await first
    assert await find_log(chord) == [1]


# -- cancelled -----------------------------------------------------------------------------------


@behind
async def test_one_that_is_cancelled_before_it_began_is_not_applied(
    stage: Stage, hold: Hold
) -> None:
    chord, _, first, held = await hold(stage)
    second, third = append(chord, 2), append(chord, 3)
    await turn()
    second.cancel()
    await turn()
    await held.go()
    assert (await third).position.version == (await first).position.version + 1
    assert second.cancelled()
    assert (await first).changed
    assert await find_log(chord) == [1, 3]


async def test_one_that_is_cancelled_after_it_began_goes_on(stage: Stage) -> None:
    chord, _, first, held = await hold_up(stage)
    first.cancel()
    await turn()
    assert first.cancelled()
    second = append(chord, 2)
    await held.go()
    assert (await second).position.version == 3
    assert await find_log(chord) == [1, 2]


async def test_cancelling_leaves_no_timer(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    before = stage.clock.pending()
    chord, _, first, held = await hold_up_the_next(chord, backend, timeout=5.0)
    second = append(chord, 2, timeout=5.0)
    await turn()
    first.cancel()
    second.cancel()
    await turn()
    assert stage.clock.pending() == before
    await held.go()
    await turn(100)
    assert await find_log(chord) in ([1], [1, 2])  # the second may have been applied behind it


async def test_one_that_is_cancelled_while_it_shares_a_version_hurts_no_other(
    stage: Stage,
) -> None:
    chord, backend, first, held = await hold_up(stage)
    backend.hold("commit")
    calls = [
        asyncio.create_task(chord.update_context("a", {f"k{n}": n}, ephemeral=True))
        for n in range(3)
    ]
    await turn()
    await held.go()
    await first
    shared = await backend.next("commit")
    calls[1].cancel()
    await turn()
    await shared.go()
    commits = [await calls[0], await calls[2]]
    assert commits[0] == commits[1]
    assert (await chord.get_context("a")).state == {"log": [1], "k0": 0, "k1": 1, "k2": 2}


async def test_a_read_that_is_cancelled_hurts_no_other(stage: Stage) -> None:
    there = await stage.open()
    await there.set_context("a", {"log": [1]})
    chord, backend = await stage.open_by_hand()
    await chord.get_context("a")
    backend.hold("load")
    reads = [asyncio.create_task(chord.get_context("a")) for _ in range(3)]
    calls = [await backend.next("load") for _ in reads]
    reads[1].cancel()
    await turn()
    for call in (calls[0], calls[2]):
        await call.go()
    assert (await reads[0]) == (await reads[2])
