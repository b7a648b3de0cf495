"""Hold `ChordError` and its family: what went wrong, as data, and whether the write happened.

`applied` is False where nothing was written (trying again is safe), and None where nobody can
tell (try again with the same `op_id`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from chord.position import Position


class ChordError(Exception):
    """The root of all errors that Chord raises; subclasses carry data and build their message."""

    applied: ClassVar[bool | None] = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[ChordError], args: tuple[Any, ...], data: dict[str, Any]) -> ChordError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(data)
    return error


# -- what the caller asked for cannot be done ----------------------------------------------------


class ConfigurationError(ChordError, ValueError):
    """Settings that contradict each other, or a feature that was not set up."""


class InvalidArgument(ChordError, ValueError):
    """An argument of a call is not of the form that the call takes."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name} must be {wanted}, not {show(value)}")
        self.name = name


class InvalidContextId(InvalidArgument):
    """Not a usable id: a non-empty `str` of at most 512 UTF-8 bytes, without NUL."""

    def __init__(self, value: object) -> None:
        super().__init__("context_id", value, "a str of 1 to 512 UTF-8 bytes without NUL")


class InvalidState(ChordError, ValueError):
    """A value that cannot be part of a state; `path` leads to it from the state's root."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"at {show_path(path)}: {problem}")
        self.path = path
        self.problem = problem


class ContextNotFound(ChordError, KeyError):
    """There is no context of this id."""

    __str__ = Exception.__str__

    def __init__(self, context_id: str) -> None:
        super().__init__(f"no context {context_id!r}")
        self.context_id = context_id


class VersionConflict(ChordError):
    """The context is not where it was expected; `actual` is None where there is none.

    With `expected` None, the caller expected nothing, but other processes were always faster.
    """

    def __init__(
        self, context_id: str, expected: Position | int | None, actual: Position | None
    ) -> None:
        where = f"{context_id!r} is at {actual}" if actual else f"there is no {context_id!r}"
        if expected is None:
            super().__init__(f"{where}; others were faster each time that it was tried")
        else:
            super().__init__(f"{where}, where {show(expected, str)} was expected")
        self.context_id = context_id
        self.expected = expected
        self.actual = actual


class VersionGone(ChordError, LookupError):
    """The state of that version is not in memory any more."""

    def __init__(self, context_id: str, position: Position) -> None:
        super().__init__(f"{context_id!r} at {position} is no longer in memory")
        self.context_id = context_id
        self.position = position


class DeltaMismatch(ChordError, ValueError):
    """Changes that do not fit the state, or the changes, that they were put to."""

    def __init__(self, path: tuple[str, ...], problem: str) -> None:
        super().__init__(f"at {show_path(path)}: {problem}")
        self.path = path
        self.problem = problem


class CannotFormat(ChordError, ValueError):
    """A delta that the chosen format has no words for."""

    def __init__(self, path: tuple[str, ...], problem: str) -> None:
        super().__init__(f"at {show_path(path)}: {problem}")
        self.path = path
        self.problem = problem


# -- a write that did not happen -----------------------------------------------------------------


class NotApplied(ChordError):
    """The write did not happen and will not; trying again is safe."""


class DeadlineExceeded(NotApplied, TimeoutError):
    """The call's time ran out before the work began."""

    def __init__(self, context_id: str) -> None:
        super().__init__(f"time ran out before the work on {context_id!r} began")
        self.context_id = context_id


class BackendUnavailable(NotApplied):
    """The store could not be reached, or refused; `address` says which, `reason` why."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason


class ChordClosed(NotApplied):
    """The runtime is not open: not entered yet, closing, or closed."""


class Overloaded(NotApplied):
    """Too much is waiting already; try again after `retry_after` seconds."""

    def __init__(self, context_id: str, retry_after: float) -> None:
        super().__init__(f"{context_id!r} has too much waiting; retry in {retry_after:.3g} s")
        self.context_id = context_id
        self.retry_after = retry_after


class OwnedElsewhere(NotApplied):
    """Another runtime holds the lease: `owner`, to be found at `address` (may be empty)."""

    def __init__(self, context_id: str, owner: str, address: str) -> None:
        at = f" at {address}" if address else ""
        super().__init__(f"{context_id!r} is owned by {owner}{at}")
        self.context_id = context_id
        self.owner = owner
        self.address = address


class Fenced(NotApplied):
    """The fencing token is not the current one: another runtime took the context over."""

    def __init__(self, context_id: str) -> None:
        super().__init__(f"{context_id!r} was taken over: the fencing token is not current")
        self.context_id = context_id


class Quarantined(NotApplied):
    """The context crashed too often; try again after `retry_after` seconds."""

    def __init__(self, context_id: str, retry_after: float) -> None:
        super().__init__(f"{context_id!r} crashed too often; retry in {retry_after:.3g} s")
        self.context_id = context_id
        self.retry_after = retry_after


class AskCycle(NotApplied):
    """An async command asked for what could be answered only once it has ended itself.

    `chain` is who asked whom, as pairs of a context's id and what was asked of it; the last is what
    was refused.
    """

    def __init__(self, chain: Sequence[tuple[str, str]]) -> None:
        asked = " -> ".join(f"{context_id!r}.{name}" for context_id, name in chain)
        cure = "; a command changes its own context by self.update" if _is_own(chain) else ""
        super().__init__(f"it would wait for itself: {asked}{cure}")
        self.chain = tuple(chain)


def _is_own(chain: Sequence[tuple[str, str]]) -> bool:
    """Whether a command made a plain write to its own context."""
    plain = chain[-1][1] in ("update", "set", "transform") if chain else False
    return plain and len(chain) > 1 and chain[-1][0] == chain[-2][0]


class DuplicateOperation(NotApplied):
    """A backend's answer to a batch that holds an operation which the store has already."""

    def __init__(self, context_id: str, op_id: str) -> None:
        super().__init__(f"{context_id!r} has operation {op_id!r} already")
        self.context_id = context_id
        self.op_id = op_id


# -- a write of which nobody can tell ------------------------------------------------------------


class OutcomeUnknown(ChordError):
    """The write may or may not have happened; try again with the same `op_id`."""

    applied = None

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class OutcomeTimeout(OutcomeUnknown, TimeoutError):
    """The call's time ran out while the work was under way."""

    def __init__(self, context_id: str) -> None:
        super().__init__(context_id, "time ran out while the work was under way")
        self.context_id = context_id


class NotStored(ChordError):
    """A runtime has ended, and some of what it had acknowledged is not in the store.

    `context_ids` says of which contexts. It can't be with `durability="write-through"`.
    """

    def __init__(self, context_ids: Sequence[str]) -> None:
        some = ", ".join(map(repr, context_ids[:5]))
        more = f" and {len(context_ids) - 5} more" if len(context_ids) > 5 else ""
        super().__init__(f"not everything that was acknowledged is stored: {some}{more}")
        self.context_ids = tuple(context_ids)


# -- something is broken -------------------------------------------------------------------------


class CorruptData(ChordError):
    """What the store holds cannot be read; nothing was changed."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class WrongLoop(ChordError, RuntimeError):
    """Used from another event loop, another thread, or after a fork."""


class WrongActor(ChordError, TypeError):
    """A command of one class was sent to a context in which another class plays."""

    def __init__(self, context_id: str, wanted: str, actual: str) -> None:
        super().__init__(f"{context_id!r} is played by {actual}, so it has no commands of {wanted}")
        self.context_id = context_id
        self.wanted = wanted
        self.actual = actual


class NoTurn(ChordError, RuntimeError):
    """The state of an application's actor was used outside of a command, or after it had ended."""

    def __init__(self, context_id: str) -> None:
        super().__init__(f"only a command of {context_id!r} can use its state, while it runs")
        self.context_id = context_id


def show(value: object, words: Callable[[object], str] = repr) -> str:
    """A value for people: its `repr`, cut, or if that fails, as on ints of 4,301 digits, its type.

    >>> show("x" * 1000)[:5], show(10**5000)
    ("'xxxx", 'a int')
    """
    try:
        return f"{words(value):.200}"
    except Exception:
        return f"a {type(value).__name__}"


def show_path(path: tuple[str | int, ...]) -> str:
    """A path for people.

    >>> show_path(("people", "ana", 0))
    "['people']['ana'][0]"
    """
    if not path:
        return "the root"
    if len(path) > 12:
        return show_path(path[:6]) + "..." + show_path(path[-3:])
    return "".join(f"[{step!r:.60}]" for step in path)
