"""Hold `Frame`, a command that has a turn, and the chain of those on whose behalf code runs.

The chain is a context variable: what a command calls or asks has the command in its chain, and so
have the tasks that it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from actors.messages import Part
from actors.steps import Turn
from chord.errors import AskCycle

Asked: TypeAlias = tuple[str, str]
"""What was asked: the id of a context, and the name of the command or of the request."""


class Frame:
    """A command of one runtime that has, or had, the turn of its context.

    `turn` is None where there is no context. `waits` lists what it has asked others and is waiting
    for. A task that the command started may outlive it: it finds that the turn is not `held`.
    """

    __slots__ = ("asked", "held", "part", "runtime", "turn", "waits")

    def __init__(self, runtime: object, asked: Asked, part: Part | None, turn: Turn | None) -> None:
        self.runtime = runtime
        self.asked = asked
        self.part = part
        self.turn = turn
        self.held = True
        self.waits: list[Asked] = []

    def end(self) -> Turn | None:
        """The turn is over, and handed to who closes it: who outlives it keeps nothing alive."""
        turn = self.turn
        self.turn = self.part = None
        self.held = False
        return turn

    @contextmanager
    def waiting_for(self, asked: Asked) -> Iterator[None]:
        """Be known to wait for this meanwhile."""
        self.waits.append(asked)
        try:
            yield
        finally:
            self.waits.remove(asked)

    def __repr__(self) -> str:
        return f"<Frame {self.asked} {'held' if self.held else 'over'}>"


_chain: ContextVar[tuple[Frame, ...]] = ContextVar("chain", default=())


def enter(frame: Frame) -> None:
    """Have what runs in this context run on behalf of a command."""
    _chain.set((*_chain.get(), frame))


def find_own(part: Part) -> Frame | None:
    """The command of this part on whose behalf the caller runs, if any; it may be over."""
    chain = _chain.get()
    return chain[-1] if chain and chain[-1].part is part else None


def has_asker() -> bool:
    """Whether the caller runs on behalf of a command at all."""
    return bool(_chain.get())


def find_asker(
    runtime: object, asked: Asked, find_holder: Callable[[str], Frame | None]
) -> Frame | None:
    """The command on whose behalf something is asked, None if of none.

    Raises `AskCycle` where what is asked could only be answered once the asker has its answer.
    `find_holder` finds the async command that holds the turn of a context.
    """
    chain = _chain.get()
    if not chain:
        return None
    askers = [frame for frame in chain if frame.held and frame.runtime is runtime]
    if not askers:
        return None
    way = _find_way(asked, askers, find_holder)
    if way:
        raise AskCycle([*(frame.asked for frame in askers), *way])
    return askers[-1]


def _find_way(
    asked: Asked, askers: list[Frame], find_holder: Callable[[str], Frame | None]
) -> list[Asked]:
    """Follow who waits for whom from what is asked to one of those who ask; empty if none does."""
    ways = [[asked]]
    seen: list[Frame] = []
    while ways:
        way = ways.pop()
        holder = find_holder(way[-1][0])
        if holder is None or holder in seen:
            continue
        if holder in askers:
            return way
        seen.append(holder)
        ways.extend([*way, further] for further in holder.waits)
    return []
