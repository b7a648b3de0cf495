"""Put a partial state, or write operators, to a state: new state and delta in one walk. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from chord.changes import (
    OPERATORS,
    Added,
    Append,
    Changes,
    Increment,
    Modified,
    Remove,
    Removed,
    Replace,
    Spliced,
)
from chord.delta.application import apply, invert, join
from chord.delta.composition import merge
from chord.delta.difference import diff_values
from chord.delta.equality import MISSING
from chord.errors import InvalidState
from chord.state import (
    EMPTY,
    NOTHING,
    SIMPLE,
    StateDict,
    StateList,
    Tree,
    adopt,
    is_rich,
    make_dict,
    make_list,
    may_be_rich,
)

_set: Final = dict.__setitem__
_del: Final = dict.__delitem__
_note: Final = dict.setdefault  # for a key that is not there yet, at half the cost of _set


def update(
    state: Mapping[str, Any], partial: Mapping[str, Any], *, owner: object | None = None
) -> tuple[StateDict, Changes]:
    """Put a partial state, or write operators, to a state; return the new state and the delta.

    A dict merges into the dict that is there, or into an empty one; any other value replaces.
    Without `owner` the old state stays as it is, and the new one shares what did not change. With
    it, containers that carry this token are written in place, and if this raises, they are put
    back. O(size of `partial`), and of the containers on its paths that have another owner.

    >>> update({"people": {"ana": {"typing": False}}}, {"people": {"ana": {"typing": True}}})
    ({'people': {'ana': {'typing': True}}}, \
{'people': {'ana': {'typing': Modified(old_value=False, value=True)}}})

    Raises `InvalidState` where an operator meets a value of another type.
    """
    node = state if type(state) is StateDict else make_dict(state, None, True)
    made, changes = _update_dict(node, partial, owner)
    if not (made._rich or node._rich):
        changes._rich = False
    return made, changes


def update_in_turn(
    state: StateDict, partials: Iterable[Mapping[str, Any]], *, owner: object | None = None
) -> tuple[StateDict, Changes]:
    """Put several partial states, one after the other; the delta is one. If one raises, all go."""
    partials = tuple(partials)
    if len(partials) == 1:
        return update(state, partials[0], owner=owner)
    made = state
    parts: list[Changes] = []
    try:
        for partial in partials:
            made, changes = update(made, partial, owner=owner)
            parts.append(changes)
    except BaseException:
        if owner is not None and state._owner is owner:
            for changes in reversed(parts):
                _put_back(state, changes)
        raise
    return made, merge(parts)


def _update_dict(
    node: Any, patch: Mapping[str, Any], owner: object | None
) -> tuple[StateDict, Tree]:
    mine = type(node) is StateDict and node._owner is owner and owner is not None
    rich = patch._rich if isinstance(patch, StateDict) else True
    target = node if mine else None
    changes = Tree()
    key = None
    try:
        for key, value in patch.items():
            old = node.get(key, MISSING)
            kind = type(value)
            if kind is not StateDict and kind in SIMPLE:
                if old is value or type(old) is kind and old == value:
                    continue
                _note(changes, key, Added(value) if old is MISSING else Modified(old, value))
            elif isinstance(value, dict) and isinstance(old, dict):
                value, inner = _update_dict(old, value, owner)
                if not inner:
                    continue
                _note(changes, key, inner)
                rich = rich or value._rich
                if value is old:
                    continue
            else:
                value, change = _write(old, value, owner)
                if change is None:
                    continue
                _note(changes, key, change)
                rich = rich or (value is not MISSING and may_be_rich(value))
                if value is old:
                    continue
            if target is None:
                target = make_dict(node, owner, is_rich(node))
            if value is MISSING:
                _del(target, key)
            else:
                _set(target, key, value)
    except BaseException as error:
        if mine:
            _put_back(node, changes)
        if isinstance(error, InvalidState) and key is not None:
            raise InvalidState((key, *error.path), error.problem) from None
        raise
    if target is None:
        return node, changes
    if rich and changes:
        target._rich = True
    return target, changes


def _put_back(node: StateDict, changes: Changes) -> None:
    """Undo what was written in place under `node`, whose owner nobody else writes for."""
    for key, change in changes.items():
        kind = type(change)
        if kind is Added:
            dict.pop(node, key, None)
        elif kind is Modified or kind is Removed:
            _set(node, key, change.old_value)
        elif kind is Spliced:
            _put_back_list(node, key, change)
        elif node[key]._owner is node._owner:
            _put_back(node[key], change)
        else:
            _set(node, key, apply(node[key], invert(change)))


def _put_back_list(node: StateDict, key: str, change: Spliced) -> None:
    items = node[key]
    if items._owner is node._owner:
        list.__setitem__(items, slice(change.start, None), change.removed)
    else:
        _set(node, key, join(items, change.start, change.removed))


def _write(old: Any, value: Any, owner: object | None) -> tuple[Any, Any]:
    """What becomes of one value that is not a simple leaf: (new value, change or None)."""
    kind = type(value)
    if kind in OPERATORS:
        return _OPERATIONS[kind](old, value, owner)
    return _replace(old, _resolve(value))


def _resolve(value: Any) -> Any:
    """A value as it comes to stand where there was none: operators done, containers ours."""
    if _is_nobodys(value):
        return value
    if isinstance(value, dict):
        return _update_dict(EMPTY, value, None)[0] if value else make_dict(value)
    return _adopt_checked(value)


def _is_nobodys(value: Any) -> bool:
    """Whether it is a container of ours that nobody may write in place, so that it can be shared.

    One with an owner is a piece of some state: put elsewhere as it is, it would change there too.
    """
    kind = type(value)
    return (kind is StateDict or kind is StateList) and value._owner is None


def _adopt_checked(value: Any) -> Any:
    if isinstance(value, (list, dict)) or type(value) in OPERATORS:
        _refuse_operators(value)
    return adopt(value)


def _refuse_operators(value: Any) -> None:
    if type(value) in OPERATORS:
        raise InvalidState((), "a write operator cannot stand inside a list or a Replace")
    if isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            _refuse_operators(inner)


def _replace(old: Any, new: Any) -> tuple[Any, Any]:
    if old is MISSING:
        return new, Added(new)
    return new, diff_values(old, new)


def _do_remove(old: Any, operator: Remove, owner: object | None) -> tuple[Any, Any]:
    return MISSING, None if old is MISSING else Removed(old)


def _do_replace(old: Any, operator: Replace, owner: object | None) -> tuple[Any, Any]:
    return _replace(old, _adopt_or_keep(operator.value))


def _adopt_or_keep(value: Any) -> Any:
    return value if _is_nobodys(value) else _adopt_checked(value)


def _do_append(old: Any, operator: Append, owner: object | None) -> tuple[Any, Any]:
    items = _adopt_or_keep(operator.items)
    if not isinstance(items, StateList):
        raise InvalidState((), f"Append takes a list, not a {type(items).__name__}")
    if old is MISSING:
        return items, Added(items)
    if not isinstance(old, list):
        raise InvalidState((), f"Append to a {type(old).__name__}")
    if not items:
        return old, None
    start = len(old)
    if type(old) is StateList and old._owner is owner and owner is not None:
        list.extend(old, items)
        old._rich = old._rich or items._rich
    else:
        old = make_list([*old, *items], owner, is_rich(old) or items._rich)
    return old, Spliced(start, NOTHING, items)


_NUMBERS: Final = frozenset({int, float, Decimal})


def _do_increment(old: Any, operator: Increment, owner: object | None) -> tuple[Any, Any]:
    by = operator.by
    base = 0 if old is MISSING else old
    if type(base) not in _NUMBERS or type(by) not in _NUMBERS:
        raise InvalidState((), f"Increment of a {type(base).__name__} by a {type(by).__name__}")
    try:
        total = base + by
    except (ArithmeticError, TypeError) as error:
        kinds = f"a {type(base).__name__} by a {type(by).__name__}"
        raise InvalidState((), f"Increment of {kinds}: {error!r}") from None
    return _replace(old, total)


_OPERATIONS: Final[dict[type, Callable[[Any, Any, object | None], tuple[Any, Any]]]] = {
    Remove: _do_remove,
    Replace: _do_replace,
    Append: _do_append,
    Increment: _do_increment,
}
