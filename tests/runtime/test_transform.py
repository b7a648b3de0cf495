"""Test changes that are a function of the state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    REMOVE,
    Append,
    ContextNotFound,
    InvalidArgument,
    InvalidState,
    Modified,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.stage import Runtime

pytestmark = pytest.mark.anyio


def bump(state: Any) -> Any:
    return {"n": state["n"] + 1}


async def test_what_the_function_returns_is_put_like_an_update(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1, "log": [], "goes": 1, "people": {"ana": 1}})
    commit = await chord.transform_context(
        "a",
        lambda state: {
            "n": state["n"] * 10,
            "log": Append([1]),
            "goes": REMOVE,
            "people": {"bor": 2},
        },
    )
    assert commit.position.version == 2
    assert commit.delta is not None
    assert commit.delta.changes["n"] == Modified(1, 10)
    state = (await chord.get_context("a")).state
    assert state == {"n": 10, "log": [1], "people": {"ana": 1, "bor": 2}}


async def test_transforms_at_the_same_time_lose_nothing(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    await asyncio.gather(*(chord.transform_context("a", bump) for _ in range(100)))
    context = await chord.get_context("a")
    assert context.state == {"n": 100}
    assert context.position.version == 101


async def test_it_sees_what_was_written_before_it(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    await asyncio.gather(
        chord.update_context("a", {"n": 5}),
        chord.transform_context("a", bump),
        chord.update_context("a", {"m": 1}),
    )
    assert (await chord.get_context("a")).state == {"n": 6, "m": 1}


async def test_where_there_is_no_context_it_is_not_found(chord: Runtime) -> None:
    with pytest.raises(ContextNotFound):
        await chord.transform_context("a", bump)


async def test_no_changes_are_unchanged(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    commit = await chord.transform_context("a", lambda state: {"n": state["n"]})
    assert not commit.changed
    assert commit.position == first.position
    assert not (await chord.transform_context("a", lambda state: {})).changed


@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyError("x"), StopIteration(), TimeoutError(), Exception()]
)
async def test_what_it_raises_is_raised_and_nothing_written(
    chord: Runtime, error: Exception
) -> None:
    first = await chord.set_context("a", {"n": 1})

    def fail(state: Any) -> Any:
        raise error

    results = await asyncio.gather(
        chord.update_context("a", {"m": 1}),
        chord.transform_context("a", fail),
        chord.update_context("a", {"m": 2}),
        return_exceptions=True,
    )
    raised = results[1]
    assert isinstance(raised, BaseException)
    assert error in (raised, raised.__cause__)
    context = await chord.get_context("a")
    assert context.state == {"n": 1, "m": 2}
    assert context.position.version == first.position.version + 2


async def test_it_cannot_change_what_it_is_shown(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": 1}})

    def spoil(state: Any) -> Any:
        state["people"]["ana"] = 2

    with pytest.raises(TypeError):
        await chord.transform_context("a", spoil)
    assert (await chord.get_context("a")).state == {"people": {"ana": 1}}


async def test_it_may_keep_what_it_is_shown(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": 0}, "log": []})
    kept: list[Any] = []

    def keep(state: Any) -> Any:
        kept.append(state)
        return {"kept": len(kept)}

    def write(n: int) -> Any:
        return chord.update_context("a", {"people": {"ana": n}, "log": Append([n])})

    calls = []
    for n in range(1, 4):
        calls += [write(n), write(n * 10), chord.transform_context("a", keep)]
    await asyncio.gather(*calls, write(0))
    assert [state["people"]["ana"] for state in kept[-3:]] == [10, 20, 30]
    assert [len(state["log"]) for state in kept[-3:]] == [2, 4, 6]


async def test_what_it_is_shown_can_be_put_back(chord: Runtime) -> None:
    await chord.set_context("a", {"from": {"x": [1]}, "n": 0})
    await chord.transform_context("a", lambda state: {"to": state["from"], "n": 1})
    await chord.update_context("a", {"to": {"x": Append([2])}})
    state = (await chord.get_context("a")).state
    assert state == {"from": {"x": [1]}, "to": {"x": [1, 2]}, "n": 1}


@pytest.mark.parametrize("result", [None, 1, [1], "x", {"x": {1}}, {1: 2}])
async def test_what_is_no_changes_is_refused(chord: Runtime, result: Any) -> None:
    await chord.set_context("a", {"n": 1})
    with pytest.raises(InvalidState):
        await chord.transform_context("a", lambda state: result)
    assert (await chord.get_context("a")).state == {"n": 1}


async def returns_later(state: Any) -> Any:
    return {}


@pytest.mark.parametrize("fn", [None, {"n": 1}, returns_later])
async def test_it_takes_a_plain_function(chord: Runtime, fn: Any) -> None:
    await chord.set_context("a", {"n": 1})
    with pytest.raises(InvalidArgument) as caught:
        await chord.transform_context("a", fn)
    assert caught.value.name == "fn"
