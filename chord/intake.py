"""Hold `Intake`: it makes requests of what callers say, checked, with all values taken in."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from chord.config import Settings
from chord.errors import InvalidArgument
from chord.requests import (
    Delete,
    ExpectedAt,
    Restore,
    Set,
    Transform,
    Update,
    check_op_id,
    read_expected,
)
from chord.state import Inlet


class Intake:
    """Makes requests, or raises `InvalidArgument` or `InvalidState` before anything has begun."""

    def __init__(self, settings: Settings) -> None:
        depth, accepts = settings.max_depth, settings.codec.accepts
        self._take_in = Inlet(depth, accepts, operators=False).take_root
        self._take_in_changes = Inlet(depth, accepts, operators=True).take_root

    def set(self, state: Mapping[str, Any], expected: ExpectedAt, op_id: str | None) -> Set:
        check_op_id(op_id)
        where = read_expected(expected)
        return Set(state=self._take_in(state), expected=where, op_id=op_id)

    def update(
        self,
        changes: Mapping[str, Any],
        expected: ExpectedAt,
        op_id: str | None,
        create: Mapping[str, Any] | None,
        ephemeral: bool,
    ) -> Update:
        check_op_id(op_id)
        return Update(
            patches=(self._take_in_changes(changes),),
            expected=read_expected(expected),
            op_id=op_id,
            create=None if create is None else self._take_in(create),
            ephemeral=ephemeral,
        )

    def transform(
        self, fn: Callable[[Mapping[str, Any]], Mapping[str, Any]], op_id: str | None
    ) -> Transform:
        check_op_id(op_id)
        if not callable(fn) or inspect.iscoroutinefunction(fn):
            raise InvalidArgument("fn", fn, "a function of the state, and not async")
        return Transform(fn=_in_context(fn), take_in=self._take_in_changes, op_id=op_id)

    def delete(self, expected: ExpectedAt) -> Delete:
        return Delete(expected=read_expected(expected))

    def restore(self, state: Mapping[str, Any]) -> Restore:
        return Restore(state=self._take_in(state))


def _in_context(
    fn: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Have a function see its caller's context variables: it runs in a task of ours."""
    context = contextvars.copy_context()
    return lambda state: context.run(fn, state)
