"""Test which values a state may hold, and that they come out as they went in."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest

from chord import Commit, ContextNotFound, InvalidState, Modified
from chord.cattrs_codec import CattrsCodec
from chord.delta import equal
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.stage import Runtime, Stage
from tests.waiting import outcome_of

pytestmark = pytest.mark.anyio

EVERYTHING: dict[str, Any] = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 2**63, 2**64, -(2**63) - 1, 2**200],
    "floats": [0.0, -0.0, 1.0, math.inf, -math.inf, math.nan],
    "text": "žiž \U0001f600",
    "bytes": b"\x00\xff",
    "moments": [
        datetime(2024, 10, 27, 2, 30, fold=1),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        date(2024, 1, 1),
        time(1, 2, 3, 4),
        timedelta(-1, 1, 1),
    ],
    "ids": {"one": UUID(int=1)},
    "decimals": [Decimal("1.0"), Decimal("1.00"), Decimal("-0"), Decimal("NaN")],
    "empty": {"dict": {}, "list": []},
    "deep": [[{"x": [{"y": [Decimal(1)]}]}]],
    "": "an empty key",
    "action": "added",
    "/": {"~": {"~1": {"$": 1}}},
}


@attrs.frozen
class Point:
    x: int
    y: int


@attrs.frozen
class Unknown:
    x: int


class Text(str):
    """A str that is not exactly one."""


async def test_every_type_comes_out_as_it_went_in(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", EVERYTHING)
    assert equal((await chord.get_context("a")).state, EVERYTHING)
    elsewhere = await stage.open()
    assert equal((await elsewhere.get_context("a")).state, EVERYTHING)


async def test_every_type_comes_out_of_a_delta_as_it_went_in(stage: Stage, chord: Runtime) -> None:
    begun = await chord.set_context("a", {})
    commit = await chord.update_context("a", EVERYTHING)
    assert commit.delta is not None
    await chord.flush()
    reply = await (await stage.open()).sync_context("a", begun.position)
    assert equal(reply.delta.changes, commit.delta.changes)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0.0, -0.0),
        (None, False),
        (Decimal("1.0"), Decimal("1.00")),
        ("1", b"1"),
        (
            datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        ),
    ],
)
async def test_what_is_equal_but_not_the_same_is_a_change(
    chord: Runtime, old: object, new: object
) -> None:
    await chord.set_context("a", {"x": old, "deep": {"list": [[old]]}})
    commit = await chord.set_context("a", {"x": new, "deep": {"list": [[old]]}})
    assert commit.delta is not None
    assert equal(commit.delta.changes, {"x": Modified(old, new)})
    commit = await chord.set_context("a", {"x": new, "deep": {"list": [[new]]}})
    assert commit.changed


@pytest.mark.parametrize("same", [math.nan, Decimal("NaN")])
async def test_a_nan_is_the_same_as_a_nan(chord: Runtime, same: object) -> None:
    await chord.set_context("a", {"x": same})
    assert not (await chord.set_context("a", {"x": copy.deepcopy(same)})).changed


async def test_a_tuple_becomes_a_list(chord: Runtime) -> None:
    await chord.set_context("a", {"at": (1, (2, 3))})
    state = (await chord.get_context("a")).state
    assert state == {"at": [1, [2, 3]]}
    assert isinstance(state["at"][1], list)


def _nest(depth: int) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for _ in range(depth - 1):
        state = {"x": state}
    return state


def _cycle() -> dict[str, Any]:
    state: dict[str, Any] = {}
    state["x"] = state
    return state


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"x": {1, 2}}, ("x",)),
        ({"x": {"y": object()}}, ("x", "y")),
        ({"x": [0, {"y": Unknown(1)}]}, ("x", 1, "y")),
        ({"x": bytearray(b"1")}, ("x",)),
        ({"x": Text("1")}, ("x",)),
        ({"x": "\ud800"}, ("x",)),
        ({"x": {"\ud800": 1}}, ("x", "\ud800")),
        ({"x": {1: 2}}, ("x", 1)),
        ({"x": 1j}, ("x",)),
    ],
)
async def test_what_cannot_be_stored_is_refused_by_its_path(
    chord: Runtime, value: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    with pytest.raises(InvalidState) as caught:
        await chord.set_context("a", {"ok": 1, **value})
    assert caught.value.path == path
    with pytest.raises(ContextNotFound):
        await chord.get_context("a")
    first = await chord.set_context("a", {})
    with pytest.raises(InvalidState) as caught:
        await chord.update_context("a", {"ok": 1, **value})
    assert caught.value.path == path
    assert (await chord.get_context("a")).position == first.position


@pytest.mark.parametrize("root", [[1], "x", None, 1, [("a", 1)]])
async def test_the_root_is_a_dict(chord: Runtime, root: Any) -> None:
    with pytest.raises(InvalidState) as caught:
        await chord.set_context("a", root)
    assert caught.value.path == ()
    await chord.set_context("a", {})
    with pytest.raises(InvalidState):
        await chord.update_context("a", root)


async def test_max_depth_is_the_deepest_there_may_be(stage: Stage) -> None:
    chord = await stage.open(max_depth=4)
    await chord.set_context("a", _nest(4))
    with pytest.raises(InvalidState):
        await chord.set_context("a", _nest(5))
    assert (await chord.get_context("a")).state == _nest(4)


async def test_a_cycle_is_refused(chord: Runtime) -> None:
    with pytest.raises(InvalidState):
        await chord.set_context("a", _cycle())


async def test_a_codec_may_know_more_types(stage: Stage) -> None:
    chord = await stage.open(codec=CattrsCodec({"point": Point}))
    await chord.set_context("a", {"at": Point(1, 2)})
    commit = await chord.update_context("a", {"at": Point(1, 3), "list": [Point(0, 0)]})
    assert commit.delta is not None
    assert commit.delta.changes["at"] == Modified(Point(1, 2), Point(1, 3))
    await chord.flush()
    elsewhere = await stage.open(codec=CattrsCodec({"point": Point}))
    assert (await elsewhere.get_context("a")).state == {"at": Point(1, 3), "list": [Point(0, 0)]}


# -- what comes out ------------------------------------------------------------------------------


async def test_what_comes_out_is_read_only(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": {}}, "log": [1]})
    commit = await chord.update_context("a", {"people": {"bor": {}}})
    state: Any = (await chord.get_context("a")).state
    assert isinstance(state, dict)
    assert isinstance(state["log"], list)
    with pytest.raises(TypeError):
        state["x"] = 1
    with pytest.raises(TypeError):
        state["people"]["ana"]["x"] = 1
    with pytest.raises(TypeError):
        state["log"].append(2)
    changes: Any = commit.delta.changes if commit.delta else None
    with pytest.raises(TypeError):
        changes["people"]["bor"] = 1
    with pytest.raises(TypeError):
        changes["people"]["bor"].value["x"] = 1
    assert (await chord.get_context("a")).state == {"people": {"ana": {}, "bor": {}}, "log": [1]}


@pytest.mark.parametrize("copy_of", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
async def test_copies_are_plain(chord: Runtime, copy_of: Any) -> None:
    await chord.set_context("a", {"people": {"ana": [1]}})
    copied = copy_of((await chord.get_context("a")).state)
    assert type(copied) is dict
    assert type(copied["people"]) is dict
    assert type(copied["people"]["ana"]) is list
    copied["people"]["ana"].append(2)
    assert (await chord.get_context("a")).state == {"people": {"ana": [1]}}


async def test_a_state_that_was_given_out_never_changes(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": {"n": 0}}, "log": [0]})
    seen = (await chord.get_context("a")).state
    for n in range(1, 4):
        await chord.update_context("a", {"people": {"ana": {"n": n}}, "log": [0, n]})
    assert seen == {"people": {"ana": {"n": 0}}, "log": [0]}


# -- how large -----------------------------------------------------------------------------------


async def test_a_state_larger_than_the_limit_is_refused(stage: Stage) -> None:
    chord = await stage.open(max_state_bytes=1000)
    with pytest.raises(InvalidState):
        await chord.set_context("a", {"blob": b"x" * 1001})
    assert await chord.list_contexts() == []
    await chord.set_context("a", {"blob": b"x" * 900})


async def test_a_state_cannot_grow_beyond_the_limit(stage: Stage) -> None:
    chord = await stage.open(max_state_bytes=1000)
    await chord.set_context("a", {})
    results = [await outcome_of(chord.update_context("a", {f"k{n}": "x" * 40})) for n in range(40)]
    fitted = sum(isinstance(result, Commit) for result in results)
    assert 15 < fitted < 25
    assert all(isinstance(result, InvalidState) for result in results[fitted:])
    assert len((await chord.get_context("a")).state) == fitted


async def test_a_state_near_the_limit_can_be_replaced(stage: Stage) -> None:
    chord = await stage.open(max_state_bytes=1000)
    await chord.set_context("a", {"blob": b"x" * 900})
    await chord.set_context("a", {"blob": b"y" * 900})
    await chord.update_context("a", {"blob": b"z" * 900})
    assert (await chord.get_context("a")).state == {"blob": b"z" * 900}


async def test_many_updates_of_a_state_near_the_limit_are_taken(stage: Stage) -> None:
    chord = await stage.open(max_state_bytes=1000)
    await chord.set_context("a", {"blob": b"x" * 800, "n": 0})
    for n in range(1, 100):
        await chord.update_context("a", {"n": n})
    assert (await chord.get_context("a")).state["n"] == 99
