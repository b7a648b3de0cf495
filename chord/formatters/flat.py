"""Say a delta as a flat list of plain records, one for each leaf."""

from __future__ import annotations

from typing import Any

from chord.changes import Added, Leaf, Modified, Path, Removed, Spliced
from chord.formatters.base import leaves
from chord.records import Delta
from chord.state import thaw


class FlatFormatter:
    """A list of dicts in the order of the tree; a user's keys stand in `path` only, never as keys.

    Each has an `action` and a `path`, and by its action: ``added`` the `value`, ``modified`` the
    `old_value` and the `value`, ``removed`` the `old_value`, ``spliced`` the `start` of the list's
    changed tail, and what was `removed` and `inserted` there.
    """

    def format(self, delta: Delta) -> list[dict[str, Any]]:
        return [_record(path, leaf) for path, leaf in leaves(delta.changes)]


def _record(path: Path, leaf: Leaf) -> dict[str, Any]:
    action, fields = _describe(leaf)
    return {"action": action, "path": list(path), **fields}


def _describe(leaf: Leaf) -> tuple[str, dict[str, Any]]:
    match leaf:
        case Added(value):
            return "added", {"value": thaw(value)}
        case Modified(old_value, value):
            return "modified", {"old_value": thaw(old_value), "value": thaw(value)}
        case Removed(old_value):
            return "removed", {"old_value": thaw(old_value)}
        case Spliced(start, removed, inserted):
            return "spliced", {
                "start": start,
                "removed": thaw(removed),
                "inserted": thaw(inserted),
            }
