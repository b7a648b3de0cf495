"""Test the flat format: complete, in order, and deaf to what a user's keys are called."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from chord.changes import Added, Modified, Removed, Spliced
from chord.delta import diff
from chord.formatters.base import leaves
from chord.formatters.flat import FlatFormatter
from chord.state import take_in
from tests.formatters.deltas import delta_of, states

LEAVES = {"added": Added, "modified": Modified, "removed": Removed, "spliced": Spliced}


def flat(changes: dict[str, Any]) -> list[dict[str, Any]]:
    return FlatFormatter().format(delta_of(changes))


def test_no_changes_are_an_empty_list() -> None:
    assert flat({}) == []


def test_an_added_key_is_told_with_its_value() -> None:
    assert flat({"a": Added(1)}) == [{"action": "added", "path": ["a"], "value": 1}]


def test_a_modified_value_is_told_with_the_old_one() -> None:
    assert flat({"a": Modified(1, None)}) == [
        {"action": "modified", "path": ["a"], "old_value": 1, "value": None}
    ]


def test_a_removed_key_is_told_with_what_it_had() -> None:
    assert flat({"a": Removed([1])}) == [{"action": "removed", "path": ["a"], "old_value": [1]}]


def test_a_spliced_list_is_told_by_its_tails() -> None:
    assert flat({"a": Spliced(7, [1], [2, 3])}) == [
        {"action": "spliced", "path": ["a"], "start": 7, "removed": [1], "inserted": [2, 3]}
    ]


def test_a_deep_path_is_one_flat_list_of_keys() -> None:
    assert flat({"a": {"b": {"c": Added(1)}}})[0]["path"] == ["a", "b", "c"]


def test_an_empty_dict_that_was_added_is_told() -> None:
    assert flat({"a": Added({})}) == [{"action": "added", "path": ["a"], "value": {}}]


def test_leaves_come_in_the_order_of_the_tree() -> None:
    changes = {"z": {"b": Added(1), "a": Added(2)}, "y": Added(3)}
    assert [record["path"] for record in flat(changes)] == [["z", "b"], ["z", "a"], ["y"]]


def test_keys_that_the_format_itself_uses_are_only_ever_in_the_path() -> None:
    changes = {"action": {"path": Added(1), "value": {"": Removed(2)}}}
    assert flat(changes) == [
        {"action": "added", "path": ["action", "path"], "value": 1},
        {"action": "removed", "path": ["action", "value", ""], "old_value": 2},
    ]


def test_containers_come_out_plain_and_may_be_changed() -> None:
    state = take_in({"a": {"items": [{}]}})
    value = flat({"a": Added(state["a"])})[0]["value"]
    assert [type(value), type(value["items"]), type(value["items"][0])] == [dict, list, dict]
    value["items"][0]["mine"] = True
    assert state == {"a": {"items": [{}]}}


@given(states, states)
def test_nothing_of_a_delta_is_lost(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = diff(old, new)
    records = FlatFormatter().format(delta_of(changes))
    told = [(tuple(record.pop("path")), LEAVES[record.pop("action")], record) for record in records]
    assert [(path, kind(**fields)) for path, kind, fields in told] == list(leaves(changes))
