"""Test the JSON Patch format by what an independent implementation makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from chord.changes import Added, Modified, Removed, Spliced
from chord.delta import diff, equal
from chord.formatters.json_patch import JsonPatchFormatter
from chord.state import take_in
from tests.formatters.deltas import delta_of, states


def patch(changes: dict[str, Any]) -> list[dict[str, Any]]:
    return JsonPatchFormatter().format(delta_of(changes))


def test_no_changes_are_an_empty_patch() -> None:
    assert patch({}) == []


def test_leaves_are_add_replace_and_remove() -> None:
    assert patch({"a": {"b": Added(1), "c": Modified(1, 2)}, "d": Removed(3)}) == [
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "replace", "path": "/a/c", "value": 2},
        {"op": "remove", "path": "/d"},
    ]


def test_a_value_of_none_is_told_as_a_value() -> None:
    assert patch({"a": Modified(1, None)}) == [{"op": "replace", "path": "/a", "value": None}]


def test_a_pointer_escapes_tildes_first_then_slashes() -> None:
    assert patch({"~1/": {"": Removed(0)}}) == [{"op": "remove", "path": "/~01~1/"}]


def test_a_list_that_grew_is_told_by_what_it_grew_by() -> None:
    assert patch({"log": Spliced(2, [], ["x", "y"])}) == [
        {"op": "add", "path": "/log/2", "value": "x"},
        {"op": "add", "path": "/log/3", "value": "y"},
    ]


def test_a_changed_tail_is_removed_from_its_end_and_then_added() -> None:
    assert patch({"log": Spliced(1, ["a", "b"], ["c"])}) == [
        {"op": "remove", "path": "/log/2"},
        {"op": "remove", "path": "/log/1"},
        {"op": "add", "path": "/log/1", "value": "c"},
    ]


def test_containers_come_out_plain() -> None:
    state = take_in({"a": {"b": [{}]}})
    value = patch({"a": Added(state["a"])})[0]["value"]
    assert [type(value), type(value["b"]), type(value["b"][0])] == [dict, list, dict]


@given(states, states)
def test_another_implementation_gets_from_old_to_new(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    jsonpatch = pytest.importorskip("jsonpatch")
    text = json.dumps(patch(dict(diff(old, new))))
    assert equal(jsonpatch.apply_patch(old, text), new)
