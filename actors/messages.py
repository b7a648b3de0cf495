"""Hold what is sent to an actor: a request with somebody who waits for it. No I/O."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from chord.errors import ChordError
from chord.requests import Request
from chord.state import StateDict
from chord.turns import Answer, Pending

CONTAINER: Final = 64
LEAF: Final = 16
"""What a container or a leaf is taken to weigh, in bytes, beside its text."""


class Part(Protocol):
    """What an application's class plays in an actor, between activation and passivation."""

    def opening(self) -> Command | None:
        """What is run before the first command."""

    def closing(self) -> Command | None:
        """What is run before the context leaves memory."""

    def end(self) -> None:
        """It plays no more: nothing may come from it from now on."""


class Command(msgspec.Struct, frozen=True):
    """A request of an application's own actor: it runs `call` with the turn to itself.

    `call` is given the turn and the part. `is_async`: it is a coroutine function, and holds the
    turn until it returns. `initial` makes the state to begin with where there is no context.
    `cast` makes the part for an actor that plays none yet.
    """

    name: str
    call: Callable[[Any, Any], Any]
    is_async: bool = False
    initial: Callable[[], StateDict] | None = None
    cast: Callable[[], Part] | None = None
    op_id: None = None


Order: TypeAlias = Request | Command
"""What can be asked of an actor."""


class Done(msgspec.Struct, frozen=True):
    """What a command came to: what it returned."""

    value: Any


class Again(msgspec.Struct, frozen=True):
    """The answer to an operation that is repeated while its first call is under way.

    If that comes to nothing, the second runs itself.
    """

    answer: Answer


class Ask(Pending):
    """A request that waits, or whose answer does.

    `deadline` is a monotonic time. `crashes` counts how often the actor crashed with it in work.
    """

    __slots__ = ("__weakref__", "crashes", "deadline", "since", "size")

    request: Any

    def __init__(self, request: Order, future: asyncio.Future[Any]) -> None:
        super().__init__(request, future)  # type: ignore[arg-type]
        self.deadline: float | None = None
        self.crashes = 0
        self.size = 0
        self.since = 0.0

    def tell(self, outcome: Outcome) -> None:
        """Answer with what it came to."""
        if isinstance(outcome, Again):
            outcome = outcome.answer
        elif isinstance(outcome, Done):
            outcome = outcome.value
        self.answer(outcome)  # type: ignore[arg-type]

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits."""
        return not self.future.done()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "answered"
        return f"<Ask {type(self.request).__name__} {state}>"


Outcome: TypeAlias = Answer | Done | Again | BaseException


def copy_error(error: BaseException) -> BaseException:
    """Another of the same kind: one that is raised in several tasks gathers all their traces."""
    return copy.copy(error) if isinstance(error, ChordError) else error


def weigh(value: Any) -> int:
    """Estimate how many bytes of memory a request, or a value in it, holds. O(size)."""
    if isinstance(value, (str, bytes)):
        return LEAF + len(value)
    if isinstance(value, Mapping):
        return CONTAINER + sum(weigh(key) + weigh(inner) for key, inner in value.items())
    if isinstance(value, Sequence):
        return CONTAINER + sum(map(weigh, value))
    if isinstance(value, msgspec.Struct):
        return CONTAINER + sum(weigh(getattr(value, name)) for name in value.__struct_fields__)
    return LEAF
