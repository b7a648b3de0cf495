"""Compute the delta between two states. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chord.changes import Added, Changes, Leaf, Modified, Removed, Spliced
from chord.delta.equality import MISSING, count_common, equal
from chord.state import NOTHING, SIMPLE, StateDict, StateList, Tree, is_rich, make_list

NO_CHANGES: Final = Tree()

_note: Final = dict.setdefault  # for a key that is not there yet, at half the cost of __setitem__


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Return what became of each key from `old` to `new`. O(size of what they do not share).

    >>> diff({"a": 1, "b": {"c": [1]}}, {"b": {"c": [1, 2]}, "d": {}})
    {'b': {'c': Spliced(start=1, removed=[], inserted=[2])}, 'd': Added(value={}), \
'a': Removed(old_value=1)}
    """
    return NO_CHANGES if old is new else _diff_dicts(old, new) or NO_CHANGES


def _diff_dicts(old: Mapping[str, Any], new: Mapping[str, Any]) -> Tree | None:
    """What became of each key, None if nothing did. Each test stands where it saves the most."""
    changes: Tree | None = None
    get = old.get
    added = 0
    for key, value in new.items():
        was = get(key, MISSING)
        if was is value:
            continue
        kind = type(value)
        change: Any
        if kind is type(was):
            if kind is str or kind in SIMPLE:
                if was == value:
                    continue
                change = Modified(was, value)
            elif kind is StateDict:
                change = _diff_dicts(was, value)
            else:
                change = diff_values(was, value)
        elif was is MISSING:
            added += 1
            change = Added(value)
        else:
            change = diff_values(was, value)
        if change is None:
            continue
        if changes is None:
            changes = Tree()
        _note(changes, key, change)
    if len(new) - added < len(old):
        changes = Tree() if changes is None else changes
        for key, was in old.items():
            if key not in new:
                _note(changes, key, Removed(was))
    return changes


def diff_values(old: Any, new: Any) -> Tree | Leaf | None:
    """Return what became of one value, None if nothing did."""
    if isinstance(new, dict):
        if isinstance(old, dict):
            return _diff_dicts(old, new)
    elif isinstance(new, list) and isinstance(old, list):
        return _splice(old, new, count_common(old, new))
    return None if equal(old, new) else Modified(old, new)


def _splice(old: list[Any], new: list[Any], start: int) -> Spliced | None:
    if start == len(old) == len(new):
        return None
    return Spliced(start, tail_of(old, start), tail_of(new, start))


def tail_of(items: list[Any], start: int) -> StateList:
    """Copy the items from `start` on, as a leaf may hold them."""
    return list_of(items[start:], items)


def list_of(items: list[Any], *origins: Any) -> StateList:
    """A list without owner; rich where one of those that its items are from may be."""
    if not items:
        return NOTHING
    return make_list(items, None, any(is_rich(origin) for origin in origins))
