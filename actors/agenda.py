"""Hold `Agenda`: all that is due later in a runtime, behind one timer of its clock."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

from chord.clock import Clock, Timer

TIDY_AT: Final = 64
"""How many cancelled calls are kept before those that are not are counted against them."""


class Due:
    """A call that is due later; a `chord.clock.Timer`."""

    __slots__ = ("_agenda", "call")

    def __init__(self, agenda: Agenda, call: Callable[[], object]) -> None:
        self._agenda = agenda
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        if self.call is not None:
            self.call = None
            self._agenda.note_cancelled()


class Agenda:
    """Calls at monotonic times, in order. Adding and cancelling cost O(log n) and O(1)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Due]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._timer: Timer | None = None
        self._armed_for = 0.0
        self._closed = False

    def call_at(self, when: float, call: Callable[[], object]) -> Due:
        """Call once when the clock's `monotonic()` has reached `when`."""
        due = Due(self, call)
        heapq.heappush(self._heap, (when, next(self._order), due))
        self._arm()
        return due

    def call_in(self, seconds: float, call: Callable[[], object]) -> Due:
        return self.call_at(self._clock.monotonic() + seconds, call)

    def close(self) -> None:
        """Call nothing any more."""
        self._closed = True
        self._heap.clear()
        self._disarm()

    def note_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > max(TIDY_AT, len(self._heap) // 2):
            self._heap = [item for item in self._heap if item[2].call is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _arm(self) -> None:
        if self._closed or not self._heap:
            return
        when = self._heap[0][0]
        if self._timer is not None:
            if self._armed_for <= when:
                return
            self._timer.cancel()
        self._armed_for = when
        self._timer = self._clock.call_at(when, self._run)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        try:
            while self._heap and self._heap[0][0] <= now:
                due = heapq.heappop(self._heap)[2]
                call, due.call = due.call, None
                if call is None:
                    self._cancelled = max(0, self._cancelled - 1)
                else:
                    call()
        finally:
            self._arm()

    def __len__(self) -> int:
        return sum(due.call is not None for _, _, due in self._heap)

    def __repr__(self) -> str:
        return f"<Agenda due={len(self)}>"

    def check(self) -> None:
        """Assert every invariant. O(n)."""
        assert self._closed or not self._heap or self._timer is not None
        assert all(item[0] >= self._heap[0][0] for item in self._heap)
