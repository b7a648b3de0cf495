"""Hold jsondiff: a document of what is new, which does not say what was there before."""

from __future__ import annotations

import jsondiff

from benchmarks.peers.differs.differ import Differ

DIFFER = Differ(name="jsondiff", diff=jsondiff.diff, apply=jsondiff.patch)
