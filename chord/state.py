"""Hold the containers that a state is made of once it is ours, and the way in and out of them.

`StateDict` and `StateList` are a `dict` and a `list` to read, compare and encode, and refuse to be
changed. The algebra writes them through `dict.__setitem__` and its like, by one rule:

*Owner-tagged copy-on-write.* A container carries the token of who may write it in place. Whoever
holds that token writes; anybody else copies the container first, tags the copy, and writes that.
So a snapshot is handed out by changing one's token, at no cost, and a write copies only the
containers on its path that were handed out since they were last written. A container that is
reachable from outside the state, as the leaf of a delta is, has no owner and is never written.
(The idea of transient edits is that of Clojure's and Scala's collections; a token is an object
compared by identity, never an `id()`, which is given out again.)

A container also knows whether something *rich* may be below it: a value that MessagePack has no
type for. So only those need a walk before they are encoded.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeAlias
from uuid import UUID

from chord.changes import OPERATORS, Append, Increment, Remove, Replace
from chord.errors import InvalidState

MAX_DEPTH: Final = 64
"""How deep containers may be nested, unless the settings say otherwise."""

Accepts: TypeAlias = Callable[[Any], bool]
"""Whether a value of a type that Chord doesn't know may be a leaf: a codec's answer."""


def _refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
    raise TypeError(
        "a state is read-only: ask for the change with update_context (in an actor's command, with"
        " self.update), or change a copy.deepcopy()"
    )


class StateDict(dict[str, Any]):
    """A dict of a state. Read-only to callers; `copy.deepcopy` and pickle make plain ones."""

    __slots__ = ("_owner", "_rich")
    _owner: object | None
    _rich: bool

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return {key: thaw(value) for key, value in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (thaw(self),)


class StateList(list[Any]):
    """A list of a state. Read-only to callers; `copy.deepcopy` and pickle make plain ones."""

    __slots__ = ("_owner", "_rich")
    _owner: object | None
    _rich: bool

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __deepcopy__(self, memo: object) -> list[Any]:
        return [thaw(value) for value in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (thaw(self),)


class Patch(StateDict):
    """A dict that was taken in as part of a write, with an operator somewhere in or below it."""

    __slots__ = ()


class Tree(dict[str, Any]):
    """A dict of a tree of changes. Read-only, as every reader of a delta shares it.

    `_rich` is False where it is known that nothing rich is in it; else it may not even be there.
    """

    __slots__ = ("_rich",)
    _rich: bool

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: object) -> dict[str, Any]:
        return {key: thaw(value) for key, value in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (thaw(self),)


def make_dict(
    items: Mapping[str, Any] = {},
    owner: object | None = None,
    rich: bool = False,
) -> StateDict:
    """Copy `items`, one level deep."""
    made = StateDict(items)
    made._owner = owner
    made._rich = rich
    return made


def make_list(items: list[Any], owner: object | None = None, rich: bool = False) -> StateList:
    """Copy `items`, one level deep."""
    made = StateList(items)
    made._owner = owner
    made._rich = rich
    return made


EMPTY: Final = make_dict()
NOTHING: Final = make_list([])


def thaw(value: Any) -> Any:
    """Copy containers, however deep, to plain dicts and lists that the caller may change.

    >>> thaw(take_in({"a": [{}]}))
    {'a': [{}]}
    """
    if isinstance(value, dict):
        return {key: thaw(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [thaw(inner) for inner in value]
    return value


# -- taking in -----------------------------------------------------------------------------------

SIMPLE: Final = frozenset({type(None), bool, int, str, bytes, UUID, date, timedelta})
"""Leaf types whose values are the same exactly when their types are and they are `==`."""

_PLAIN: Final = frozenset({type(None), bool, float, bytes})
_RICH: Final = frozenset({UUID, Decimal, date, timedelta})
_NUMBERS: Final = frozenset({int, float, Decimal})


def is_wide(number: int) -> bool:
    """Whether MessagePack has no integer for it."""
    return not -(1 << 63) <= number < 1 << 64


def is_rich(container: Any) -> bool:
    """Whether something rich may be in or below a container; one that is not ours may hold any."""
    return getattr(container, "_rich", True)


def may_be_rich(value: Any) -> bool:
    """Whether a value is, or may have below it, one that MessagePack has no type for."""
    kind = type(value)
    if kind is int:
        return is_wide(value)
    return kind is not str and kind not in _PLAIN and is_rich(value)


def _accept_nothing(value: Any) -> bool:
    return False


def take_in(
    state: Any, *, max_depth: int = MAX_DEPTH, accepts: Accepts = _accept_nothing
) -> StateDict:
    """Validate a whole state, and copy its containers to ours; leaves stay the same objects.

    Raises `InvalidState` with the path of what cannot be part of a state. O(size of the state).

    >>> take_in({"at": (1, 2)})
    {'at': [1, 2]}
    >>> take_in({"tags": {"a", "b"}})
    Traceback (most recent call last):
    chord.errors.InvalidState: at ['tags']: a set cannot be part of a state
    """
    return Inlet(max_depth, accepts, operators=False).take_root(state)


def take_in_changes(
    changes: Any, *, max_depth: int = MAX_DEPTH, accepts: Accepts = _accept_nothing
) -> StateDict:
    """Validate a partial state that may hold write operators, as `take_in` does a whole one."""
    return Inlet(max_depth, accepts, operators=True).take_root(changes)


class Inlet:
    """One way in, to be used again: what is allowed, and the walk.

    Paths are made only when something is refused.
    """

    __slots__ = ("_accepts", "_max_depth", "_operators")

    def __init__(self, max_depth: int, accepts: Accepts, *, operators: bool) -> None:
        self._max_depth = max_depth
        self._accepts = accepts
        self._operators = operators

    def take_root(self, value: Any) -> StateDict:
        """Validate a state, or changes of one, as `take_in` does."""
        if not isinstance(value, dict):
            raise InvalidState((), f"a state is a dict, not a {type(value).__name__}")
        return self._take_dict(value, 1)

    def _take_dict(self, source: dict[Any, Any], depth: int) -> StateDict:
        if depth > self._max_depth:
            self._refuse_depth()
        items: dict[str, Any] = {}
        rich = patch = False
        key: Any = None
        try:
            for key, value in source.items():
                if type(key) is not str:
                    raise InvalidState((), f"a key is a str, not a {type(key).__name__}")
                if not key.isascii():
                    _check_text(key)
                kind = type(value)
                if kind is str:
                    if not value.isascii():
                        _check_text(value)
                elif kind is dict:
                    value = self._take_dict(value, depth + 1)
                    rich = rich or value._rich
                    patch = patch or type(value) is Patch
                elif kind not in _PLAIN:
                    value, wide = self._take_other(value, kind, depth + 1)
                    rich = rich or wide
                    kind = type(value)
                    patch = patch or kind is Patch or kind in OPERATORS
                items[key] = value
        except InvalidState as error:
            raise InvalidState((key, *error.path), error.problem) from None
        made = Patch(items) if patch else StateDict(items)
        made._owner = None
        made._rich = rich
        return made

    def _take_list(self, source: list[Any] | tuple[Any, ...], depth: int) -> StateList:
        if depth > self._max_depth:
            self._refuse_depth()
        items: list[Any] = []
        rich = False
        try:
            for value in source:
                kind = type(value)
                if kind is str:
                    _check_text(value)
                elif kind in OPERATORS:
                    raise InvalidState((), "a write operator cannot stand inside a list")
                elif kind not in _PLAIN:
                    value, wide = self._take_other(value, kind, depth + 1)
                    rich = rich or wide
                    if type(value) is Patch:
                        raise InvalidState((), "a write operator cannot stand inside a list")
                items.append(value)
        except InvalidState as error:
            raise InvalidState((len(items), *error.path), error.problem) from None
        return make_list(items, None, rich)

    def _take_other(self, value: Any, kind: type, depth: int) -> tuple[Any, bool]:
        if kind is int:
            return value, is_wide(value)
        if isinstance(value, dict):
            taken = self._take_dict(value, depth)
            return taken, taken._rich
        if isinstance(value, (list, tuple)):
            items = self._take_list(value, depth)
            return items, items._rich
        if kind in _RICH:
            return value, True
        if kind is datetime or kind is time:
            _check_zone(value.tzinfo)
            return value, True
        if kind in OPERATORS:
            return self._take_operator(value, kind, depth)
        if self._accepts(value):
            return value, True
        raise InvalidState((), f"a {kind.__qualname__} cannot be part of a state")

    def _take_operator(self, value: Any, kind: type, depth: int) -> tuple[Any, bool]:
        if not self._operators:
            raise InvalidState((), f"{_name(kind)} cannot stand in a state: use update_context")
        if kind is Remove:
            return value, False
        if kind is Append:
            if not isinstance(value.items, (list, tuple)):
                raise InvalidState((), f"Append takes a list, not a {type(value.items).__name__}")
            items = self._take_list(value.items, depth)
            return Append(items), items._rich
        if kind is Increment:
            if type(value.by) not in _NUMBERS:
                raise InvalidState((), f"Increment takes a number, not {value.by!r:.80}")
            return value, type(value.by) is Decimal or type(value.by) is int and is_wide(value.by)
        return self._take_replacement(value.value, depth)

    def _take_replacement(self, value: Any, depth: int) -> tuple[Any, bool]:
        # what is inside replaces as a whole, so an operator has nothing there to work on
        whole = Inlet(self._max_depth, self._accepts, operators=False)
        taken, rich = whole._take_value(value, depth)
        return Replace(taken), rich

    def _take_value(self, value: Any, depth: int) -> tuple[Any, bool]:
        kind = type(value)
        if kind is str:
            _check_text(value)
        elif kind not in _PLAIN:
            return self._take_other(value, kind, depth)
        return value, False

    def _refuse_depth(self) -> NoReturn:
        raise InvalidState((), f"nested deeper than {self._max_depth} levels, or in a cycle")


def _name(operator: type) -> str:
    return "REMOVE" if operator is Remove else operator.__name__


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidState((), f"a lone surrogate in {text!r:.80}") from None


def _is_known_zone(key: str) -> bool:
    try:
        zoneinfo.ZoneInfo(key)
    except (OSError, LookupError, ValueError):
        return False
    return True


def _check_zone(zone: tzinfo | None) -> None:
    if zone is None:
        return
    if type(zone) is timezone:
        return _check_text(zone.tzname(None))
    if type(zone) is zoneinfo.ZoneInfo and zone.key is not None and _is_known_zone(zone.key):
        return
    raise InvalidState((), f"the timezone {zone!r:.80} has no name to store it by")


def adopt(value: Any) -> Any:
    """Copy plain containers, however deep, to ours, validating nothing but keys. O(size).

    For what comes from a store, and for values that are put to the pure algebra as they are.
    """
    if isinstance(value, dict):
        return _adopt_dict(value)
    if isinstance(value, list):
        return _adopt_list(value)
    return value


def _adopt_dict(source: dict[str, Any]) -> StateDict:
    made = StateDict(source)
    made._owner = None
    rich = False
    for key, value in source.items():
        if type(key) is not str:
            raise InvalidState((key,), f"a key is a str, not a {type(key).__name__}")
        kind = type(value)
        if kind is str or kind in _PLAIN:
            continue
        if isinstance(value, (dict, list)):
            value = adopt(value)
            dict.__setitem__(made, key, value)
            rich = rich or value._rich
        elif kind is not int or is_wide(value):
            rich = True
    made._rich = rich
    return made


def _adopt_list(source: list[Any]) -> StateList:
    made = make_list(source)
    for index, value in enumerate(source):
        kind = type(value)
        if kind is str or kind in _PLAIN:
            continue
        if isinstance(value, (dict, list)):
            value = adopt(value)
            list.__setitem__(made, index, value)
            made._rich = made._rich or value._rich
        elif kind is not int or is_wide(value):
            made._rich = True
    return made
