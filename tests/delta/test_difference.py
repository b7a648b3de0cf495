"""Test what `diff` says of two states, and that it says no more than needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from chord.changes import LEAVES, Added, Changes, Modified, Removed, Spliced
from chord.delta import apply, diff, equal
from chord.state import StateDict, StateList, Tree
from chord.testing.strategies import states
from tests.laws import State, containers, fresh, thorough, walks


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({}, {"a": 1}, {"a": Added(1)}),
        ({}, {"a": None}, {"a": Added(None)}),
        ({"a": None}, {}, {"a": Removed(None)}),
        ({"a": None}, {"a": None}, {}),
        ({}, {"a": {}}, {"a": Added({})}),
        ({}, {"a": {"b": {"c": 1}}}, {"a": Added({"b": {"c": 1}})}),
        ({"a": {"b": 1}}, {}, {"a": Removed({"b": 1})}),
        ({"a": 1}, {"a": 2}, {"a": Modified(1, 2)}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": Modified(1, {"b": 1})}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": Modified({"b": 1}, 1)}),
        ({"a": {}}, {"a": []}, {"a": Modified({}, [])}),
        ({"a": []}, {"a": {}}, {"a": Modified([], {})}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": Removed(1)}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, {"a": {"b": {"c": Modified(1, 2)}}}),
        ({"a": [1]}, {"a": [1, 2, 3]}, {"a": Spliced(1, [], [2, 3])}),
        ({"a": [1, 2, 3]}, {"a": [1]}, {"a": Spliced(1, [2, 3], [])}),
        ({"a": [1, 2, 3]}, {"a": [1, 9, 3]}, {"a": Spliced(1, [2, 3], [9, 3])}),
        ({"a": [1]}, {"a": []}, {"a": Spliced(0, [1], [])}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": Spliced(0, [{"b": 1}], [{"b": 2}])}),
        ({"action": "a"}, {"action": "b"}, {"action": Modified("a", "b")}),
        ({"": 1, "/": 1}, {"": 2, "~": 1}, {"": Modified(1, 2), "/": Removed(1), "~": Added(1)}),
    ],
)
def test_each_key_is_told_by_one_leaf(old: State, new: State, changes: Changes) -> None:
    assert equal(diff(old, new), changes)


@pytest.mark.parametrize(
    ("old", "new"), [(1, 1.0), (1, True), (0.0, -0.0), (None, {}), ([1], [True]), ("", b"")]
)
def test_a_value_that_is_only_nearly_the_same_has_changed(old: Any, new: Any) -> None:
    assert diff({"a": old}, {"a": new})


@thorough
@given(states())
def test_between_equal_states_there_is_nothing(state: State) -> None:
    assert diff(state, fresh(state)) == {}


@thorough
@given(walks(2))
def test_it_leads_from_the_old_state_to_the_new(walk: list[StateDict]) -> None:
    old, new = walk
    assert equal(apply(old, diff(old, new)), new)
    assert equal(apply(fresh(old), diff(old, new)), new)


@thorough
@given(walks(2))
def test_what_the_states_share_makes_no_difference(walk: list[StateDict]) -> None:
    old, new = walk
    assert equal(diff(old, new), diff(fresh(old), fresh(new)))


@thorough
@given(walks(2))
def test_it_is_canonical(walk: list[StateDict]) -> None:
    for leaf in leaves_of(diff(*walk)):
        match leaf:
            case Spliced(_, removed, inserted):
                assert removed or inserted
                assert not (removed and inserted and equal(removed[0], inserted[0]))
            case Modified(old, new):
                assert not equal(old, new)
                assert not (isinstance(old, dict) and isinstance(new, dict))
                assert not (isinstance(old, list) and isinstance(new, list))


def leaves_of(changes: Any) -> Iterator[Any]:
    """All leaves below, while no subtree is empty and every one is read-only."""
    for change in changes.values():
        if type(change) in LEAVES:
            yield change
        else:
            assert type(change) is Tree
            assert change
            yield from leaves_of(change)


@given(walks(2))
def test_what_a_splice_holds_is_ours_and_has_no_owner(walk: list[StateDict]) -> None:
    for leaf in leaves_of(diff(*walk)):
        if type(leaf) is Spliced:
            for items in (leaf.removed, leaf.inserted):
                assert type(items) is StateList
                assert items._owner is None
                assert items._rich or not any(each._rich for each in containers(list(items))[1:])
