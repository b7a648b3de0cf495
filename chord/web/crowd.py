"""Hold `Crowd`: who is connected, by principal, and no more of each than may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from chord.errors import ChordClosed
from chord.web.faults import TooMany
from chord.web.gate import ANYONE, Principal

LATER = 30.0
"""Seconds after which somebody may have gone."""


class Connected(Protocol):
    """A socket, or a stream of events, that stays."""

    async def recheck(self) -> None:
        """Ask again whether what is watched may be, and end what may not. Waits for no peer."""

    def end(self, code: int, reason: str) -> None:
        """Begin to close. Returns at once."""


class Crowd:
    """Knows who is there: at most `limit` of a principal. Who was not asked for a name is not told
    from others, so they are not counted."""

    def __init__(self, limit: int) -> None:
        self.closed = False
        self._limit = limit
        self._there: dict[Principal, set[Connected]] = {}

    @contextmanager
    def enter(self, principal: Principal, connected: Connected) -> Iterator[None]:
        """Let it be there meanwhile. Raises `TooMany`, and `ChordClosed` once this is closed."""
        self.check_open()
        there = self._there.get(principal, ())
        if len(there) >= self._limit and principal is not ANYONE:
            raise TooMany("connections of one principal", self._limit, LATER)
        self._there.setdefault(principal, set()).add(connected)
        try:
            yield
        finally:
            self._leave(principal, connected)

    def check_open(self) -> None:
        """Raise `ChordClosed` once this is closed."""
        if self.closed:
            raise ChordClosed("the door is closed")

    def close(self) -> None:
        """Let nobody else in. Who is there stays."""
        self.closed = True

    def _leave(self, principal: Principal, connected: Connected) -> None:
        there = self._there[principal]
        there.discard(connected)
        if not there:
            del self._there[principal]

    def find(self, principal: Principal | None = None) -> list[Connected]:
        """Return the connections of a principal, or of all."""
        if principal is not None:
            return list(self._there.get(principal, ()))
        return [each for there in self._there.values() for each in there]

    def statistics(self) -> dict[str, int]:
        return {"connections": len(self), "principals": len(self._there)}

    def check(self) -> None:
        """Assert every invariant."""
        for principal, there in self._there.items():
            assert len(there) > 0
            assert len(there) <= self._limit or principal is ANYONE

    def __len__(self) -> int:
        return sum(map(len, self._there.values()))

    def __repr__(self) -> str:
        return f"<Crowd of {len(self)}>"
