"""Hold deltas for the tests of formatters: of changes made by hand, and random states for more."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chord.changes import Changes
from chord.records import Delta

NASTY_KEYS = ("", "/", "~", "~1", "~01", "a/b", "-", "0", "1", "action", "path", "op", "é")

keys = st.sampled_from(NASTY_KEYS) | st.text(max_size=3)
numbers = st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False)
scalars = st.none() | numbers | st.text(max_size=3)


def nest(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """States of dicts only, with these leaves."""
    values = st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=4))
    return st.dictionaries(keys, values, max_size=5)


lists = st.lists(st.none() | st.integers(0, 2) | nest(scalars), max_size=5)
states = nest(scalars | lists)


def delta_of(changes: Changes) -> Delta:
    return Delta(
        context_id="room:1",
        changes=changes,
        from_version=1,
        version=2,
        epoch="k3f9",
        updated_at=1000.0,
    )
