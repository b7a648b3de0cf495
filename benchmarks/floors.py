"""Hold the least that could be done: without records, validation, versions or laws."""

from __future__ import annotations

from typing import Any


def write_in_place(node: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Walk a patch, assign in place, record old and new; the keys must be there."""
    changes: dict[str, Any] = {}
    for key, value in patch.items():
        old = node[key]
        if type(value) is dict:
            changes[key] = write_in_place(old, value)
        else:
            node[key] = value
            changes[key] = (old, value)
    return changes
