"""Test the containers of a state: callers only read them, and what they know of themselves."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from msgspec import msgpack

from chord.delta import equal
from chord.state import (
    EMPTY,
    NOTHING,
    Patch,
    StateDict,
    StateList,
    Tree,
    adopt,
    is_wide,
    may_be_rich,
    take_in,
    thaw,
)
from chord.testing.strategies import State, states
from tests.laws import containers, thorough

NOON = datetime(2024, 7, 1, 12)

# -- reading only --------------------------------------------------------------------------------

CHANGE_A_DICT = {
    "set": lambda d: d.__setitem__("a", 2),
    "del": lambda d: d.__delitem__("a"),
    "|=": lambda d: d.__ior__({"a": 2}),
    "clear": lambda d: d.clear(),
    "pop": lambda d: d.pop("a"),
    "pop with default": lambda d: d.pop("z", None),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("z", 1),
    "setdefault of what is there": lambda d: d.setdefault("a", 1),
    "update": lambda d: d.update(a=2),
}
CHANGE_A_LIST = {
    "set": lambda x: x.__setitem__(0, 9),
    "set a slice": lambda x: x.__setitem__(slice(0, 1), []),
    "del": lambda x: x.__delitem__(0),
    "del a slice": lambda x: x.__delitem__(slice(None)),
    "+=": lambda x: x.__iadd__([1]),
    "*=": lambda x: x.__imul__(2),
    "append": lambda x: x.append(1),
    "clear": lambda x: x.clear(),
    "extend": lambda x: x.extend([1]),
    "insert": lambda x: x.insert(0, 1),
    "pop": lambda x: x.pop(),
    "remove": lambda x: x.remove(3),
    "reverse": lambda x: x.reverse(),
    "sort": lambda x: x.sort(),
}


@pytest.mark.parametrize("change", CHANGE_A_DICT.values(), ids=CHANGE_A_DICT)
@pytest.mark.parametrize("kind", [StateDict, Tree, Patch])
def test_a_dict_of_ours_refuses_to_be_changed(kind: type[dict[str, Any]], change: Any) -> None:
    ours = kind({"a": 1})
    with pytest.raises(TypeError, match="read-only"):
        change(ours)
    assert ours == {"a": 1}


@pytest.mark.parametrize("change", CHANGE_A_LIST.values(), ids=CHANGE_A_LIST)
def test_a_list_of_ours_refuses_to_be_changed(change: Any) -> None:
    ours = StateList([3, 1, 2])
    with pytest.raises(TypeError, match="read-only"):
        change(ours)
    assert ours == [3, 1, 2]


def test_no_method_that_changes_a_container_was_forgotten() -> None:
    reading = {*("get", "items", "keys", "values", "copy", "fromkeys", "count", "index")}
    for base, kinds in ((dict, (StateDict, Tree, Patch)), (list, (StateList,))):
        public = {name for name in dir(base) if not name.startswith("_")} - reading
        changing = public | {"__setitem__", "__delitem__"}
        changing |= {name for name in dir(base) if name.startswith("__i") and name in IN_PLACE}
        for kind in kinds:
            assert {
                name for name in changing if getattr(kind, name) is getattr(base, name)
            } == set()


IN_PLACE = {"__iadd__", "__imul__", "__ior__", "__iand__", "__isub__", "__ixor__"}


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), thaw]
)
@given(states())
def test_a_copy_is_plain_and_may_be_changed(duplicate: Any, state: State) -> None:
    made = duplicate(take_in(state))
    assert equal(made, state)
    assert {type(each) for each in containers(made)} <= {dict, list}
    made["z"] = 1


def test_a_copy_shares_no_container() -> None:
    taken = take_in({"a": [{"b": 1}]})
    made = copy.deepcopy(taken)
    made["a"][0]["b"] = 2
    assert taken == {"a": [{"b": 1}]}


def test_a_shallow_copy_may_be_changed_without_the_state() -> None:
    taken = take_in({"a": [1]})
    for shallow in (taken.copy(), dict(taken), taken | {}, {**taken}, copy.copy(taken)):
        shallow["b"] = 1
    assert taken == {"a": [1]}


def test_a_state_reads_and_compares_like_a_dict() -> None:
    taken = take_in({"a": [1, 2], "b": {}})
    assert taken == {"a": [1, 2], "b": {}}
    assert repr(taken) == "{'a': [1, 2], 'b': {}}"
    assert isinstance(taken, dict)
    assert isinstance(taken["a"], list)


# -- what is rich ----------------------------------------------------------------------------------


@thorough
@given(states())
def test_a_container_knows_whether_something_rich_is_below_it(state: State) -> None:
    for container in (*containers(take_in(state)), *containers(adopt(state))):
        if not container._rich:
            assert equal(msgpack.decode(msgpack.encode(container)), container)


@given(states())
def test_adopting_is_taking_in_without_questions(state: State) -> None:
    adopted, taken = adopt(state), take_in(state)
    assert equal(adopted, taken)
    assert [each._rich for each in containers(adopted)] == [
        each._rich for each in containers(taken)
    ]


PLAIN = (None, True, 1, 2**64 - 1, -(2**63), 1.5, "x", b"x", EMPTY, NOTHING)
RICH = (2**64, -(2**63) - 1, Decimal(1), NOON, NOON.date(), time(1), timedelta(1))
UNKNOWN: tuple[Any, ...] = ({}, [], take_in({"a": Decimal(1)}))  # not ours may hold anything


@pytest.mark.parametrize("value", PLAIN)
def test_what_messagepack_has_a_type_for_is_not_rich(value: Any) -> None:
    assert not may_be_rich(value)


@pytest.mark.parametrize("value", RICH + UNKNOWN)
def test_what_messagepack_has_no_type_for_is_rich(value: Any) -> None:
    assert may_be_rich(value)


@pytest.mark.parametrize(
    ("number", "wide"),
    [(2**64, True), (2**64 - 1, False), (-(2**63), False), (-(2**63) - 1, True), (0, False)],
)
def test_an_integer_is_wide_beyond_64_bits(number: int, wide: bool) -> None:
    assert is_wide(number) == wide
