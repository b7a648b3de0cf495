"""Hold jsonpatch: RFC 6902, a list of operations. Applying copies the whole document first."""

from __future__ import annotations

from collections.abc import Sequence

import jsonpatch

from benchmarks.peers.differs.differ import Differ


def _join(patches: Sequence[jsonpatch.JsonPatch]) -> jsonpatch.JsonPatch:
    return jsonpatch.JsonPatch([each for patch in patches for each in patch.patch])


DIFFER = Differ(
    name="jsonpatch",
    diff=jsonpatch.make_patch,
    apply=lambda state, patch: patch.apply(state),
    join=_join,
)
