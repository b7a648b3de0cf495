"""Hold `Player`: the side of an actor that plays an application's part. It casts it, runs its async
commands, and what it wants by itself.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from actors.behavior import Behavior
from actors.chain import Frame
from actors.desk import Circumstances, Desk, Worked
from actors.messages import Ask, Command, Cue, Done, Part
from actors.steps import Turn
from chord.clock import Timer
from chord.crew import Work
from chord.errors import ChordClosed, ChordError, Fenced, NotApplied
from chord.lifetime import is_being_cancelled
from chord.telemetry import Span
from chord.turns import contain, copy_error

_log = logging.getLogger("chord")


class Returned(NamedTuple):
    """An async command that has ended, and what it came to."""

    behavior: Behavior
    turn: Turn | None
    outcome: Done | BaseException
    ask: Ask


class Player(Desk):
    """Plays the part that a command casts, until it ends. A `Stage`.

    `frame` is the async command that has the turn; `is_leaving` says that the context is to leave
    memory unless something comes, `last_error` what went wrong that is nobody's who asked.
    """

    __slots__ = (
        "_opening",
        "_returned",
        "frame",
        "is_leaving",
        "last_error",
    )

    def __init__(self, context_id: str, circumstances: Circumstances) -> None:
        super().__init__(context_id, circumstances)
        self.frame: Frame | None = None
        self.is_leaving = False
        self.last_error: BaseException | None = None
        self._opening: Cue | None = None
        self._returned: Returned | None = None

    @abstractmethod
    def start(self, work: Work) -> None:
        """Carry out work in a task of its own."""

    @abstractmethod
    def note_use(self) -> None:
        """The context is in use."""

    @property
    def is_sure(self) -> bool:
        """Whether we are the owner for sure, as far as the time tells."""
        return self.lease is not None and self.lease.is_sure(self._clock.monotonic())

    # -- running commands ------------------------------------------------------------------------

    def _run_command(self, behavior: Behavior, command: Command, ask: Ask) -> bool:
        if not ask.is_open:
            return True
        if isinstance(ask, Cue) and ask.part is not self.part:
            ask.drop()
            return True
        if self.part is None and command.cast is not None:
            try:
                self._opening = command.context.run(self._cast, command, ask)
            except Exception as error:
                self._settle(ask, behavior.awaited, error)
                return True
            if self._opening is not None:
                return False
        if command.is_async:
            self.holder = ask
            ask.begun = True
            self.start(partial(self._carry_out, behavior, command, ask))
        else:
            self._settle(ask, *self._work(behavior, command))
            self._end_if_closed(command)
        return True

    def _put_first(self) -> bool:
        opening, self._opening = self._opening, None
        if opening is None:
            return False
        self.mailbox.put_back([opening])
        return True

    async def _carry_out(self, behavior: Behavior, command: Command, ask: Ask) -> None:
        """Run an async command, and have it return: whatever it raises is its caller's."""
        frame: Frame | None = None
        outcome: Done | BaseException = ChordClosed("the runtime was stopped")
        try:
            frame = self.frame = self._open_frame(behavior, command)
            call = command.call(frame.turn, self.part)
            # in a task of its own, which it may cancel, and which sees its caller's context
            outcome = Done(await asyncio.create_task(call, context=command.context))
        except Exception as error:
            outcome = error
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            outcome = contain(error)
        finally:
            turn = frame.end() if frame else None
            if self.holder is ask:
                self._end_if_closed(command)
                self._returned = Returned(behavior, turn, outcome, ask)
            if self.is_sure:
                self.finish_returned()
                self.pump()
            self.wake()

    def take_turn_back(self) -> None:
        """The context was dropped from memory: what the command that has the turn does is lost."""
        ask, self.holder = self.holder, None
        self.frame = self._returned = None
        if ask is not None:
            ask.tell(Fenced(self.context_id))

    @property
    def has_returned(self) -> bool:
        """Whether an async command has ended, and waits for it to be sure that we are the owner."""
        return self._returned is not None

    def finish_returned(self, error: ChordError | None = None) -> None:
        """Apply what an async command did that has returned; with an error, answer with that."""
        if self._returned is None:
            return
        behavior, turn, outcome, ask = self._returned
        self._returned = self.holder = self.frame = None
        self._settle(ask, *self._apply(behavior, turn, error or outcome))

    def _apply(
        self, behavior: Behavior, turn: Turn | None, outcome: Done | BaseException
    ) -> Worked:
        if self.behavior is not behavior:
            return None, Fenced(self.context_id)
        if turn is not None and not behavior.continues(turn):
            text = f"{self.context_id!r}: the version that it began with was not stored"
            return behavior.awaited, NotApplied(text)
        if isinstance(outcome, BaseException):
            return behavior.awaited, outcome
        try:
            return self._finish(behavior, turn, outcome.value, self._clock.time())
        except Exception as error:  # what it made is too large, or cannot be encoded
            return behavior.awaited, error

    # -- the part --------------------------------------------------------------------------------

    def _cast(self, command: Command, ask: Ask) -> Cue | None:
        """Have the part begin for which a command calls; return what has to be run first."""
        assert command.cast is not None
        self.part = part = command.cast(self)
        opening = part.opening()
        if opening is None:
            part.begin()
            return None
        opening = msgspec.structs.replace(opening, context=command.context.copy())
        return self._cue(part, opening, partial(self._note_opened, ask))

    def _note_opened(self, ask: Ask, cue: Cue, outcome: Any) -> None:
        """A part that cannot begin is told to the one who called for it."""
        if isinstance(outcome, BaseException):
            if self.part is cue.part:
                self.end_part()
            self.mailbox.remove(ask)
            ask.tell(copy_error(outcome))
        elif self.part is cue.part:
            cue.part.begin()

    def close_part(self) -> bool:
        """Have the part end, its closing first; False if there is nothing that has to be run."""
        part = self.part
        closing = part.closing() if part is not None else None
        if part is None or closing is None:
            return False
        self.mailbox.put_back([self._cue(part, closing, self._note_closed)])
        return True

    def _note_closed(self, cue: Cue, outcome: Any) -> None:
        self._note_failure(cue, outcome)

    def _end_if_closed(self, command: Command) -> None:
        if command.closes:
            self.end_part()

    def end_part(self) -> None:
        """Have the part end at once, without its closing."""
        part, self.part = self.part, None
        if part is not None:
            part.end()

    # -- what the part wants ---------------------------------------------------------------------

    def now(self) -> float:
        return self._clock.monotonic()

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        return self._all.agenda.call_at(when, call)

    def play(self, part: Part, command: Command, told: Callable[[], object]) -> None:
        self.begin_cue(self._cue(part, command, partial(self._note_played, told)), self.now())

    def _note_played(self, told: Callable[[], object], cue: Cue, outcome: Any) -> None:
        told()
        self._note_failure(cue, outcome)
        if isinstance(outcome, Done) and outcome.changed:
            self.note_use()

    def _note_failure(self, cue: Cue, outcome: Any) -> None:
        """Nobody asked for it, so nobody is told: it is logged, but not each time anew."""
        if not isinstance(outcome, BaseException):
            return
        if repr(outcome) != repr(self.last_error):
            _log.error("%s of %r failed", cue.request.name, self.context_id, exc_info=outcome)
        self.last_error = outcome

    def _cue(self, part: Part, command: Command, told: Callable[[Cue, Any], None]) -> Cue:
        settings = self._all.settings
        operation = name_operation(command)
        span = Span(settings.telemetry, self._clock, operation, self.context_id)
        span.__enter__()
        return Cue(command, asyncio.Future(), counter=self, part=part, span=span, told=told)


def name_operation(command: Command) -> str:
    """What telemetry calls a command."""
    return f"command:{command.name}"
