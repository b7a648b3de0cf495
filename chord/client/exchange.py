"""Hold `Exchange`: what is said over a connection, and whom an answer is for. No I/O."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final

from msgspec.structs import replace

from chord.client.ages import Ages
from chord.client.backoff import Backoff
from chord.client.faults import Invalid
from chord.client.outbox import Outbox, Waiting
from chord.client.pace import Pace, read_limit
from chord.client.replica import Ask
from chord.client.socket import Lost
from chord.client.subscription import Subscription
from chord.clock import Clock
from chord.codec import Codec
from chord.errors import ChordError, NotApplied, OutcomeUnknown
from chord.web.leaves import WireError
from chord.web.wire import (
    Current,
    Deleted,
    DeltaMessage,
    Encoding,
    Fault,
    Full,
    Hello,
    Ping,
    Pong,
    ReplyMessage,
    RequestMessage,
    StateReply,
    Unwatch,
    Watch,
    decode_reply,
    encode,
)

HELLO_WITHIN: Final = 30.0
"""Seconds in which a server has to say hello."""

_UNSAYABLE: Final = (OverflowError, RecursionError, TypeError, UnicodeError)

_log = logging.getLogger("chord.client")


class Exchange:
    """Lines up what is to be said, and gives answers to who asked; outlives its connections.

    It says no more at once than the server allows. Where an answer was too large for the client, it
    is `wary` on the next connection: it asks one by one, so that it knows whose answer that is.
    `wake` is called when there is something to say.
    """

    def __init__(
        self,
        encoding: Encoding,
        wake: Callable[[], None],
        *,
        clock: Clock,
        backoff: Backoff,
        chance: Callable[[], float],
        limit: int,
        codec: Codec | None = None,
    ) -> None:
        self._encoding = encoding
        self._wake = wake
        self._clock = clock
        self._backoff = backoff
        self._chance = chance
        self._codec = codec
        self._refs = itertools.count(1)
        self._hello: Hello | None = None
        self._ages = Ages(clock)
        self._pace = Pace(clock, wake)
        self._max_message = inf
        self._pongs = 0
        self._urgent: deque[RequestMessage] = deque()
        self._outbox = Outbox(limit)
        self._wary = False
        self._asked: Any = None
        self._subscriptions: dict[str, Subscription] = {}
        self._questions: dict[int, tuple[Subscription, Ask]] = {}

    @property
    def connected(self) -> bool:
        """Whether a server has said hello, and is still there."""
        return self._hello is not None

    @property
    def patience(self) -> float:
        """Seconds for which a server may be silent."""
        return HELLO_WITHIN if self._hello is None else 2 * self._hello.heartbeat

    def statistics(self) -> dict[str, Any]:
        """Return counts of what is in memory."""
        return {
            "connected": self.connected,
            "waiting": len(self._outbox),
            "watched": len(self._subscriptions),
        }

    # -- what is to be said ----------------------------------------------------------------------

    def next_ref(self) -> int:
        return next(self._refs)

    def request(self, waiting: Waiting) -> None:
        """Line up a request. Raises `Overloaded`."""
        self._outbox.put(waiting)
        self._wake()

    def drop(self, ref: int) -> None:
        """Nobody waits for this answer any more."""
        self._outbox.drop(ref)
        if self._wary:
            self._wake()

    def subscribe(self, context_id: str, interval: float) -> Subscription:
        """Return what keeps a replica of the context; the smallest interval asked for counts."""
        known = self._subscriptions.get(context_id)
        if known is not None and not known.ended:
            known.hasten(interval)
            return known
        made = self._subscriptions[context_id] = Subscription(
            context_id,
            self._ask,
            clock=self._clock,
            backoff=self._backoff,
            chance=self._chance,
            interval=interval,
            codec=self._codec,
        )
        if self.connected:
            made.connect()
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        """End it, if nobody is told of its news any more."""
        if subscription.rooms:
            return
        self._stop_asking(subscription)
        if self._forget(subscription) and self.connected:
            self._say(Unwatch(context=subscription.context_id))

    def _stop_asking(self, subscription: Subscription) -> None:
        subscription.disconnect()
        self._drop_questions(subscription)

    def _drop_questions(self, subscription: Subscription) -> None:
        for ref in [ref for ref, (asker, _) in self._questions.items() if asker is subscription]:
            del self._questions[ref]

    def _forget(self, subscription: Subscription) -> bool:
        if self._subscriptions.get(subscription.context_id) is not subscription:
            return False
        del self._subscriptions[subscription.context_id]
        return True

    def _ask(self, subscription: Subscription, question: Ask) -> None:
        if self._wary:
            self._drop_questions(subscription)  # one without an answer would hold up the others
        ref = self.next_ref()
        self._questions[ref] = subscription, question
        self._say(
            Watch(
                context=subscription.context_id,
                since=question.since,
                interval=subscription.interval,
                ref=ref,
            )
        )

    def _say(self, message: RequestMessage) -> None:
        self._urgent.append(message)
        self._wake()

    def speak(self) -> bytes | None:
        """Return the next message, None while there is none, or nobody to say it to."""
        if self._hello is None:
            return None
        if self._pongs:
            self._pongs -= 1
            return encode(Pong(), self._encoding)
        if self._wary and self._waits_for_answer():
            return None
        if not (self._urgent or self._outbox.unsent):
            self._wary = False
            return None
        return self._speak_next() if self._pace.allows() else None

    def _waits_for_answer(self) -> bool:
        return self._asked in self._questions or self._outbox.is_sent(self._asked)

    def _speak_next(self) -> bytes | None:
        if self._urgent:
            urgent = self._urgent.popleft()
            self._asked = getattr(urgent, "ref", None)
            return encode(urgent, self._encoding)
        while (waiting := self._outbox.take(self._ages.now())) is not None:
            self._asked = waiting.ref
            said = self._render(waiting)
            if said is not None:
                waiting.size = len(said)
                self._pace.add(waiting.size)
                return said
            self._outbox.drop(waiting.ref)
        return None

    def _render(self, waiting: Waiting) -> bytes | None:
        message: Any = waiting.message
        if waiting.deadline is not None:
            left = waiting.deadline - self._clock.monotonic()
            message = replace(message, timeout=max(0.0, left))
        try:
            said = encode(message, self._encoding)
        except _UNSAYABLE as error:
            waiting.fail(Invalid("invalid", f"cannot be said: {error!s:.200}"))
            return None
        if len(said) > self._max_message:
            text = f"{len(said)} bytes, where the server takes {self._max_message:.0f}"
            waiting.fail(Invalid("too-large", text))
            return None
        return said

    # -- what is heard ---------------------------------------------------------------------------

    def hear(self, data: str | bytes) -> None:
        """Take what the server said; what cannot be read is logged, and passed over."""
        try:
            message = decode_reply(data, self._encoding)
        except WireError as error:
            return _log.warning("the server said what cannot be read: %s", error)
        self._take(message)
        if self._wary:
            self._wake()

    def _take(self, message: ReplyMessage) -> None:
        match message:
            case Ping():
                self._pongs += 1
                self._wake()
            case Hello():
                self._greet(message)
            case Full() | DeltaMessage() | Current() | Deleted():
                self._hear_state(message)
            case Fault():
                self._hear_fault(message)
            case _:
                self._answer(message.ref, message)

    def _greet(self, hello: Hello) -> None:
        self._hello = hello
        self._pace.begin(hello.limits)
        self._max_message = read_limit(hello.limits, "max_message")
        for waiting in self._outbox.expire(self._ages.now()):
            waiting.fail(_lost(waiting))
        for subscription in tuple(self._subscriptions.values()):
            subscription.connect()
        self._wake()

    def _hear_state(self, message: StateReply) -> None:
        ref = getattr(message, "ref", None)
        subscription, question = self._find(ref, message.context)
        if subscription is None:
            return self._answer(ref, message)
        subscription.hear(message, answers=question)
        self._drop_ended(subscription)

    def _hear_fault(self, fault: Fault) -> None:
        subscription, question = self._find(fault.ref, fault.context)
        if subscription is not None:
            subscription.hear_fault(fault, answers=question)
            self._drop_ended(subscription)
        elif fault.ref is None:
            _log.warning("the server found fault: %s: %s", fault.code, fault.message)
        elif fault.code != "closing" or not self._outbox.keep(fault.ref):
            self._answer(fault.ref, fault)

    def _find(self, ref: Any, context_id: str | None) -> tuple[Subscription | None, Ask | None]:
        """Whose watch a message belongs to, and the question that it answers."""
        if ref is not None:
            return self._questions.pop(ref, (None, None))
        return self._subscriptions.get(context_id or ""), None

    def _answer(self, ref: Any, message: ReplyMessage) -> None:
        waiting = self._outbox.answered(ref)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(message)

    def _drop_ended(self, subscription: Subscription) -> None:
        if subscription.ended:
            self._stop_asking(subscription)
            self._forget(subscription)

    # -- when it ends ----------------------------------------------------------------------------

    def disconnect(self, why: Lost) -> None:
        """The connection is gone: what can be said again waits for the next one."""
        self._hello = None
        self._pace.stop()
        self._pongs = 0
        self._urgent.clear()
        if why.overflown:
            self._refuse_answer()
        self._questions.clear()
        for subscription in self._subscriptions.values():
            subscription.disconnect()
        largest = self._outbox.give_up_largest() if why.too_large else None
        for waiting in [*filter(None, [largest]), *self._outbox.lose(self._ages.now())]:
            waiting.fail(_lost(waiting))

    def _refuse_answer(self) -> None:
        """An answer was larger than is taken: tell who asked, or find out who that is."""
        if not self._wary:
            self._wary = True
            return
        subscription, _ = self._questions.get(self._asked, (None, None))
        if subscription is not None:
            subscription.end(_too_large(subscription.context_id))
            self._drop_ended(subscription)
        elif (waiting := self._outbox.find_read(self._asked)) is not None:
            waiting.fail(_too_large(waiting.context_id))
            self._outbox.drop(waiting.ref)

    def end(self, error: ChordError) -> None:
        """There will be no other connection: who waits is told why."""
        self._hello = None
        self._pace.stop()
        for subscription in tuple(self._subscriptions.values()):
            subscription.disconnect()
            subscription.end(error)
        self._subscriptions.clear()
        for waiting in self._outbox.clear():
            waiting.fail(error if waiting.sent_at is None else _lost(waiting))

    def __repr__(self) -> str:
        return f"<Exchange connected={self.connected} {self._outbox!r}>"


def _lost(waiting: Waiting) -> ChordError:
    if waiting.reads:
        return NotApplied(f"the connection was lost before {waiting.context_id!r} was read")
    return OutcomeUnknown(waiting.context_id, "the connection was lost before the answer came")


def _too_large(context_id: str) -> ChordError:
    return Invalid("too-large", f"what there is of {context_id!r} is more than `max_size` bytes")
