"""Hold the words of the algebra: the leaves of a delta, and the operators of a write.

They are `msgspec.Struct`s rather than attrs records because one is born with every write: making
one costs a fifth. `tag` and `array_like` only say how they are packed when they are stored.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

Path: TypeAlias = tuple[str, ...]
"""The keys that lead from a state's root to a value."""


class Added(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """A key that was not there, with its whole value."""

    value: Any


class Modified(msgspec.Struct, frozen=True, array_like=True, tag="m", gc=False):
    """A value that took the place of another, where not both are dicts and not both lists."""

    old_value: Any
    value: Any


class Removed(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """A key that is there no more, with the whole value that it had."""

    old_value: Any


class Spliced(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A changed list: its tail from `start` on was `removed`, and is now `inserted`.

    `start` is the length of the longest common prefix of the two lists.
    """

    start: int
    removed: Any
    inserted: Any


Leaf: TypeAlias = Added | Modified | Removed | Spliced
Changes: TypeAlias = Mapping[str, Any]
"""A tree of dicts whose leaves are `Leaf`s: what became of each key that changed."""


class Remove(enum.Enum):
    """The type of `REMOVE`."""

    REMOVE = "REMOVE"

    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: Final = Remove.REMOVE
"""Write operator: delete this key; where it is missing, do nothing."""


class Replace(msgspec.Struct, frozen=True):
    """Write operator: put `value` here as a whole; a dict is not merged."""

    value: Any


class Append(msgspec.Struct, frozen=True):
    """Write operator: put `items` behind those of the list here; missing, it begins empty."""

    items: Any


class Increment(msgspec.Struct, frozen=True):
    """Write operator: add `by` to the number here; missing, it begins at 0."""

    by: Any = 1


LEAVES: Final = frozenset({Added, Modified, Removed, Spliced})
OPERATORS: Final = frozenset({Remove, Replace, Append, Increment})
