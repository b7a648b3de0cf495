"""Hold `Subscription`: one context that a connection watches, for however many readers. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from chord.client.backoff import Backoff
from chord.client.faults import explain
from chord.client.replica import Ask, Replica
from chord.clock import Clock, Timer
from chord.codec import Codec
from chord.errors import ChordError
from chord.replica import Taken
from chord.web.leaves import WireError
from chord.web.wire import Fault, StateReply

ANSWER_WITHIN: Final = 30.0
"""Seconds after which a question that was not answered is asked again."""

QUIET: Final = 60.0
"""Seconds without a fault after which the next one counts as the first."""

_PASSING: Final = frozenset(
    {"rate-limited", "overloaded", "quarantined", "unavailable", "closing", "internal"}
)
"""Faults that do not last: it is asked again."""

Question: TypeAlias = Callable[["Subscription", Ask], None]


class Subscription:
    """Keeps a replica up to date by asking to watch: again after a gap, and on a new connection.

    One question is under way at a time. The first after a gap is asked at once, and if its answer
    did not help, the next after a pause, which grows. It grows from one fault of the server to the
    next, too, whatever was told between them. `ask` puts a question to the server.
    """

    def __init__(
        self,
        context_id: str,
        ask: Question,
        *,
        clock: Clock,
        backoff: Backoff,
        chance: Callable[[], float],
        interval: float = 0.0,
        codec: Codec | None = None,
    ) -> None:
        self.context_id = context_id
        self.interval = interval
        self.replica = Replica(codec=codec)
        self.rooms: set[Callable[[], object]] = set()
        self.error: Exception | None = None
        self._ask = ask
        self._clock = clock
        self._backoff = backoff
        self._chance = chance
        self._connected = False
        self._question: Ask | None = None
        self._in_a_row = 0
        self._calm_at = 0.0
        self._timer: Timer | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the context is gone, or there is an error."""
        return self.error is not None or (self.replica.deleted and not self.replica.needs_sync)

    def connect(self) -> None:
        """There is a connection: resume."""
        self._connected = True
        self._in_a_row = 0
        self._put_question()

    def hasten(self, interval: float) -> None:
        """Tell of changes at least this often."""
        if interval < self.interval:
            self.interval = interval
            if self._connected:
                self._put_question()

    def disconnect(self) -> None:
        """The connection is gone, and what was asked with it."""
        self._connected = False
        self._question = None
        self._cancel_timer()

    def hear(self, message: StateReply, *, answers: Ask | None = None) -> None:
        """Take a message; `answers` is the question that it is the answer to, if it is one."""
        try:
            taken = self.replica.receive(message, answers=answers)
        except WireError as error:
            return self.end(error)
        except RecursionError:
            return self.end(WireError("a state that is nested too deeply"))
        self._close_question(answers)
        self._go_on(taken)

    def hear_fault(self, fault: Fault, *, answers: Ask | None = None) -> None:
        """The watch was refused, or was ended by the server."""
        self._close_question(answers)
        if fault.code == "not-found":
            self._go_on(self.replica.forget(answers=answers))
        elif fault.code in _PASSING:
            self._settle_if_calm()
            pause = self._retry(fault.retry_after or 0.0)
            self._calm_at = self._clock.monotonic() + pause + QUIET
        else:
            self.end(explain(fault, self.context_id))

    def end(self, error: ChordError) -> None:
        """Nothing more will come, and this is why."""
        self.error = self.error or error
        self._cancel_timer()
        self._wake()

    def _go_on(self, taken: Taken) -> None:
        if self.replica.needs_sync:
            self._retry(0.0)
        else:
            self._settle()
        if taken in ("applied", "deleted"):
            self._wake()

    def _settle(self) -> None:
        self._settle_if_calm()
        if self._question is None:
            self._cancel_timer()

    def _settle_if_calm(self) -> None:
        if self._clock.monotonic() >= self._calm_at:
            self._in_a_row = 0

    def _retry(self, at_least: float) -> float:
        """Ask at once the first time, and then wait, longer each time; one question at a time.

        Returns the pause before the question.
        """
        if not self._connected or self.ended or self._question or self._timer:
            return 0.0
        pause = at_least
        if self._in_a_row:
            backoff = self._backoff.pause(self._in_a_row - 1, chance=self._chance())
            pause = max(at_least, backoff)
        self._in_a_row += 1
        if pause:
            self._arm(pause)
        else:
            self._put_question()
        return pause

    def _put_question(self) -> None:
        self._question = self.replica.ask()
        self._arm(ANSWER_WITHIN)
        self._ask(self, self._question)

    def _close_question(self, answers: Ask | None) -> None:
        if answers is not None and answers is self._question:
            self._question = None
            self._cancel_timer()

    def _arm(self, pause: float) -> None:
        self._cancel_timer()
        self._timer = self._clock.call_at(self._clock.monotonic() + pause, self._put_question)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        for wake in tuple(self.rooms):
            wake()

    def __repr__(self) -> str:
        return f"<Subscription of {self.context_id!r}: {self.replica!r}>"
