"""Hold what waits for its turn: requests, and who waits for them. No I/O."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, Final

import msgspec

from chord.clock import Timer
from chord.errors import ChordError
from chord.live import Live
from chord.position import Position
from chord.records import Delta, Operation
from chord.requests import Delete, Request, Restore, Update
from chord.state import Patch, StateDict

MAX_TURN: Final = 1000
"""How many requests are committed at once."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What became of a request. `position` is None where there is no context, before and after.

    `size` counts the bytes that were logged for it. `durable` tells whether it is in the store.
    """

    position: Position | None
    delta: Delta | None
    changed: bool
    updated_at: float
    size: int = 0
    durable: bool = True


class Pending(msgspec.Struct, eq=False):
    """A request that somebody waits for, by awaiting it: that returns or raises what it came to.

    A caller that is cancelled meanwhile takes it back, as far as it has not begun.
    """

    request: Any
    future: asyncio.Future[Any]
    begun: bool = False
    timer: Timer | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self.future.__await__())
        except asyncio.CancelledError:
            if self.future.cancelled():
                self.take_back()
            raise

    def take_back(self) -> None:
        """Nobody waits any more: what has not begun is not to be done; what has begun completes."""

    def answer(self, result: Answer | BaseException) -> None:
        if self.timer is not None:
            self.timer.cancel()
        future = self.future
        if future.done():
            return
        if not isinstance(result, BaseException):
            future.set_result(result)
        elif isinstance(result, StopIteration):  # a future takes none, nor can a coroutine raise it
            future.set_exception(_wrap(result))
        else:
            future.set_exception(result)


def _wrap(error: StopIteration) -> RuntimeError:
    wrapped = RuntimeError("a function raised StopIteration")
    wrapped.__cause__ = error
    return wrapped


def copy_error(error: BaseException) -> BaseException:
    """Another of the same kind: one that is raised in several tasks gathers all their traces."""
    return copy.copy(error) if isinstance(error, ChordError) else error


def contain(error: BaseException) -> BaseException:
    """What to raise of what a function raised: its own cancellation is not its caller's."""
    if not isinstance(error, asyncio.CancelledError):
        return error
    contained = RuntimeError("the function was told that something it asked was cancelled")
    contained.__cause__ = error
    return contained


def answer_again(live: Live | None, operation: Operation, *, durable: bool = True) -> Answer:
    """The answer to an operation that was done before; its delta, if that is still at hand."""
    position = operation.position
    delta = None
    if live is not None and live.position.epoch == position.epoch:
        delta = live.history.get(position.version)
    return Answer(position, delta, True, operation.at, 0, durable)


class Job(msgspec.Struct, frozen=True):
    """One request to run, and those who wait for it: more than one if they were coalesced."""

    request: Request
    pendings: tuple[Pending, ...]

    def answer(self, result: Answer | BaseException) -> None:
        for pending in self.pendings:
            pending.answer(result)

    def split(self) -> list[Job]:
        return [Job(pending.request, (pending,)) for pending in self.pendings]


def take_turn(queue: deque[Pending]) -> list[Job]:
    """Take from a queue what is run in one turn, in order; coalesce ephemeral updates.

    A request that ends a life, or begins one over, has a turn of its own.
    """
    taken: list[Pending] = []
    while queue and len(taken) < MAX_TURN:
        alone = isinstance(queue[0].request, (Delete, Restore))
        if alone and taken:
            break
        pending = queue.popleft()
        pending.begun = True
        taken.append(pending)
        if alone:
            break
    return coalesce(taken)


def coalesce(pendings: Iterable[Pending]) -> list[Job]:
    """Make jobs of requests: one each, but one for all ephemeral updates, in the place of the last.

    The patches stay apart, so that the job can be split again if together they are too large.
    """
    jobs: list[Job] = []
    together: list[Pending] = []
    patches: list[StateDict] = []
    place = 0
    for pending in pendings:
        request = pending.request
        if isinstance(request, Update) and is_ephemeral(request):
            together.append(pending)
            patches.extend(request.patches)
            place = len(jobs)
        else:
            jobs.append(Job(request, (pending,)))
    if together:
        update = Update(patches=tuple(patches), ephemeral=True)
        jobs.insert(place, Job(update, tuple(together)))
    return jobs


def is_ephemeral(request: Update) -> bool:
    """Whether an update may be coalesced with others."""
    return (
        request.ephemeral
        and request.expected is None
        and request.op_id is None
        and request.create is None
        and not any(type(patch) is Patch for patch in request.patches)
    )
