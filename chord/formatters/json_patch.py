"""Say a delta as a JSON Patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chord.changes import Added, Leaf, Modified, Path, Removed, Spliced
from chord.formatters.base import leaves
from chord.records import Delta
from chord.state import thaw


class JsonPatchFormatter:
    """A list of operations, to be carried out in order; it fits the state before the delta only.

    A changed list loses the items of its old tail, from the end on, then gains those of its new
    one. Values that JSON has no type for come out as they are.
    """

    def format(self, delta: Delta) -> list[dict[str, Any]]:
        return [
            operation
            for path, leaf in leaves(delta.changes)
            for operation in _operations(_pointer(path), leaf)
        ]


def _pointer(path: Path) -> str:
    """The JSON Pointer (RFC 6901) of a path.

    >>> _pointer(("a/b", "", "~1"))
    '/a~1b//~01'
    """
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def _operations(pointer: str, leaf: Leaf) -> Iterator[dict[str, Any]]:
    match leaf:
        case Added(value):
            yield {"op": "add", "path": pointer, "value": thaw(value)}
        case Modified(_, value):
            yield {"op": "replace", "path": pointer, "value": thaw(value)}
        case Removed():
            yield {"op": "remove", "path": pointer}
        case Spliced(start, removed, inserted):
            for index in reversed(range(start, start + len(removed))):
                yield {"op": "remove", "path": f"{pointer}/{index}"}
            for index, value in enumerate(inserted, start):
                yield {"op": "add", "path": f"{pointer}/{index}", "value": thaw(value)}
