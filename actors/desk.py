"""Hold `Desk`: the side of an actor that faces its callers. It takes requests in turn, and waits
for nothing: what takes time is left to the actor's task.
"""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

import attrs

from actors.agenda import Agenda
from actors.behavior import Behavior
from actors.chain import Frame, enter
from actors.durability import Durability
from actors.lease import Lease
from actors.mailbox import Mailbox
from actors.messages import Again, Ask, Command, Cue, Done, Order, Outcome, Part
from actors.steps import Step, Turn
from chord.clock import Clock
from chord.config import Settings
from chord.errors import (
    DeadlineExceeded,
    InvalidState,
    OutcomeTimeout,
    Overloaded,
    Quarantined,
)
from chord.live import Live
from chord.records import Operation
from chord.requests import Update, op_id_of
from chord.transition import Unchanged
from chord.turns import (
    MAX_TURN,
    Answer,
    Job,
    answer_again,
    coalesce,
    contain,
    copy_error,
    is_ephemeral,
)

SHORTEST_RETRY: Final = 0.05


Worked: TypeAlias = tuple[Step | None, Outcome]
"""What came of a request, after the step that it rests on until that is acknowledged."""


@attrs.frozen
class Circumstances:
    """What all desks of a runtime share; by it a runtime is known from another.

    `published` is told that there is something to see.
    """

    settings: Settings
    clock: Clock
    agenda: Agenda
    durability: Durability
    published: Callable[[str], None]


class Desk(ABC):
    """Takes the requests for one context, in order, and answers them.

    `behavior` is None while the context is not in memory. `holder` is the async command that has
    the turn.
    """

    __slots__ = (
        "__weakref__",
        "_all",
        "_clock",
        "_durability",
        "_rejects",
        "behavior",
        "context_id",
        "holder",
        "lease",
        "mailbox",
        "must_settle",
        "part",
        "refused_until",
    )

    def __init__(self, context_id: str, circumstances: Circumstances) -> None:
        settings = circumstances.settings
        self.context_id = context_id
        self.behavior: Behavior | None = None
        self.lease: Lease | None = None
        self.mailbox = Mailbox(settings.mailbox_limit, settings.mailbox_bytes)
        self.holder: Ask | None = None
        self.part: Part | None = None
        self.must_settle = False
        self.refused_until = 0.0
        self._all = circumstances
        self._clock = circumstances.clock
        self._durability = circumstances.durability
        self._rejects = settings.mailbox_overflow == "reject"

    @abstractmethod
    def wake(self) -> None:
        """Have the task look for what there is to do."""

    # -- from the caller's side ------------------------------------------------------------------

    def begin(self, order: Order, now: float) -> Answer | Done | Ask:
        """Work on a request at once where that is its turn; else it waits, and so must the caller.

        `now` is a monotonic time. Raises what comes of the request, and `Overloaded`.
        """
        behavior = self.behavior
        if self.refused_until > now:
            raise Quarantined(self.context_id, self.refused_until - now)
        if behavior is None or not self._is_free(behavior, now) or self._waits(behavior, order):
            ask: Ask = Ask(order, asyncio.Future(), counter=self)
            if not self.mailbox.put(ask, now, waits=not self._rejects):
                raise Overloaded(self.context_id, self._estimate_retry(now))
            self._look_after(order, now)
            return ask
        step, outcome = self._work(behavior, order)
        if step is None:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome  # type: ignore[return-value]  # only what rests on a step is `Again`
        ask = Ask(order, asyncio.Future(), counter=self)
        ask.begun = True
        step.wait(ask, outcome)
        return ask

    def begin_cue(self, cue: Cue, now: float) -> None:
        """The same for what the actor wants by itself. Raises nothing."""
        behavior, command = self.behavior, cue.request
        if self.refused_until > now:
            cue.tell(Quarantined(self.context_id, self.refused_until - now))
        elif behavior is None or not self._is_free(behavior, now) or self._waits(behavior, command):
            self.mailbox.put(cue, now, waits=True)
            self._look_after(command, now)
        else:
            self._settle(cue, *self._work(behavior, command))

    def _look_after(self, order: Order, now: float) -> None:
        """See to what has come: a command may begin though the actor's task is busy."""
        if isinstance(order, Command) and self.lease is not None and self.lease.is_sure(now):
            self.pump()
            if not self.mailbox:
                return
        self.wake()

    def expire(self, ask: Ask) -> None:
        """The time that a caller gave is over."""
        if ask.begun:
            ask.answer(OutcomeTimeout(self.context_id))
        else:
            self.mailbox.remove(ask)
            ask.answer(DeadlineExceeded(self.context_id))

    def withdraw(self, ask: Ask) -> None:
        if ask.timer is not None:
            ask.timer.cancel()
        if not ask.begun:
            self.mailbox.remove(ask)

    def look(self, now: float) -> Live | None:
        """The context as it is shown, if that is known for sure without asking the store."""
        return None if self.peek(now) is None or self.behavior is None else self.behavior.look()

    def peek(self, now: float) -> Live | None:
        """The same without its state, which costs the next write nothing."""
        behavior, lease = self.behavior, self.lease
        if behavior is None or lease is None or now >= lease.until or behavior.damage is not None:
            return None
        return behavior.peek()

    def _is_free(self, behavior: Behavior, now: float) -> bool:
        """Whether a request that comes now has its turn now."""
        lease = self.lease
        return (
            behavior.alone is None
            and lease is not None
            and now < lease.until
            and not self.mailbox.asks
            and self.holder is None
            and not self._durability.is_crowded(behavior)
        )

    def _waits(self, behavior: Behavior, order: Order) -> bool:
        """Whether a request has to wait though it has its turn."""
        if type(order) is Update:
            if order.ephemeral and behavior.awaited is not None:
                return is_ephemeral(order)  # more may come before the commit is through
        elif isinstance(order, Command) and (order.is_async or self.part is None):
            return True
        return bool(behavior.steps) and behavior.stands_alone(order)

    def _estimate_retry(self, now: float) -> float:
        oldest = self.mailbox.oldest
        return SHORTEST_RETRY if oldest is None else max(SHORTEST_RETRY, now - oldest)

    # -- the work --------------------------------------------------------------------------------

    def pump(self) -> None:
        """Work on what waits, as far as it has its turn now."""
        self.must_settle = False
        while self.behavior is not None and self.mailbox and self._can_take(self.behavior):
            jobs = coalesce(self._due(self.mailbox.take(MAX_TURN)))
            for index, job in enumerate(jobs):
                if self._run(self.behavior, job):
                    continue
                self.mailbox.put_back(_asks_of(jobs[index:]))
                if not self._put_first():
                    return
                break

    def _can_take(self, behavior: Behavior) -> bool:
        return (
            self.holder is None
            and behavior.alone is None
            and not self._durability.is_crowded(behavior)
        )

    def _due(self, asks: Iterable[Ask]) -> Iterable[Ask]:
        """Those whose time is not over, though nobody may have had the time to say so."""
        now = self._clock.monotonic()
        for ask in asks:
            if ask.deadline is not None and ask.deadline <= now:
                ask.answer(DeadlineExceeded(self.context_id))
            else:
                yield ask

    def _run(self, behavior: Behavior, job: Job) -> bool:
        """Work on a job; False if it has to wait, and all behind it."""
        if not self._can_take(behavior):
            return False
        request: Order = job.request
        if not behavior.is_settled and behavior.stands_alone(request):
            self.must_settle = True
            return False
        if isinstance(request, Command):
            (ask,) = job.pendings
            assert isinstance(ask, Ask)
            return self._run_command(behavior, request, ask)
        self._answer(job, *self._work(behavior, request))
        return True

    def _answer(self, job: Job, step: Step | None, outcome: Outcome) -> None:
        if isinstance(outcome, InvalidState) and len(job.pendings) > 1:
            assert self.behavior is not None
            for single in job.split():  # together they are too large: find out who is
                self._answer(single, *self._work(self.behavior, single.request))
            return
        for ask in job.pendings:
            assert isinstance(ask, Ask)
            self._settle(ask, step, outcome)

    def _settle(self, ask: Ask, step: Step | None, outcome: Outcome) -> None:
        """Answer now, or once the step is acknowledged that the answer rests on."""
        ask.begun = True
        if step is None:
            ask.tell(copy_error(outcome) if isinstance(outcome, BaseException) else outcome)
        else:
            step.wait(ask, outcome)

    def _work(self, behavior: Behavior, order: Order) -> Worked:
        """Do what is asked, and say what is to be answered, and what that rests on."""
        now = self._clock.time()
        try:
            if isinstance(order, Command):
                return self._command(behavior, order, now)
            if (op_id := op_id_of(order)) is not None:
                since = now - self._all.settings.op_ttl
                known = behavior.recall_operation(op_id, since)
                if known is not None:
                    return _repeat(behavior, known)
            taken = behavior.take(order, now, _name_epoch)
        except (Exception, asyncio.CancelledError) as error:
            # nothing is awaited here: if this is a cancellation, it is the application's own
            return (behavior.awaited, contain(error))
        if isinstance(taken, Unchanged):
            return (behavior.awaited, _unchanged(behavior, taken))
        return self._step(behavior, taken, None)

    def _command(self, behavior: Behavior, command: Command, now: float) -> Worked:
        frame = self._open_frame(behavior, command)
        try:
            value = command.context.run(command.call, frame.turn, self.part)
        finally:
            turn = frame.end()
        return self._finish(behavior, turn, value, now)

    def _open_frame(self, behavior: Behavior, command: Command) -> Frame:
        """Begin a command's turn, and have it run on behalf of that. Raises `ContextNotFound`."""
        initial = command.initial and partial(command.context.run, command.initial, self.part)
        ended = command.closes and not behavior.exists
        turn = None if ended else behavior.open_turn(initial)
        frame = Frame(self._all, (self.context_id, command.name), self.part, turn)
        command.context.run(enter, frame)
        return frame

    def _finish(self, behavior: Behavior, turn: Turn | None, value: object, now: float) -> Worked:
        """Apply what a command did; what it returned is told once that is acknowledged."""
        if turn is None:
            return (behavior.awaited, Done(value))
        taken = behavior.close_turn(turn, now, _name_epoch)
        if isinstance(taken, Unchanged):
            return (behavior.awaited, Done(value))
        return self._step(behavior, taken, Done(value, True, len(taken.changes)))

    def _step(self, behavior: Behavior, step: Step, done: Done | None) -> Worked:
        """Take note of a new version: either it is shown by now, or a commit is to be made."""
        awaited = behavior.awaited
        answer = done or _answer_of(step, durable=awaited is not None)
        if awaited is None:
            self._all.published(self.context_id)
            self.note_unstored(behavior)
        else:
            self.wake()
        return awaited, answer

    @abstractmethod
    def note_unstored(self, behavior: Behavior) -> None:
        """A version was acknowledged that is not stored."""

    # -- commands --------------------------------------------------------------------------------

    @abstractmethod
    def _run_command(self, behavior: Behavior, command: Command, ask: Ask) -> bool:
        """Work on a command; False if something has to be run first: it waits in `_put_first`."""

    @abstractmethod
    def _put_first(self) -> bool:
        """Put what has to be run first before all that waits; False if there is nothing."""


def _name_epoch() -> str:
    return secrets.token_hex(8)


def _asks_of(jobs: Iterable[Job]) -> Iterable[Ask]:
    for job in jobs:
        for pending in job.pendings:
            assert isinstance(pending, Ask)
            yield pending


def _answer_of(step: Step, *, durable: bool) -> Answer:
    delta = step.delta
    if delta is None:
        return Answer(None, None, True, 0.0)
    return Answer(step.position, delta, True, delta.updated_at, len(step.changes), durable)


def _unchanged(behavior: Behavior, taken: Unchanged) -> Answer:
    durable = behavior.is_settled or behavior.awaited is not None  # then it waits for that
    return Answer(taken.position, None, False, behavior.updated_at, 0, durable)


def _repeat(behavior: Behavior, known: Operation | Step) -> Worked:
    """Answer an operation that was done before, or wait for the first call of it."""
    if isinstance(known, Step):
        first = _answer_of(known, durable=True)
        return known, Again(first)
    durable = behavior.has_stored(known.position)
    return None, answer_again(behavior.peek(), known, durable=durable)
