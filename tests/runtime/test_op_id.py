"""Test writes that carry an operation id, and what a second call of one answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    BackendUnavailable,
    Commit,
    ContextNotFound,
    Increment,
    InvalidArgument,
    OutcomeUnknown,
    VersionConflict,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.kinds import stateless, storing
from tests.runtime.stage import BRIEF, Runtime, Stage
from tests.waiting import outcome_of, turn, while_time_runs

pytestmark = pytest.mark.anyio


async def count(chord: Runtime, op_id: str | None = "op", **options: Any) -> Commit:
    return await chord.update_context("a", {"n": Increment()}, op_id=op_id, **options)


async def find_n(chord: Runtime) -> object:
    return (await chord.get_context("a")).state["n"]


async def test_a_second_call_is_answered_by_the_first(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    first = await count(chord)
    again = await count(chord)
    assert again.position == first.position
    assert again.changed
    assert again.delta == first.delta
    assert await find_n(chord) == 1


async def test_a_replay_has_its_first_position_however_far_the_context_went(
    chord: Runtime,
) -> None:
    await chord.set_context("a", {"n": 0})
    first = await count(chord)
    for _ in range(5):
        await count(chord, None)
    again = await count(chord)
    assert again.position == first.position
    assert again.delta == first.delta
    assert again.context.state == {"n": 1}


async def test_a_replay_has_no_delta_once_that_is_not_served(stage: Stage) -> None:
    chord = await stage.open(delta_threshold=3)
    await chord.set_context("a", {"n": 0})
    first = await count(chord)
    for _ in range(5):
        await count(chord, None)
    again = await count(chord)
    assert again.position == first.position
    assert again.changed
    assert again.delta is None


async def test_set_and_transform_are_remembered_too(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 0}, op_id="set")
    second = await chord.transform_context("a", lambda state: {"n": 1}, op_id="transform")
    await chord.update_context("a", {"n": 2})
    assert (await chord.set_context("a", {"n": 0}, op_id="set")).position == first.position
    again = await chord.transform_context("a", lambda state: {"n": 3}, op_id="transform")
    assert again.position == second.position
    assert await find_n(chord) == 2


async def test_an_operation_is_remembered_in_the_store(stage: Stage) -> None:
    chord = await stage.open(**BRIEF)
    await chord.set_context("a", {"n": 0})
    first = await count(chord)
    await stage.let_go(chord)
    elsewhere = await stage.open()
    again = await count(elsewhere)
    assert again.position == first.position
    assert await find_n(elsewhere) == 1


async def test_it_is_looked_up_before_what_is_expected(chord: Runtime) -> None:
    begun = await chord.set_context("a", {"n": 0})
    first = await count(chord, expected=begun.position)
    again = await count(chord, expected=begun.position)
    assert again.position == first.position
    with pytest.raises(VersionConflict):
        await count(chord, "another", expected=begun.position)


async def test_operations_are_those_of_one_context(chord: Runtime) -> None:
    for context_id in ("a", "b"):
        await chord.set_context(context_id, {"n": 0}, op_id="op")
    assert (await chord.get_context("b")).position.version == 1


@pytest.mark.parametrize("known", [True, False], ids=["cached", "not-cached"])
async def test_it_is_remembered_for_op_ttl_seconds(stage: Stage, known: bool) -> None:
    chord = await stage.open(op_ttl=100.0, **BRIEF)
    await chord.set_context("a", {"n": 0})
    first = await count(chord)
    stage.clock.advance(99)
    assert (await count(chord)).position == first.position
    stage.clock.advance(2)
    if not known:
        await stage.let_go(chord)
        chord = await stage.open(op_ttl=100.0)
    again = await count(chord)
    assert again.position.version == first.position.version + 1
    assert await find_n(chord) == 2
    assert (await count(chord)).position == again.position


@stateless
async def test_it_is_forgotten_there_though_it_is_remembered_here(stage: Stage) -> None:
    chord, elsewhere = await stage.open(op_ttl=100.0), await stage.open(op_ttl=100.0)
    await chord.set_context("a", {"n": 0})
    await count(chord)
    stage.clock.advance(101)
    again = await count(elsewhere)
    assert again.position.version == 3
    assert (await count(chord)).position == again.position


async def test_a_thousand_are_remembered(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    first = await asyncio.gather(*(count(chord, f"op{n}") for n in range(1001)))
    again = await asyncio.gather(*(count(chord, f"op{n}") for n in range(1, 1001)))
    assert [commit.position for commit in again] == [commit.position for commit in first[1:]]
    assert await find_n(chord) == 1001
    await count(chord, "op0")
    assert await find_n(chord) == 1002


async def test_delete_drops_what_was_remembered(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0}, op_id="op")
    await chord.delete_context("a")
    commit = await chord.set_context("a", {"n": 5}, op_id="op")
    assert commit.position.version == 1
    assert await find_n(chord) == 5


async def test_restore_drops_what_was_remembered(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 10})
    await chord.set_context("a", {"n": 0})
    await count(chord)
    await chord.restore_context("a")
    await count(chord)
    assert await find_n(chord) == 11


async def test_an_unchanged_outcome_is_not_remembered(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    first = await chord.update_context("a", {"n": 0}, op_id="op")
    assert not first.changed
    await chord.update_context("a", {"n": 1})
    again = await chord.update_context("a", {"n": 0}, op_id="op")
    assert again.changed
    assert again.position.version == 3


async def test_an_error_is_not_remembered(chord: Runtime) -> None:
    with pytest.raises(ContextNotFound):
        await count(chord)
    await chord.set_context("a", {"n": 0})
    with pytest.raises(VersionConflict):
        await count(chord, expected=9)
    await count(chord)
    assert await find_n(chord) == 1


async def test_calls_at_the_same_time_are_one(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    commits = await asyncio.gather(*(count(chord) for _ in range(10)))
    assert len({commit.position for commit in commits}) == 1
    assert all(commit.changed for commit in commits)
    assert await find_n(chord) == 1


@pytest.mark.parametrize("options", [{}, {"expected": 1}], ids=["unchanged", "refused"])
async def test_a_replay_beside_other_writes_is_a_replay(
    chord: Runtime, options: dict[str, Any]
) -> None:
    await chord.set_context("a", {"n": 0})
    first = await chord.update_context("a", {"n": 5}, op_id="op", **options)
    again, other = await asyncio.gather(
        chord.update_context("a", {"n": 5}, op_id="op", **options),
        chord.update_context("a", {"m": 1}),
    )
    assert again.changed
    assert again.position == first.position
    assert other.position.version == 3


@storing
async def test_a_replay_of_the_beginning_tells_when_that_was(stage: Stage, chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 0}, op_id="op")
    begun = first.context.updated_at
    for m in range(2):
        stage.clock.advance(1)
        _, again = await asyncio.gather(
            chord.update_context("a", {"m": m}),
            chord.set_context("a", {"n": 0}, op_id="op"),
        )
        assert again.position == first.position
        assert again.context.updated_at == begun


@storing
async def test_a_second_call_waits_for_the_first(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 0})
    backend.hold("commit")
    first = asyncio.create_task(count(chord))
    commit = await backend.next("commit")
    again = asyncio.create_task(count(chord))
    await turn()
    assert not again.done()
    backend.hold()
    await commit.go()
    assert (await again).position == (await first).position
    assert await find_n(chord) == 1


@storing
async def test_who_waited_for_a_call_that_was_not_applied_runs_itself(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 0})
    backend.hold("commit")
    first = asyncio.create_task(outcome_of(count(chord)))
    held = await backend.next("commit")
    again = asyncio.create_task(count(chord))
    await turn()
    backend.hold()
    held.fail(BackendUnavailable("there", "away"))
    assert isinstance(await first, BackendUnavailable)
    assert (await while_time_runs(stage.clock, result(again))).changed
    assert await find_n(chord) == 1


async def result(call: asyncio.Task[Commit]) -> Commit:
    return await call


@stateless
async def test_who_waited_for_a_call_that_another_refuted_runs_itself(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 0})
    backend.hold("commit")
    first = asyncio.create_task(outcome_of(count(chord, expected=1)))
    held = await backend.next("commit")
    again = asyncio.create_task(count(chord))
    await turn()
    elsewhere = await stage.open()
    await elsewhere.update_context("a", {"m": 1})
    backend.hold()
    await held.go()
    assert isinstance(await first, VersionConflict)
    assert (await again).changed
    assert await find_n(chord) == 1


@storing
async def test_a_retry_after_an_unknown_outcome_is_safe(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 0})
    backend.hold("commit", "load", "acquire")
    first = asyncio.create_task(outcome_of(count(chord)))
    held = await backend.next("commit")
    await held.carry_out()
    held.fail(OutcomeUnknown("there", "the answer was lost"))
    while not first.done():
        for call in [*backend.calls]:
            backend.calls.remove(call)
            call.fail(OutcomeUnknown("there", "the line is down"))
        await turn(1)
        stage.clock.advance(1)
    assert isinstance(await first, OutcomeUnknown)
    backend.hold()
    again = await count(chord)
    assert again.changed
    assert await find_n(chord) == 1


@pytest.mark.parametrize("op_id", ["", "x" * 513, "\0", "\ud800", 1, b"op"])
async def test_what_is_no_id_is_refused(chord: Runtime, op_id: Any) -> None:
    await chord.set_context("a", {"n": 0})
    with pytest.raises(InvalidArgument) as caught:
        await count(chord, op_id)
    assert caught.value.name == "op_id"
    assert await find_n(chord) == 0
