"""Hold `Mailbox`: the requests that wait for one actor, in order, bounded in number and bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from actors.messages import Ask, weigh


class Mailbox:
    """A queue with so much room; behind it, in line, those who wait for room.

    Who stands in line holds their request themselves, so it is not counted. What is under way
    already, and is put back, comes first again, whether there is room or not. `asks` is to be read
    only: those who have room.
    """

    __slots__ = ("_bytes", "_limit", "_limit_bytes", "_line", "asks")

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self.asks: deque[Ask] = deque()
        self._line: deque[Ask] = deque()
        self._bytes = 0

    def put(self, ask: Ask, now: float, *, waits: bool) -> bool:
        """Add a request at the end. With no room it stands in line if it `waits`, else False."""
        ask.since = now
        ask.size = weigh(ask.request)
        if self._line or not self._has_room(ask.size):
            if waits:
                self._line.append(ask)
            return waits
        self.asks.append(ask)
        self._bytes += ask.size
        return True

    def take(self, most: int) -> list[Ask]:
        """Take up to `most` requests from the front, without those whom nobody waits for."""
        taken: list[Ask] = []
        while self.asks and len(taken) < most:
            ask = self.asks.popleft()
            self._bytes -= ask.size
            if ask.is_open:
                taken.append(ask)
            if not self.asks:
                self._let_in()
        self._let_in()
        return taken

    def put_back(self, asks: Iterable[Ask]) -> None:
        """Put requests to the front again, in their order."""
        for ask in reversed(list(asks)):
            ask.begun = False
            self.asks.appendleft(ask)
            self._bytes += ask.size

    def remove(self, ask: Ask) -> bool:
        """Take a request out, wherever it stands. O(n)."""
        if ask in self.asks:
            self.asks.remove(ask)
            self._bytes -= ask.size
            self._let_in()
            return True
        if ask in self._line:
            self._line.remove(ask)
            return True
        return False

    def clear(self) -> list[Ask]:
        """Take everything, those in line too."""
        taken = [*self.asks, *self._line]
        self.asks.clear()
        self._line.clear()
        self._bytes = 0
        return taken

    def _has_room(self, size: int) -> bool:
        """One that is alone always has room, however large: it would never have any."""
        if not self.asks:
            return True
        return len(self.asks) < self._limit and self._bytes + size <= self._limit_bytes

    def _let_in(self) -> None:
        while self._line and self._has_room(self._line[0].size):
            ask = self._line.popleft()
            self.asks.append(ask)
            self._bytes += ask.size

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def oldest(self) -> float | None:
        """When the first of those who wait came, as a monotonic time."""
        return self.asks[0].since if self.asks else None

    def __len__(self) -> int:
        return len(self.asks) + len(self._line)

    def __bool__(self) -> bool:
        return bool(self.asks)

    def __repr__(self) -> str:
        return f"<Mailbox {len(self.asks)}/{self._limit} in line={len(self._line)}>"

    def check(self) -> None:
        """Assert every invariant. O(n)."""
        assert self._bytes == sum(ask.size for ask in self.asks)
        assert self.asks or not self._line
