"""Hold `Exchange`: what is said over a connection, and whom an answer is for. No I/O."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from chord.client.backoff import Backoff
from chord.client.faults import Invalid
from chord.client.outbox import Outbox, Waiting
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
        self._urgent: deque[RequestMessage] = deque()
        self._outbox = Outbox(limit)
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
        subscription.disconnect()
        if self._forget(subscription) and self.connected:
            self._say(Unwatch(context=subscription.context_id))

    def _forget(self, subscription: Subscription) -> bool:
        if self._subscriptions.get(subscription.context_id) is not subscription:
            return False
        del self._subscriptions[subscription.context_id]
        return True

    def _ask(self, subscription: Subscription, question: Ask) -> None:
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
        if self._urgent:
            return encode(self._urgent.popleft(), self._encoding)
        now = self._clock.monotonic()
        while (waiting := self._outbox.take(now)) is not None:
            said = self._render(waiting, now)
            if said is not None:
                return said
            self._outbox.drop(waiting.ref)
        return None

    def _render(self, waiting: Waiting, now: float) -> bytes | None:
        message: Any = waiting.message
        if waiting.deadline is not None:
            message = replace(message, timeout=max(0.0, waiting.deadline - now))
        try:
            said = encode(message, self._encoding)
        except _UNSAYABLE as error:
            waiting.fail(Invalid("invalid", f"cannot be said: {error!s:.200}"))
            return None
        assert self._hello is not None
        limit = self._hello.limits.get("max_message")
        if limit is not None and len(said) > limit:
            text = f"{len(said)} bytes, where the server takes {limit}"
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
        match message:
            case Ping():
                self._say(Pong())
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
        for waiting in self._outbox.expire(self._clock.monotonic()):
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
            subscription.disconnect()
            self._forget(subscription)

    # -- when it ends ----------------------------------------------------------------------------

    def disconnect(self, why: Lost) -> None:
        """The connection is gone: what can be said again waits for the next one."""
        self._hello = None
        self._urgent.clear()
        self._questions.clear()
        for subscription in self._subscriptions.values():
            subscription.disconnect()
        if why.too_large:
            self._outbox.give_up()
        for waiting in self._outbox.lose(self._clock.monotonic()):
            waiting.fail(_lost(waiting))

    def end(self, error: ChordError) -> None:
        """There will be no other connection: who waits is told why."""
        self._hello = None
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
