"""Test writes that say where they expect the context."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chord import (
    ContextNotFound,
    InvalidArgument,
    Position,
    VersionConflict,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.stage import Runtime
from tests.waiting import outcome_of

pytestmark = pytest.mark.anyio


async def write(chord: Runtime, how: str, expected: Any, **options: Any) -> Any:
    if how == "delete":
        return await chord.delete_context("a", expected=expected)
    return await getattr(chord, f"{how}_context")("a", {"n": 2}, expected=expected, **options)


@pytest.mark.parametrize("how", ["set", "update", "delete"])
@pytest.mark.parametrize("form", [lambda position: position, str], ids=["record", "text"])
async def test_a_position_that_holds_lets_the_write_pass(
    chord: Runtime, how: str, form: Callable[[Position], Position | str]
) -> None:
    commit = await chord.set_context("a", {"n": 1})
    with pytest.raises(VersionConflict):
        await write(chord, how, form(Position("another", 1)))
    assert await write(chord, how, form(commit.position))


@pytest.mark.parametrize("how", ["set", "update", "delete"])
async def test_a_version_that_holds_lets_the_write_pass(chord: Runtime, how: str) -> None:
    await chord.set_context("a", {"n": 1})
    assert await write(chord, how, 1)


@pytest.mark.parametrize("how", ["set", "update", "delete"])
@pytest.mark.parametrize("far", [Position("another", 1), Position("another", 2), 2, 0, 10**30])
async def test_any_other_is_a_conflict_that_tells_the_actual_position(
    chord: Runtime, how: str, far: Position | int
) -> None:
    commit = await chord.set_context("a", {"n": 1})
    with pytest.raises(VersionConflict) as caught:
        await write(chord, how, far)
    assert caught.value.context_id == "a"
    assert caught.value.expected == far
    assert caught.value.actual == commit.position
    assert caught.value.applied is False
    context = await chord.get_context("a")
    assert context.state == {"n": 1}
    assert context.position == commit.position


@pytest.mark.parametrize("how", ["set", "update", "delete"])
async def test_a_position_compares_both_parts(chord: Runtime, how: str) -> None:
    first = await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    with pytest.raises(VersionConflict):
        await write(chord, how, first.position)
    with pytest.raises(VersionConflict):
        await write(chord, how, Position("another", 2))


@pytest.mark.parametrize("how", ["set", "update"])
async def test_an_unchanged_write_still_has_its_expectation_checked(
    chord: Runtime, how: str
) -> None:
    await chord.set_context("a", {"n": 2})
    with pytest.raises(VersionConflict):
        await write(chord, how, 5)
    assert not (await write(chord, how, 1)).changed


@pytest.mark.parametrize("expected", [1, Position("e", 1)])
async def test_set_where_there_is_none_is_a_conflict_with_nothing(
    chord: Runtime, expected: Position | int
) -> None:
    with pytest.raises(VersionConflict) as caught:
        await chord.set_context("a", {}, expected=expected)
    assert caught.value.actual is None
    assert await chord.list_contexts() == []


async def test_0_means_that_there_must_be_none(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1}, expected=0)
    assert commit.position.version == 1
    with pytest.raises(VersionConflict) as caught:
        await chord.set_context("a", {"n": 2}, expected=0)
    assert caught.value.actual == commit.position


@pytest.mark.parametrize("expected", [0, 1, Position("e", 1)])
async def test_update_where_there_is_none_is_not_found(chord: Runtime, expected: Any) -> None:
    with pytest.raises(ContextNotFound):
        await chord.update_context("a", {"n": 1}, expected=expected)


@pytest.mark.parametrize("expected", [0, 1, Position("e", 1), None])
async def test_delete_where_there_is_none_answers_false(chord: Runtime, expected: Any) -> None:
    assert await chord.delete_context("a", expected=expected) is False


async def test_of_many_who_expect_the_same_one_wins(chord: Runtime) -> None:
    first = await chord.set_context("a", {})
    calls = [
        outcome_of(chord.update_context("a", {"winner": n}, expected=first.position))
        for n in range(10)
    ]
    results = await asyncio.gather(*calls)
    conflicts = [result for result in results if isinstance(result, VersionConflict)]
    assert len(conflicts) == 9
    assert (await chord.get_context("a")).position.version == 2


@pytest.mark.parametrize("expected", [-1, "e", "e:-1", ":1", 1.0, True, b"", "0", [], ("e", 1)])
@pytest.mark.parametrize("how", ["set", "update", "delete"])
async def test_what_is_no_expectation_is_refused(chord: Runtime, how: str, expected: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await write(chord, how, expected)
    assert caught.value.name == "expected"
