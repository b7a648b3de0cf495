"""Hold what is sent to an actor: a request with somebody who waits for it. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final, Protocol, TypeAlias

import msgspec
from msgspec.structs import astuple

from chord.clock import Timer
from chord.requests import Request
from chord.state import StateDict
from chord.telemetry import Span
from chord.turns import Answer, Pending

CONTAINER: Final = 64
LEAF: Final = 16
"""What a container or a leaf is taken to weigh, in bytes, beside its text."""


class Counter(Protocol):
    """Where what is asked waits."""

    def withdraw(self, ask: Ask) -> None:
        """A caller waits no longer: what has not begun is not done; what has begun completes."""


class Part(Protocol):
    """What an application's class plays in an actor, between activation and passivation."""

    def opening(self) -> Command | None:
        """What is run before the first command. If that fails, the part ends."""

    def begin(self) -> None:
        """It plays from now on, and may want things by itself."""

    def closing(self) -> Command | None:
        """What is run before the context leaves memory: the part ends with it."""

    def end(self) -> None:
        """It plays no more: nothing may come from it from now on."""


class Stage(Protocol):
    """What an actor is to the part that plays in it."""

    @property
    def context_id(self) -> str: ...

    @property
    def is_leaving(self) -> bool:
        """Whether the context is about to leave memory."""

    def now(self) -> float:
        """The monotonic time."""

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        """Call at a monotonic time."""

    def play(self, part: Part, command: Command, told: Callable[[], object]) -> None:
        """Run a command that the part wants by itself; it is told when that is done with."""


class Command(msgspec.Struct, frozen=True):
    """A request of an application's own actor: it runs `call` with the turn to itself.

    `call` is given the turn and the part. `is_async`: it is a coroutine function, and holds the
    turn until it returns. `initial` makes, of the part, the state to begin with where there is no
    context. `cast` makes the part for an actor that plays none yet. One that `closes` ends it, and
    where there is no context any more it is given None for a turn. It runs in a `context` that is
    its own. Its `arguments` are those that are counted as its size.
    """

    name: str
    call: Callable[[Any, Any], Any]
    is_async: bool = False
    initial: Callable[[Any], StateDict] | None = None
    cast: Callable[[Stage], Part] | None = None
    closes: bool = False
    arguments: tuple[Any, ...] = ()
    context: Context = msgspec.field(default_factory=copy_context)


Order: TypeAlias = Request | Command
"""What can be asked of an actor."""


def name_of(order: Order) -> str:
    """What people call it."""
    return order.name if isinstance(order, Command) else type(order).__name__.lower()


class Done(msgspec.Struct, frozen=True):
    """What a command came to: what it returned, and whether that made a version, of which size."""

    value: Any
    changed: bool = False
    size: int = 0


class Again(msgspec.Struct, frozen=True):
    """The answer to an operation that is repeated while its first call is under way.

    If that comes to nothing, the second runs itself.
    """

    answer: Answer


class Ask(Pending, kw_only=True):
    """A request that waits, or whose answer does.

    `deadline` is a monotonic time. `crashes` counts how often the actor crashed with it in work.
    """

    counter: Counter
    deadline: float | None = None
    crashes: int = 0
    size: int = 0
    since: float = 0.0

    def take_back(self) -> None:
        self.counter.withdraw(self)

    def tell(self, outcome: Outcome) -> None:
        """Answer with what it came to."""
        self.answer(outcome.answer if isinstance(outcome, Again) else outcome)  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits."""
        return not self.future.done()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "answered"
        return f"<Ask {type(self.request).__name__} {state}>"


class Cue(Ask, kw_only=True):
    """A command that an actor runs by itself, for the part that plays in it. Nobody waits for it.

    `told` is called with what it came to, at once. One whose part has ended is dropped instead.
    """

    part: Part
    span: Span
    told: Callable[[Cue, Any], None]

    def answer(self, result: Any) -> None:
        if self.future.done():
            return
        self.drop()
        if isinstance(result, BaseException):
            self.span.__exit__(type(result), result, None)
        else:
            self.span.outcome = "ok" if result.changed else "unchanged"
            self.span.size = result.size
            self.span.__exit__(None, None, None)
        self.told(self, result)

    def drop(self) -> None:
        self.future.cancel()


Outcome: TypeAlias = Answer | Done | Again | BaseException


def weigh(value: Any) -> int:
    """Estimate how many bytes of memory a request, or a value in it, holds. O(size)."""
    if isinstance(value, (str, bytes)):
        return LEAF + len(value)
    if isinstance(value, dict):
        return CONTAINER + sum(map(weigh, value)) + sum(map(weigh, value.values()))
    if isinstance(value, (list, tuple)):
        return CONTAINER + sum(map(weigh, value))
    if isinstance(value, Command):
        return CONTAINER + sum(map(_weigh_argument, value.arguments))
    if isinstance(value, msgspec.Struct):
        return CONTAINER + sum(map(weigh, astuple(value)))
    return LEAF


def _weigh_argument(value: Any) -> int:
    """Whatever an application hands over: it may be of any type, and it may contain itself."""
    if isinstance(value, (str, bytes)):
        return LEAF + len(value)
    return LEAF * (1 + len(value)) if isinstance(value, (dict, list, tuple)) else LEAF
