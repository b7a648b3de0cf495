"""Tell whether two values are the same, by type and stored form. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timezone, tzinfo
from decimal import Decimal
from math import copysign
from typing import Any, Final

import attrs

from chord.changes import LEAVES, OPERATORS, Remove
from chord.state import SIMPLE

MISSING: Final = object()
"""Stands for the value of a key that is not there."""


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same, type by type, however deep. O(size), O(1) where shared.

    >>> equal({"n": [1]}, {"n": [1.0]}), equal({"n": float("nan")}, {"n": float("nan")})
    (False, True)
    """
    if a is b:
        return True
    if isinstance(a, dict):
        return isinstance(b, dict) and len(a) == len(b) and _equal_items(a, b)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and count_common(a, b) == len(a)
    kind = type(a)
    if kind is not type(b):
        return False
    if kind in SIMPLE:
        return bool(a == b)
    if kind in LEAVES or kind in OPERATORS:
        return kind is Remove or _equal_fields(kind.__struct_fields__, a, b)
    return _equal_others(kind, a, b)


def _equal_items(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    get = b.get
    for key, value in a.items():
        other = get(key, MISSING)
        if other is value:
            continue
        kind = type(value)
        if type(other) is kind and (kind is str or kind in SIMPLE):
            if value != other:
                return False
        elif other is MISSING or not equal(value, other):
            return False
    return True


def _equal_others(kind: type, a: Any, b: Any) -> bool:
    same = _SAME.get(kind)
    if same is not None:
        return same(a, b)
    if kind is tuple:  # not of a state, but of an application's classes
        return len(a) == len(b) and count_common(a, b) == len(a)
    if kind is frozenset:
        return len(a) == len(b) and all(any(equal(x, y) for y in b) for x in a)
    if attrs.has(kind):
        return _equal_fields([field.name for field in attrs.fields(kind)], a, b)
    return bool(a == b)


def _equal_fields(names: Iterable[str], a: Any, b: Any) -> bool:
    return all(equal(getattr(a, name), getattr(b, name)) for name in names)


def _equal_floats(a: float, b: float) -> bool:
    if a != b:
        return a != a and b != b
    return a != 0 or copysign(1, a) == copysign(1, b)


def _equal_decimals(a: Decimal, b: Decimal) -> bool:
    if a.is_nan():
        return b.is_nan()
    return a.as_tuple() == b.as_tuple()


def _equal_times(a: Any, b: Any) -> bool:
    if a.replace(tzinfo=None) != b.replace(tzinfo=None) or a.fold != b.fold:
        return False
    return a.tzinfo is b.tzinfo or _equal_zones(a.tzinfo, b.tzinfo)


def _equal_zones(a: tzinfo | None, b: tzinfo | None) -> bool:
    if type(a) is timezone and type(b) is timezone:  # its repr shows a name that is no name
        return a.utcoffset(None) == b.utcoffset(None) and a.tzname(None) == b.tzname(None)
    return repr(a) == repr(b)


_SAME: Final[dict[type, Callable[[Any, Any], bool]]] = {
    float: _equal_floats,
    Decimal: _equal_decimals,
    datetime: _equal_times,
    time: _equal_times,
}


def count_common(old: Sequence[Any], new: Sequence[Any]) -> int:
    """Return the length of the longest common prefix of two lists."""
    count = 0
    for was, value in zip(old, new, strict=False):
        if was is not value and not equal(was, value):
            break
        count += 1
    return count
