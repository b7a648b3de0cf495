"""Apply deltas to states, and turn them round. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chord.changes import Added, Changes, Modified, Removed, Spliced
from chord.errors import DeltaMismatch
from chord.state import (
    StateDict,
    StateList,
    Tree,
    adopt,
    is_rich,
    make_dict,
    make_list,
    may_be_rich,
)


def apply(state: Mapping[str, Any], changes: Changes, *, owner: object | None = None) -> StateDict:
    """Return the state that the changes lead to. O(size of the changes and of the dicts on them).

    Without `owner` the old state stays as it is. With it, containers that carry this token are
    written in place; if this raises, they are of no more use.
    Raises `DeltaMismatch` where a key is there that should not be, or the other way round.

    >>> apply({"a": 1}, {"a": Removed(1), "b": Added({})})
    {'b': {}}
    """
    if owner is not None and type(state) is StateDict and state._owner is owner:
        target = state
    else:
        target = make_dict(state, owner, is_rich(state))
    for key, change in changes.items():
        try:
            _apply_change(target, key, change, owner)
        except DeltaMismatch as error:
            raise DeltaMismatch((key, *error.path), error.problem) from None
    return target


def _apply_change(target: StateDict, key: str, change: Any, owner: object | None) -> None:
    if type(change) is Added:
        if key in target:
            raise DeltaMismatch((), "added, but it is there already")
        value = _unshare(change.value, owner)
    elif key not in target:
        raise DeltaMismatch((), "changed, but there is nothing")
    elif type(change) is Removed:
        return dict.__delitem__(target, key)
    else:
        value = apply_to_value(target[key], change, owner)
    dict.__setitem__(target, key, value)
    target._rich = target._rich or may_be_rich(value)


def apply_to_value(old: Any, change: Any, owner: object | None = None) -> Any:
    """Return what a change, which adds and removes nothing, makes of one value."""
    kind = type(change)
    if kind is Modified:
        return _unshare(change.value, owner)
    if kind is Spliced:
        if not isinstance(old, list) or len(old) != change.start + len(change.removed):
            raise DeltaMismatch((), "spliced, but it is not a list of that length")
        return _splice(old, change, owner)
    if not isinstance(change, dict) or not isinstance(old, dict):
        raise DeltaMismatch((), f"changed inside, but it is a {type(old).__name__}")
    return apply(old, change, owner=owner)


def _splice(old: list[Any], change: Spliced, owner: object | None) -> StateList:
    if owner is not None and type(old) is StateList and old._owner is owner:
        list.__setitem__(old, slice(change.start, None), change.inserted)
        old._rich = old._rich or is_rich(change.inserted)
        return old
    joined = join(old, change.start, change.inserted)
    joined._owner = owner
    return joined


def _unshare(value: Any, owner: object | None) -> Any:
    """A leaf's value as it may stand in a state: written there, it would change in the leaf too."""
    owned = owner is not None and getattr(value, "_owner", None) is owner
    return adopt(value) if owned else value


def join(items: list[Any], start: int, tail: list[Any]) -> StateList:
    """Copy the items before `start`, and `tail` behind them."""
    return make_list([*items[:start], *tail], None, is_rich(items) or is_rich(tail))


def invert(changes: Changes) -> Changes:
    """Return the changes that undo these. O(size of the changes).

    >>> invert({"a": Added(1), "b": {"c": Modified(1, 2)}})
    {'a': Removed(old_value=1), 'b': {'c': Modified(old_value=2, value=1)}}
    """
    return Tree({key: invert_change(change) for key, change in changes.items()})


def invert_change(change: Any) -> Any:
    """Return what undoes the change of one value."""
    match change:
        case Added(value):
            return Removed(value)
        case Removed(old_value):
            return Added(old_value)
        case Modified(old_value, value):
            return Modified(value, old_value)
        case Spliced(start, removed, inserted):
            return Spliced(start, inserted, removed)
        case _:
            return invert(change)
