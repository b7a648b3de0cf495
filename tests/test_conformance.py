"""Test that we say what the reference system says, on the random states where it is right.

Its deltas are maps of ``{"action", "value", "old_value"}``. What it tells otherwise than we do: an
added map leaf by leaf, and an added empty one as an empty map; a changed list as modified.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chord.changes import Added, Leaf, Modified, Removed
from chord.delta import apply, diff, equal, update
from chord.delta.difference import diff_values
from chord.state import take_in, take_in_changes

VECTORS = Path(__file__).parent / "conformance" / "reference_vectors.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"case {case['case']}")


@each_case
def test_the_delta_of_two_states_is_the_reference_s(case: dict[str, Any]) -> None:
    changes = diff(case["old"], case["new"])
    assert equal(changes, translate(case["delta"], case["old"]))
    assert equal(apply(case["old"], changes), case["new"])


@each_case
def test_an_updated_state_is_the_reference_s(case: dict[str, Any]) -> None:
    state, changes = update(take_in(case["old"]), take_in_changes(case["changes"]))
    assert equal(state, case["updated"])
    assert equal(changes, translate(case["update_delta"], case["old"]))


def test_the_vectors_are_all_there() -> None:
    assert len(CASES) == 80
    told = [leaf["action"] for case in CASES for leaf in leaves_of(case["delta"])]
    assert set(told) == {"added", "modified", "removed"}


# -- the reference's words, in ours --------------------------------------------------------------


def translate(told: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    return {key: translate_node(node, old.get(key)) for key, node in told.items()}


def translate_node(node: dict[str, Any], old: Any) -> Any:
    if is_leaf(node):
        return translate_leaf(node)
    return translate(node, old) if isinstance(old, dict) else Added(rebuild(node))


def translate_leaf(node: dict[str, Any]) -> Leaf:
    match node:
        case {"action": "added", "value": value}:
            return Added(value)
        case {"action": "removed", "old_value": value}:
            return Removed(value)
        case {"action": "modified", "old_value": list(old), "value": list(new)}:
            spliced = diff_values(old, new)
            assert spliced is not None
            assert not isinstance(spliced, dict)
            return spliced
        case {"action": "modified", "old_value": old, "value": new}:
            return Modified(old, new)
    raise AssertionError(f"no word of the reference: {node}")


def rebuild(node: dict[str, Any]) -> Any:
    """The value of an added map that is told leaf by leaf."""
    if not is_leaf(node):
        return {key: rebuild(inner) for key, inner in node.items()}
    assert node["action"] == "added"
    return node["value"]


def is_leaf(node: dict[str, Any]) -> bool:
    return isinstance(node.get("action"), str)


def leaves_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    if is_leaf(node):
        return [node]
    return [leaf for inner in node.values() for leaf in leaves_of(inner)]
