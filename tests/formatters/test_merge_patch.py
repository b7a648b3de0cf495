"""Test the merge patch format by an apply function written from RFC 7396 alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chord.changes import Added, Modified, Removed, Spliced
from chord.delta import diff, equal
from chord.errors import CannotFormat
from chord.formatters.merge_patch import MergePatchFormatter
from chord.state import take_in
from tests.formatters.deltas import delta_of, nest, numbers, states


def patch(changes: dict[str, Any]) -> dict[str, Any]:
    return MergePatchFormatter().format(delta_of(changes))


def merge_patch(target: Any, patch: Any) -> Any:
    """The function `MergePatch` of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = copy.copy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def test_no_changes_are_an_empty_patch() -> None:
    assert patch({}) == {}


def test_leaves_stand_where_they_do_in_the_state() -> None:
    assert patch({"a": {"b": Added(1), "c": Modified(1, {"x": 2})}, "d": Removed(3)}) == {
        "a": {"b": 1, "c": {"x": 2}},
        "d": None,
    }


def test_an_empty_dict_that_was_added_is_told() -> None:
    assert patch({"a": Added({})}) == {"a": {}}


def test_a_list_of_which_the_delta_has_all_is_told_whole() -> None:
    assert patch({"log": Spliced(0, [1], [2, None])}) == {"log": [2, None]}


def test_a_list_of_which_the_delta_has_only_the_tail_is_refused() -> None:
    with pytest.raises(CannotFormat) as caught:
        patch({"a": {"log": Spliced(2, [], [1])}})
    assert caught.value.path == ("a", "log")
    assert "first 2 items" in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"a": Added(None)}, ("a",)),
        ({"a": {"b": Modified(1, None)}}, ("a", "b")),
        ({"a": Added({"b": {"c": None}})}, ("a", "b", "c")),
        ({"a": Modified(1, {"b": None})}, ("a", "b")),
    ],
)
def test_a_none_that_was_set_is_refused(changes: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(CannotFormat) as caught:
        patch(changes)
    assert caught.value.path == path


def test_a_none_inside_a_list_is_a_value_like_any_other() -> None:
    assert patch({"a": Added([None, {"b": None}])}) == {"a": [None, {"b": None}]}


def test_a_none_that_was_replaced_or_removed_is_no_obstacle() -> None:
    assert patch({"a": Modified(None, 1), "b": Removed(None)}) == {"a": 1, "b": None}


def test_containers_come_out_plain() -> None:
    state = take_in({"a": {"b": [{}]}})
    value = patch({"a": Added(state["a"])})["a"]
    assert [type(value), type(value["b"]), type(value["b"][0])] == [dict, list, dict]


@given(states, states)
def test_what_can_be_told_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    try:
        told = patch(dict(diff(old, new)))
    except CannotFormat:
        assume(False)
    assert equal(merge_patch(old, told), new)


without_none = nest(numbers | st.text(max_size=3))


@given(without_none, without_none)
def test_states_without_none_and_lists_are_never_refused(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert equal(merge_patch(old, patch(dict(diff(old, new)))), new)
