"""Hold `Expiry`: which ids are due, oldest first. Pure: it has no clock and calls nobody."""

from __future__ import annotations

import itertools

from sortedcontainers import SortedList


class Expiry:
    """An index of ids by a deadline each. What is due costs what it returns, not what is kept.

    >>> expiry = Expiry()
    >>> expiry.set("a", 30.0); expiry.set("b", 10.0); expiry.set("c", 20.0)
    >>> expiry.due(20.0)
    ['b', 'c']
    >>> len(expiry), "c" in expiry
    (3, True)
    """

    __slots__ = ("_deadlines", "_order")

    def __init__(self) -> None:
        self._deadlines: dict[str, float] = {}
        self._order: SortedList[tuple[float, str]] = SortedList()

    def set(self, key: str, deadline: float) -> None:
        """Give the id this deadline, in place of any other. O(log n).

        >>> expiry = Expiry()
        >>> expiry.set("a", 30.0); expiry.set("a", 40.0)
        >>> expiry.due(30.0), expiry.due(40.0)
        ([], ['a'])
        """
        old = self._deadlines.get(key)
        if old == deadline:
            return
        if old is not None:
            self._order.remove((old, key))
        self._order.add((deadline, key))
        self._deadlines[key] = deadline

    def discard(self, key: str) -> None:
        """Forget the id, if it is here. O(log n).

        >>> expiry = Expiry()
        >>> expiry.set("a", 30.0); expiry.discard("a"); expiry.discard("a")
        >>> len(expiry)
        0
        """
        deadline = self._deadlines.pop(key, None)
        if deadline is not None:
            self._order.remove((deadline, key))

    def due(self, now: float, limit: int | None = None) -> list[str]:
        """List ids whose deadline is `now` or earlier, the oldest first. O(listed).

        Ids with the same deadline come in their own order. Nothing is taken out.

        >>> expiry = Expiry()
        >>> expiry.set("a", 30.0); expiry.set("b", 10.0); expiry.set("c", 20.0)
        >>> expiry.due(30.0, limit=2)
        ['b', 'c']
        """
        pairs = itertools.islice(self._order, None if limit is None else max(limit, 0))
        return [key for _, key in itertools.takewhile(lambda pair: pair[0] <= now, pairs)]

    def peek(self) -> tuple[float, str] | None:
        """Return the earliest deadline and its id, or None. O(1).

        >>> expiry = Expiry()
        >>> expiry.peek()
        >>> expiry.set("a", 30.0); expiry.set("b", 10.0)
        >>> expiry.peek()
        (10.0, 'b')
        """
        return self._order[0] if self._order else None

    def check(self) -> None:
        """Assert that both views agree and that the order is one. O(n)."""
        assert list(self._order) == sorted(self._order)
        assert len(self._order) == len(self._deadlines)
        assert {key: deadline for deadline, key in self._order} == self._deadlines

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: object) -> bool:
        return key in self._deadlines

    def __repr__(self) -> str:
        return f"<Expiry len={len(self)} first={self.peek()}>"
