"""Test the way into a state: what is taken in, how deep, and what is refused with its path."""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, UserDict, deque
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given

from chord.changes import REMOVE, Added, Append, Increment, Replace
from chord.delta import equal
from chord.errors import InvalidState
from chord.state import (
    Patch,
    take_in,
    take_in_changes,
    thaw,
)
from chord.testing.strategies import State, Write, patches, states
from tests.laws import are_ours, containers, thorough


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Moment(datetime):
    pass


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    left: int
    right: Any


class Odd(tzinfo):
    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(0)

    tzname = dst = lambda self, at: None


@attrs.frozen
class Point:
    x: int


class Nested(dict[str, Any]):
    pass


NOON = datetime(2024, 7, 1, 12)

# -- a state --------------------------------------------------------------------------------------


@thorough
@given(states())
def test_what_comes_out_is_what_went_in(state: State) -> None:
    before = thaw(state)
    taken = take_in(state)
    assert equal(taken, state)
    assert equal(thaw(taken), state)
    assert are_ours(taken)
    assert equal(state, before)


@given(states())
def test_nothing_is_shared_with_the_caller(state: State) -> None:
    taken = take_in(state)
    theirs = {id(each) for each in containers(state)}
    assert theirs.isdisjoint(id(each) for each in containers(taken))


@given(states())
def test_what_was_taken_in_can_be_taken_in_again(state: State) -> None:
    assert equal(take_in(take_in(state)), state)


@given(states())
def test_nobody_owns_what_was_taken_in(state: State) -> None:
    assert all(each._owner is None for each in containers(take_in(state)))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ((1, (2,)), [1, [2]]),
        (Pair(1, {"a": (2,)}), [1, {"a": [2]}]),
        (OrderedDict(a=1), {"a": 1}),
        (Nested(a=(1,)), {"a": [1]}),
        (Counter("a"), {"a": 1}),
        ((), []),
    ],
)
def test_subclasses_of_containers_and_tuples_become_ours(value: Any, wanted: Any) -> None:
    taken = take_in({"k": value})["k"]
    assert equal(taken, wanted)
    assert are_ours(taken)


@pytest.mark.parametrize(
    "value",
    [
        *(
            {1, 2},
            frozenset("a"),
            bytearray(b"x"),
            memoryview(b"x"),
            deque([1]),
            UserDict(),
            range(3),
        ),
        *(1j, object(), int, print, Ellipsis, Point(1), iter([]), Added(1), Exception("x")),
        *(Text("x"), Number(1), Moment(2024, 1, 1), Colour.RED, Level.LOW),
        *("\ud800", "ab\udfff", time(1, tzinfo=Odd()), NOON.replace(tzinfo=Odd())),
        *(REMOVE, Append([1]), Increment(), Replace(1)),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda value: {"k": value}, ("k",)),
        (lambda value: {"a": 1, "k": {"": {"/": value}}}, ("k", "", "/")),
        (lambda value: {"k": [0, 1, value]}, ("k", 2)),
        (lambda value: {"k": [{"a": ({"b": value},)}]}, ("k", 0, "a", 0, "b")),
    ],
)
def test_what_cannot_be_part_of_a_state_is_refused_with_its_path(
    value: Any, wrap: Any, path: tuple[str | int, ...]
) -> None:
    state = wrap(value)
    with pytest.raises(InvalidState) as caught:
        take_in(state)
    assert caught.value.path == path


@pytest.mark.parametrize("root", [None, [], (), "x", 1, {1}, UserDict(), [("a", 1)]])
def test_a_root_that_is_no_dict_is_refused(root: Any) -> None:
    with pytest.raises(InvalidState, match="at the root: a state is a dict"):
        take_in(root)


@pytest.mark.parametrize("key", [1, None, True, b"k", ("k",), Text("k"), Colour.RED, 1.0])
def test_a_key_that_is_no_str_is_refused(key: Any) -> None:
    with pytest.raises(InvalidState, match="a key is a str") as caught:
        take_in({"a": {"b": 1, key: 2}})
    assert caught.value.path == ("a", key)


def test_a_key_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidState, match="surrogate") as caught:
        take_in({"a": {"\udc00": 1}})
    assert caught.value.path == ("a", "\udc00")


def test_what_the_codec_accepts_is_taken_in_and_is_rich() -> None:
    taken = take_in(
        {"at": Point(1), "list": [Point(2)]}, accepts=lambda value: type(value) is Point
    )
    assert taken["at"] == Point(1)
    assert taken._rich
    assert taken["list"]._rich


# -- depth ---------------------------------------------------------------------------------------


def nest(depth: int, wrap: Any = lambda inner: {"a": inner}) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = wrap(value)
    return value


@pytest.mark.parametrize("limit", [1, 2, 64, 200])
def test_depth_is_exact(limit: int) -> None:
    assert equal(take_in(nest(limit), max_depth=limit), nest(limit))
    with pytest.raises(InvalidState, match=f"deeper than {limit} levels") as caught:
        take_in(nest(limit + 1), max_depth=limit)
    assert caught.value.path == ("a",) * limit


def test_lists_count_as_levels_too() -> None:
    with pytest.raises(InvalidState, match="deeper") as caught:
        take_in({"a": [[[]]]}, max_depth=3)
    assert caught.value.path == ("a", 0, 0)


@pytest.mark.parametrize(
    "write", [{"a": Append([[]])}, {"a": Replace({"b": {}})}, {"a": {"b": Replace([])}}]
)
def test_what_is_in_an_operator_counts_from_where_it_will_stand(write: Write) -> None:
    take_in_changes(write, max_depth=3)
    with pytest.raises(InvalidState, match="deeper"):
        take_in_changes(write, max_depth=2)


def test_a_cycle_is_refused() -> None:
    dicts: dict[str, Any] = {}
    dicts["a"] = {"b": dicts}
    lists: list[Any] = []
    lists.append(lists)
    for cycle in (dicts, {"a": lists}):
        with pytest.raises(InvalidState, match="cycle"):
            take_in(cycle)


def test_one_value_in_two_places_is_no_cycle() -> None:
    shared = {"b": [1]}
    assert take_in({"a": shared, "c": [shared, shared]})["c"][1] == shared


# -- a write -------------------------------------------------------------------------------------


@thorough
@given(patches())
def test_a_write_comes_out_as_it_went_in(write: Write) -> None:
    taken = take_in_changes(write)
    assert equal(taken, write)
    assert (type(taken) is Patch) == has_operator(write)


def has_operator(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(has_operator, value.values()))
    return type(value) in (type(REMOVE), Append, Increment, Replace)


@pytest.mark.parametrize(
    ("write", "path"),
    [
        ({"a": [REMOVE]}, ("a", 0)),
        ({"a": [1, {"b": Increment()}]}, ("a", 1)),
        ({"a": Append(["x", REMOVE])}, ("a", 1)),
        ({"a": Append([{"b": Append([1])}])}, ("a", 0)),
        ({"a": Append("text")}, ("a",)),
        ({"a": Append({"b": 1})}, ("a",)),
        ({"a": Append([{1}])}, ("a", 0)),
        ({"a": Replace({"b": REMOVE})}, ("a", "b")),
        ({"a": Replace(Replace(1))}, ("a",)),
        ({"a": Replace({"b": {1}})}, ("a", "b")),
        ({"a": Increment("1")}, ("a",)),
        ({"a": Increment(True)}, ("a",)),
        ({"a": Increment(None)}, ("a",)),
        ({"a": Increment(Number(1))}, ("a",)),
        ({"a": {"b": Append}}, ("a", "b")),
    ],
)
def test_an_operator_out_of_place_is_refused_with_its_path(
    write: Write, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(InvalidState) as caught:
        take_in_changes(write)
    assert caught.value.path[: len(path)] == path


def test_what_an_operator_holds_is_ours() -> None:
    theirs: list[dict[str, Any]] = [{"b": (1,)}]
    taken = take_in_changes({"a": Append(theirs), "c": Replace({"d": theirs})})
    assert are_ours(taken["a"].items)
    assert are_ours(taken["c"].value)
    theirs[0]["b"] = ()
    assert taken["a"].items == [{"b": [1]}]
