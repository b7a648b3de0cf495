"""Test what a partial state, and each write operator, makes of a state."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import REMOVE, Added, Append, Increment, Modified, Removed, Replace, Spliced
from chord.delta import apply, diff, equal, update
from chord.errors import InvalidState
from chord.state import take_in, take_in_changes
from chord.testing.strategies import State, Write, histories
from tests.laws import are_ours, fresh, thorough


@pytest.mark.parametrize(
    ("state", "partial", "wanted"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 1.0}, {"a": 1.0}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({}, {"a": None}, {"a": None}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({}, {"a": {}}, {"a": {}}),
        ({}, {"a": {"b": {}}}, {"a": {"b": {}}}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": []}, {"a": []}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [{"b": 1}]}, {"a": [{}]}, {"a": [{}]}),
    ],
)
def test_a_dict_merges_and_anything_else_replaces(
    state: State, partial: Write, wanted: State
) -> None:
    check_law(state, partial, wanted)


@pytest.mark.parametrize(
    ("state", "partial", "wanted"),
    [
        ({"a": 1}, {"a": REMOVE}, {}),
        ({"a": {"b": 1}}, {"a": REMOVE}, {}),
        ({"a": None}, {"a": REMOVE}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": REMOVE}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"b": REMOVE}}, {"a": {}}),
        ({}, {"a": REMOVE}, {}),
        ({"a": {}}, {"a": {"b": REMOVE}}, {"a": {}}),
        ({}, {"a": {"b": REMOVE}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": REMOVE, "c": 2}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": Replace({"c": 2})}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": Replace({})}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": Replace({"b": 1})}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": Replace(None)}, {"a": None}),
        ({}, {"a": Replace([])}, {"a": []}),
        ({"a": [1]}, {"a": Append([2, 3])}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"a": Append([])}, {"a": [1]}),
        ({"a": []}, {"a": Append([[]])}, {"a": [[]]}),
        ({}, {"a": Append([1])}, {"a": [1]}),
        ({}, {"a": Append([])}, {"a": []}),
        ({}, {"a": {"b": Append([{}])}}, {"a": {"b": [{}]}}),
        ({"a": 1}, {"a": Increment()}, {"a": 2}),
        ({"a": 1}, {"a": Increment(-1)}, {"a": 0}),
        ({"a": 1}, {"a": Increment(0)}, {"a": 1}),
        ({"a": 1}, {"a": Increment(0.0)}, {"a": 1.0}),
        ({"a": 0.5}, {"a": Increment(1)}, {"a": 1.5}),
        ({"a": 2**64 - 1}, {"a": Increment()}, {"a": 2**64}),
        ({"a": Decimal("1.0")}, {"a": Increment(Decimal("0.05"))}, {"a": Decimal("1.05")}),
        ({"a": Decimal("1.0")}, {"a": Increment(1)}, {"a": Decimal("2.0")}),
        ({}, {"a": Increment(0.5)}, {"a": 0.5}),
        ({}, {"a": Increment(0)}, {"a": 0}),
        ({}, {"a": Increment(-0.0)}, {"a": 0.0}),
        ({}, {"a": {"b": Increment(3)}}, {"a": {"b": 3}}),
        ({"a": 5}, {"a": {"b": Increment(3)}}, {"a": {"b": 3}}),
    ],
)
def test_operators_operate(state: State, partial: Write, wanted: State) -> None:
    check_law(state, partial, wanted)


def check_law(state: State, partial: Write, wanted: State) -> None:
    """`update(s, p) == (t, diff(s, t))`: of plain dicts, of what was taken in, and in place."""
    ours, owner = take_in(state), object()
    for made, changes in (
        update(state, partial),
        update(ours, take_in_changes(partial)),
        update(ours, partial, owner=owner),
    ):
        assert equal(made, wanted)
        assert equal(changes, diff(state, wanted))
    assert equal(ours, state)


@pytest.mark.parametrize(
    ("partial", "change"),
    [
        ({"a": Append([3])}, Spliced(2, [], [3])),
        ({"a": Replace([1, 2, 3])}, Spliced(2, [], [3])),
        ({"a": [1, 9]}, Spliced(1, [2], [9])),
        ({"a": REMOVE}, Removed([1, 2])),
        ({"a": {"b": Append([1])}}, Modified([1, 2], {"b": [1]})),
        ({"b": {"c": Append([1])}}, None),
    ],
)
def test_the_delta_is_that_of_the_states(partial: Write, change: Any) -> None:
    _, changes = update({"a": [1, 2]}, partial)
    assert equal(changes, {"b": Added({"c": [1]})} if change is None else {"a": change})


@pytest.mark.parametrize(
    ("state", "partial", "path", "problem"),
    [
        ({"a": 1}, {"a": Append([1])}, ("a",), "Append to a int"),
        ({"a": {}}, {"a": Append([1])}, ("a",), "Append to a"),
        ({"a": None}, {"a": Append([1])}, ("a",), "Append to a NoneType"),
        ({"a": "x"}, {"a": Append(["y"])}, ("a",), "Append to a str"),
        ({"a": None}, {"a": Increment()}, ("a",), "Increment of a NoneType"),
        ({"a": True}, {"a": Increment()}, ("a",), "Increment of a bool"),
        ({"a": "1"}, {"a": Increment()}, ("a",), "Increment of a str"),
        ({"a": []}, {"a": Increment()}, ("a",), "Increment of a"),
        ({"a": 1}, {"a": Increment("1")}, ("a",), "by a str"),
        ({}, {"a": Increment(True)}, ("a",), "by a bool"),
        ({"a": 1.0}, {"a": Increment(Decimal(1))}, ("a",), "Increment"),
        ({"a": Decimal("sNaN")}, {"a": Increment()}, ("a",), "Increment"),
        ({"a": Decimal("Infinity")}, {"a": Increment(Decimal("-Infinity"))}, ("a",), "Increment"),
        ({"a": 10**400}, {"a": Increment(0.5)}, ("a",), "Increment"),
        ({"a": 10**5000}, {"a": Increment(0.5)}, ("a",), "Increment"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": Append([])}}}, ("a", "b", "c"), "Append"),
        ({"a": 1}, {"a": {"b": {"c": Increment("")}}}, ("a", "b", "c"), "Increment"),
        ({}, {"a": [REMOVE]}, ("a",), "inside a list"),
        ({}, {"a": [{"b": Append([1])}]}, ("a",), "inside a list"),
        ({}, {"a": Replace({"b": REMOVE})}, ("a",), "a Replace"),
        ({}, {"a": Replace(REMOVE)}, ("a",), "a Replace"),
        ({}, {"a": Append([Increment()])}, ("a",), "inside a list"),
        ({}, {"a": Append("text")}, ("a",), "takes a list, not a str"),
        ({"a": [1]}, {"a": Append({"b": 1})}, ("a",), "takes a list, not a"),
    ],
)
def test_an_operator_on_another_type_is_refused_with_its_path(
    state: State, partial: Write, path: tuple[str, ...], problem: str
) -> None:
    ours = take_in(state)
    with pytest.raises(InvalidState, match=problem) as caught:
        update(ours, partial)
    assert caught.value.path == path
    assert equal(ours, state)


def test_a_write_that_changes_nothing_gives_the_very_state() -> None:
    state = take_in({"a": {"b": [1, float("nan")]}})
    partial = {"a": {"b": [1, float("nan")], "c": REMOVE}}
    for owner in (None, object()):
        made, changes = update(state, partial, owner=owner)
        assert made is state
        assert changes == {}


def test_what_is_not_on_a_path_is_shared() -> None:
    state = take_in({"a": {"b": 1}, "c": {"d": 1}, "e": [1]})
    made, _ = update(state, {"a": {"b": 2}})
    assert made["c"] is state["c"]
    assert made["e"] is state["e"]


@thorough
@given(histories())
def test_a_write_and_the_diff_of_its_states_are_one(history: tuple[State, list[Write]]) -> None:
    first, writes = history
    state = take_in(first)
    for write in writes:
        made, changes = update(state, take_in_changes(write))
        assert equal(changes, diff(state, made))
        assert equal(apply(state, changes), made)
        assert are_ours(made)
        assert equal(fresh(made), made)
        state = made


@thorough
@given(histories())
def test_plain_and_taken_in_writes_are_one(history: tuple[State, list[Write]]) -> None:
    first, writes = history
    plain: Any = first
    ours = take_in(first)
    for write in writes:
        plain, of_plain = update(plain, write)
        ours, of_ours = update(ours, take_in_changes(write))
        assert equal(plain, ours)
        assert equal(of_plain, of_ours)


@thorough
@given(histories())
def test_what_is_put_in_stays_as_it_was(history: tuple[State, list[Write]]) -> None:
    state, writes = history
    before = copy.deepcopy((state, writes))
    made: Any = state
    for write in writes:
        made, _ = update(made, write)
    assert equal(state, before[0])
    assert equal(list(writes), before[1])


@given(histories(), st.integers(0, 3))
def test_a_caller_may_change_the_plain_write_afterwards(
    history: tuple[State, list[Write]], index: int
) -> None:
    first, writes = history
    plain = copy.deepcopy([first, *writes])
    made: Any = plain[0]
    for write in plain[1:]:
        made, _ = update(made, write, owner=made)
    before = fresh(made)
    for write in plain[1:]:
        spoil(write)
    assert equal(made, before)


def spoil(value: Any) -> None:
    """Empty all containers that can be reached."""
    inner = list(value.values() if isinstance(value, dict) else value)
    value.clear()
    for each in inner:
        if type(each) in (Append, Replace):
            each = each.items if type(each) is Append else each.value
        if isinstance(each, (dict, list)):
            spoil(each)
