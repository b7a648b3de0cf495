"""Merge deltas that follow each other into one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chord.changes import Added, Changes, Modified, Removed, Spliced
from chord.delta.application import apply_to_value, invert_change
from chord.delta.difference import diff_values, list_of, tail_of
from chord.delta.equality import count_common
from chord.errors import DeltaMismatch
from chord.state import Tree


def merge(changes_list: Iterable[Changes]) -> Changes:
    """Return one delta that says what these, each continuing the one before, say together.

    What comes to no change is not in it. O(sum of their sizes).
    Raises `DeltaMismatch` where one does not continue the one before.

    >>> merge([{"n": Modified(1, 2)}, {"n": Modified(2, 3), "m": Added([])}])
    {'n': Modified(old_value=1, value=3), 'm': Added(value=[])}
    """
    merged = _Scratch()
    for changes in changes_list:
        _merge_into(merged, changes)
    return _seal(merged)


class _Scratch(dict[str, Any]):
    """A level of a merge under way: the only kind of dict that a merge writes."""


def _merge_into(merged: _Scratch, changes: Changes) -> None:
    for key, later in changes.items():
        earlier = merged.get(key)
        if earlier is None:
            merged[key] = later
            continue
        try:
            both = _compose(earlier, later)
        except DeltaMismatch as error:
            raise DeltaMismatch((key, *error.path), error.problem) from None
        if both:
            merged[key] = both
        else:
            del merged[key]


def _seal(merged: _Scratch) -> Tree:
    return Tree(
        {key: _seal(inner) if type(inner) is _Scratch else inner for key, inner in merged.items()}
    )


def _compose(earlier: Any, later: Any) -> Any:
    """What two changes of one value, in turn, come to; None or an empty dict for no change."""
    first, second = type(earlier), type(later)
    if first is Removed:
        _require(second is Added, "changed, but it was removed before")
        return diff_values(earlier.old_value, later.value)
    _require(second is not Added, "added, but it was there before")
    if first is Added:
        return None if second is Removed else Added(apply_to_value(earlier.value, later))
    if first is Modified:
        if second is Removed:
            return Removed(earlier.old_value)
        return diff_values(earlier.old_value, apply_to_value(earlier.value, later))
    if second is Removed:
        return Removed(_undo(later.old_value, earlier))
    if second is Modified:
        return diff_values(_undo(later.old_value, earlier), later.value)
    if first is Spliced and second is Spliced:
        return _compose_splices(earlier, later)
    _require(isinstance(earlier, dict) and isinstance(later, dict), "a list here, a dict there")
    scratch = earlier if first is _Scratch else _Scratch(earlier)
    _merge_into(scratch, later)
    return scratch


def _undo(value: Any, change: Any) -> Any:
    return apply_to_value(value, invert_change(change))


def _compose_splices(earlier: Spliced, later: Spliced) -> Spliced | None:
    overlap = later.start - earlier.start
    _require(
        len(later.removed) + overlap == len(earlier.inserted), "splices of lists of other lengths"
    )
    if overlap >= 0:
        start, removed = earlier.start, earlier.removed
        inserted = list_of(earlier.inserted[:overlap] + later.inserted, earlier, later.inserted)
    else:
        start, inserted = later.start, later.inserted
        removed = list_of(later.removed[:-overlap] + earlier.removed, later, earlier.removed)
    common = count_common(removed, inserted)
    if common == len(removed) == len(inserted):
        return None
    return Spliced(start + common, tail_of(removed, common), tail_of(inserted, common))


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise DeltaMismatch((), problem)
