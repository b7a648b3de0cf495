"""Test the walk over a delta's leaves."""

from __future__ import annotations

from chord.changes import Added, Modified, Removed, Spliced
from chord.formatters.base import leaves


def test_no_changes_have_no_leaves() -> None:
    assert list(leaves({})) == []


def test_each_leaf_comes_with_its_path_in_the_order_of_the_tree() -> None:
    changes = {
        "z": {"y": {"x": Modified(1, 2)}, "": Removed(3)},
        "a": Added({"not": "walked"}),
        "m": Spliced(0, [], [1]),
    }
    assert list(leaves(changes)) == [
        (("z", "y", "x"), Modified(1, 2)),
        (("z", ""), Removed(3)),
        (("a",), Added({"not": "walked"})),
        (("m",), Spliced(0, [], [1])),
    ]
