"""Hold `transition`, the one place where a version is born. Pure: no I/O, clock or randomness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from chord.changes import Added, Changes
from chord.delta.difference import diff
from chord.delta.writing import update, update_in_turn
from chord.errors import ContextNotFound, InvalidState, VersionConflict
from chord.position import Position
from chord.records import Delta
from chord.requests import Delete, Expected, Request, Restore, Set, Transform, Update
from chord.state import StateDict, Tree


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a context is: its state and its position, both None where there is no context.

    `owner` may be written for in place (see `chord.state`). With `ended` the epoch is not to be
    continued: the next version begins a new one, at the same count.
    """

    context_id: str
    state: StateDict | None
    position: Position | None
    owner: object | None = None
    ended: bool = False


class Unchanged(msgspec.Struct, frozen=True, gc=False):
    """Nothing comes of the request; `position` is None where there is no context."""

    position: Position | None


class Born(msgspec.Struct, frozen=True, gc=False):
    """A new version: its state, and the delta that led to it."""

    state: StateDict
    delta: Delta


class Gone(msgspec.Struct, frozen=True, gc=False):
    """The context is no more; `position` was its last."""

    position: Position


Outcome: TypeAlias = Unchanged | Born | Gone


def transition(head: Head, request: Request, now: float, fresh_epoch: str) -> Outcome:
    """Return what a request makes of a context.

    Without an `owner` in `head` its state stays as it is. Raises `ContextNotFound`,
    `VersionConflict`, `InvalidState`, and what a `Transform`'s function raises; the state is then
    as it was.
    """
    match request:
        case Update():  # by far the most, so it comes first
            return _update(head, request, now, fresh_epoch)
        case Set():
            return _set(head, request, now, fresh_epoch)
        case Transform():
            return _transform(head, request, now, fresh_epoch)
        case Delete():
            return _delete(head, request)
        case Restore():
            return _begin(head, request.state, now, fresh_epoch)


def _update(head: Head, request: Update, now: float, fresh_epoch: str) -> Outcome:
    if head.state is None:
        return _update_nothing(head, request, now, fresh_epoch)
    _require_expected(head, request.expected)
    state, changes = update_in_turn(head.state, request.patches, owner=head.owner)
    return _continue(head, state, changes, now, fresh_epoch)


def _update_nothing(head: Head, request: Update, now: float, fresh_epoch: str) -> Outcome:
    if request.create is None or request.expected not in (None, 0):
        raise ContextNotFound(head.context_id)
    state, _ = update_in_turn(request.create, request.patches)
    return _begin(head, state, now, fresh_epoch)


def _set(head: Head, request: Set, now: float, fresh_epoch: str) -> Outcome:
    _require_expected(head, request.expected)
    if head.state is None:
        return _begin(head, request.state, now, fresh_epoch)
    return _continue(head, request.state, diff(head.state, request.state), now, fresh_epoch)


def _transform(head: Head, request: Transform, now: float, fresh_epoch: str) -> Outcome:
    if head.state is None:
        raise ContextNotFound(head.context_id)
    changes = request.fn(head.state)
    if not isinstance(changes, Mapping):
        raise InvalidState((), f"fn returned a {type(changes).__name__}, not a dict of changes")
    # the function may have kept what it was shown, so nothing is written in place
    state, applied = update(head.state, request.take_in(changes), owner=None)
    return _continue(head, state, applied, now, fresh_epoch)


def _delete(head: Head, request: Delete) -> Outcome:
    if head.position is None:
        return Unchanged(None)
    _require_expected(head, request.expected)
    return Gone(head.position)


def _require_expected(head: Head, expected: Expected) -> None:
    if expected is None:
        return
    actual = head.position
    version = 0 if actual is None else actual.version
    if expected != (actual if isinstance(expected, Position) else version):
        raise VersionConflict(head.context_id, expected, actual)


def _begin(head: Head, state: StateDict, now: float, fresh_epoch: str) -> Born:
    changes = Tree({key: Added(value) for key, value in state.items()})
    return Born(state, _delta(head, changes, 0, fresh_epoch, now))


def _continue(
    head: Head, state: StateDict, changes: Changes, now: float, fresh_epoch: str
) -> Outcome:
    assert head.position is not None
    if not changes:
        return Unchanged(head.position)
    epoch = fresh_epoch if head.ended else head.position.epoch
    return Born(state, _delta(head, changes, head.position.version, epoch, now))


def _delta(head: Head, changes: Changes, version: int, epoch: str, now: float) -> Delta:
    return Delta(
        context_id=head.context_id,
        changes=changes,
        from_version=version,
        version=version + 1,
        epoch=epoch,
        updated_at=now,
    )
