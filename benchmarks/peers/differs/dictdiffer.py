"""Hold dictdiffer: a list of changes by path. Applying copies the whole document first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import dictdiffer

from benchmarks.peers.differs.differ import Differ


def _diff(old: Any, new: Any) -> list[Any]:
    return list(dictdiffer.diff(old, new))


def _apply(state: Any, changes: list[Any]) -> Any:
    return dictdiffer.patch(changes, state)


def _join(deltas: Sequence[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(deltas))


DIFFER = Differ(name="dictdiffer", diff=_diff, apply=_apply, join=_join)
