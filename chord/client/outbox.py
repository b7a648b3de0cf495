"""Hold `Outbox`: what was asked and is not answered, in order, across lost connections. No I/O."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import attrs

from chord.errors import Overloaded
from chord.web.wire import ReplyMessage, RequestMessage

NEVER: Final = 0.0
ALWAYS: Final = float("inf")


@attrs.define(eq=False)
class Waiting:
    """A request, and who waits for its answer.

    `again_for` says for how many seconds after it was first sent it may be sent again: not at all
    where doing it twice would be one too many. `deadline` is a moment of the clock, `size` is in
    bytes, of what was sent; `lost` says that a connection ended before it brought the answer.
    """

    ref: int
    context_id: str
    message: RequestMessage
    answer: asyncio.Future[ReplyMessage]
    again_for: float = NEVER
    deadline: float | None = None
    sent_at: float | None = None
    size: int = 0
    lost: bool = False

    @property
    def unsure(self) -> bool:
        """Whether it may have been done for a connection that was lost, whatever is said now."""
        return self.lost and not self.reads

    @property
    def reads(self) -> bool:
        """Whether nothing is written, so that it does not matter how often it is asked."""
        return self.again_for == ALWAYS

    def may_be_sent(self, now: float) -> bool:
        return self.sent_at is None or now - self.sent_at < self.again_for

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Outbox:
    """Requests that wait to be sent, and those that were sent and wait for an answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._unsent: dict[int, Waiting] = {}
        self._sent: dict[int, Waiting] = {}

    def __len__(self) -> int:
        return len(self._unsent) + len(self._sent)

    @property
    def unsent(self) -> int:
        """How many wait to be sent."""
        return len(self._unsent)

    def is_sent(self, ref: Any) -> bool:
        """Whether this waits for its answer."""
        return ref in self._sent

    def put(self, waiting: Waiting) -> None:
        """Line up behind the others. Raises `Overloaded` where there are too many."""
        if len(self) >= self._limit:
            raise Overloaded(waiting.context_id, 1.0)
        self._unsent[waiting.ref] = waiting

    def take(self, now: float) -> Waiting | None:
        """Return the next to be sent, and take it for sent; None if there is none."""
        if not self._unsent:
            return None
        waiting = self._unsent.pop(next(iter(self._unsent)))
        waiting.sent_at = now if waiting.sent_at is None else waiting.sent_at
        self._sent[waiting.ref] = waiting
        return waiting

    def answered(self, ref: Any) -> Waiting | None:
        """Return who waits for this answer, and forget about it."""
        return self._sent.pop(ref, None)

    def find_read(self, ref: Any) -> Waiting | None:
        """Return a request that only reads, and that waits for its answer."""
        waiting = self._sent.get(ref)
        return waiting if waiting is not None and waiting.reads else None

    def keep(self, ref: Any) -> bool:
        """Keep a request for the next connection, as this one will not answer it, if it can be."""
        waiting = self._sent.get(ref)
        return waiting is not None and waiting.again_for > NEVER

    def give_up_largest(self) -> Waiting | None:
        """Return the largest that was sent, and forget about it."""
        largest = max(self._sent.values(), key=lambda waiting: waiting.size, default=None)
        return largest and self._sent.pop(largest.ref)

    def drop(self, ref: int) -> None:
        """Forget a request that nobody waits for any more."""
        self._unsent.pop(ref, None)
        self._sent.pop(ref, None)

    def lose(self, now: float) -> list[Waiting]:
        """The connection is gone: return what cannot be sent again, line up the rest in order."""
        lost, again = [], {}
        for ref, waiting in self._sent.items():
            if waiting.may_be_sent(now):
                again[ref] = waiting
                waiting.lost = True
            else:
                lost.append(waiting)
        self._sent = {}
        self._unsent = again | self._unsent
        return [*lost, *self.expire(now)]

    def expire(self, now: float) -> list[Waiting]:
        """Return what waited too long to be sent again, and forget about it."""
        late = [waiting for waiting in self._unsent.values() if not waiting.may_be_sent(now)]
        for waiting in late:
            del self._unsent[waiting.ref]
        return late

    def clear(self) -> list[Waiting]:
        """Forget all, and return it."""
        everything = [*self._sent.values(), *self._unsent.values()]
        self._sent, self._unsent = {}, {}
        return everything

    def check(self) -> None:
        """Assert every invariant."""
        assert not self._sent.keys() & self._unsent.keys()
        assert all(waiting.sent_at is not None for waiting in self._sent.values())
        assert len(self) <= self._limit

    def __repr__(self) -> str:
        return f"<Outbox unsent={len(self._unsent)} sent={len(self._sent)}>"
