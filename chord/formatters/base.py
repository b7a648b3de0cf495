"""Hold `Formatter`, the port by which deltas are said in another format, and a walk for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from chord.changes import LEAVES, Changes, Leaf, Path
from chord.records import Delta


class Formatter(Protocol):
    """Say a delta in another format. Pure."""

    def format(self, delta: Delta) -> Any:
        """Return the delta in this format; raise `CannotFormat` where it has no words for it."""


def leaves(changes: Changes, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Tell each leaf with its path, in the order of the tree.

    >>> from chord.changes import Added, Removed
    >>> list(leaves({"a": {"b": Removed(1)}, "c": Added(2)}))
    [(('a', 'b'), Removed(old_value=1)), (('c',), Added(value=2))]
    """
    for key, change in changes.items():
        here = (*path, key)
        if type(change) in LEAVES:
            yield here, change
        else:
            yield from leaves(change, here)
