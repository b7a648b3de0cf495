"""Say a delta as a JSON Merge Patch (RFC 7396), where that has words for it."""

from __future__ import annotations

from typing import Any

from chord.changes import LEAVES, Added, Changes, Leaf, Modified, Path, Removed, Spliced
from chord.errors import CannotFormat
from chord.records import Delta
from chord.state import thaw


class MergePatchFormatter:
    """A partial state in which None removes a key.

    So a None that was set is refused, but for one inside a list; and so is a list that kept its
    beginning, as a merge patch tells lists whole and the delta has only the tail.
    """

    def format(self, delta: Delta) -> dict[str, Any]:
        return _patch(delta.changes, ())


def _patch(changes: Changes, path: Path) -> dict[str, Any]:
    return {key: _member(change, (*path, key)) for key, change in changes.items()}


def _member(change: Any, path: Path) -> Any:
    return _value(change, path) if type(change) in LEAVES else _patch(change, path)


def _value(leaf: Leaf, path: Path) -> Any:
    match leaf:
        case Added(value) | Modified(_, value):
            _refuse_none(value, path)
            return thaw(value)
        case Removed():
            return None
        case Spliced(0, _, inserted):
            return thaw(inserted)
        case Spliced(start):
            raise CannotFormat(path, f"the first {start} items of the list are not in the delta")


def _refuse_none(value: Any, path: Path) -> None:
    if value is None:
        raise CannotFormat(path, "a merge patch cannot set None: there it means removal")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_none(inner, (*path, key))
