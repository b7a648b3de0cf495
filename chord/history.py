"""Hold `History`, the ring of a context's recent deltas: contiguous by construction."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from chord.delta.composition import merge
from chord.records import Delta

REMEMBERED: Final = 64
"""How many merged answers a history keeps."""


_Item: TypeAlias = tuple[Delta, int]
"""A delta, and the bytes of all deltas that were ever appended, up to it."""


class History:
    """The deltas of one life that lead to its head, each with its encoded size in bytes.

    `base` is the oldest version that a delta is known from, `head` the newest that one leads to.

    >>> history = History(base=7)
    >>> history.since(7) is None, history.since(6) is None
    (True, True)
    """

    def __init__(self, base: int) -> None:
        self._base = self._head = base
        self._items: deque[_Item] = deque()
        self._total = self._dropped = 0
        self._merged: dict[int, Delta] = {}

    @property
    def base(self) -> int:
        return self._base

    @property
    def head(self) -> int:
        return self._head

    def append(self, delta: Delta, size: int) -> None:
        """Add the delta that leads on from the head; raise `ValueError` for any other. O(1)."""
        head = self._head
        if delta.from_version != head or delta.version != head + 1:
            raise ValueError(self._find_gap(delta))
        if self._items and self._items[-1][0].epoch != delta.epoch:
            raise ValueError("a history is of one epoch")
        self._total += size
        self._items.append((delta, self._total))
        self._head = head + 1

    def _find_gap(self, delta: Delta) -> str:
        if delta.from_version == self._head < delta.version:
            return "a history holds one delta for each version"
        return (
            f"a delta from {delta.from_version} to {delta.version} does not continue "
            f"a history that ends at {self._head}"
        )

    def trim(
        self,
        *,
        count: int | None = None,
        before: float | None = None,
        size: int | None = None,
    ) -> int:
        """Drop the oldest until at most `count`, none from before `before`, at most `size` bytes.

        Returns how many were dropped. O(dropped).
        """
        dropped = 0
        while self._items and self._exceeds(count, before, size):
            self._dropped = self._items.popleft()[1]
            self._base += 1
            dropped += 1
        if dropped:
            self._merged = {v: d for v, d in self._merged.items() if v >= self._base}
        return dropped

    def _exceeds(self, count: int | None, before: float | None, size: int | None) -> bool:
        return (
            (count is not None and len(self._items) > count)
            or (before is not None and self._items[0][0].updated_at < before)
            or (size is not None and self.size_since(self._base) > size)
        )

    def get(self, version: int) -> Delta | None:
        """Return the delta that led to `version`, if it is here."""
        index = version - self._base - 1
        return self._items[index][0] if 0 <= index < len(self._items) else None

    def deltas(self) -> Iterator[Delta]:
        """Iterate over the deltas, the oldest first."""
        return (delta for delta, _ in self._items)

    def since(self, version: int, *, not_before: float | None = None) -> Delta | None:
        """Return one delta from `version` to the head, or None where it cannot be told.

        None as well where the oldest that it takes is from before `not_before`, and where there is
        nothing to tell. A question that was asked before is answered from what was merged then;
        else O(size of the deltas between).
        """
        oldest = self.get(version + 1)
        if oldest is None or (not_before is not None and oldest.updated_at < not_before):
            return None
        if version == self._head - 1:
            return oldest
        known = self._merged.get(version)
        if known is None or known.version != self._head:
            known = self._merge(version, known)
            self._remember(version, known)
        return known

    def size_since(self, version: int) -> int:
        """Return the bytes of the deltas behind `version`, counted one by one. O(1)."""
        index = version - self._base - 1
        return self._total - (self._items[index][1] if index >= 0 else self._dropped)

    def _merge(self, version: int, known: Delta | None) -> Delta:
        start = version if known is None else known.version
        tail = islice(self._items, start - self._base, None)
        parts = [delta.changes for delta, _ in tail]
        if known is not None:
            parts.insert(0, known.changes)
        last = self._items[-1][0]
        return Delta(
            context_id=last.context_id,
            changes=merge(parts),
            from_version=version,
            version=last.version,
            epoch=last.epoch,
            updated_at=last.updated_at,
        )

    def _remember(self, version: int, delta: Delta) -> None:
        self._merged.pop(version, None)
        self._merged[version] = delta
        if len(self._merged) > REMEMBERED:
            del self._merged[next(iter(self._merged))]

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<History {self._base}..{self._head}>"

    def check(self) -> None:
        """Assert every invariant. O(length)."""
        versions = [delta.version for delta, _ in self._items]
        assert versions == list(range(self._base + 1, self._head + 1))
        totals = [self._dropped, *(total for _, total in self._items)]
        assert totals == sorted(totals)
        assert totals[-1] == self._total or not self._items
        assert len(self._merged) <= REMEMBERED
        assert all(self._base <= v < merged.version for v, merged in self._merged.items())
