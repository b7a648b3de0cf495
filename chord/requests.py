"""Hold the requests: what can be asked of a context, as data that was validated already.

They are `msgspec.Struct`s for the reason that is given in `chord.changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

import msgspec

from chord.errors import InvalidArgument, InvalidContextId
from chord.position import Position, is_position, is_version
from chord.state import StateDict

Expected: TypeAlias = Position | int | None
"""Where a write expects the context: at a position, at a version (0: nowhere yet), or anywhere."""

ExpectedAt: TypeAlias = Expected | str
"""The same as callers say it, a position in its text form, too."""


class Set(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Create the context, or replace its whole state."""

    state: StateDict
    expected: Expected = None
    op_id: str | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Change the state in part; more than one patch is one version, as coalesced updates are.

    `create` is the state to begin with where there is no context.
    """

    patches: tuple[StateDict, ...]
    expected: Expected = None
    op_id: str | None = None
    create: StateDict | None = None
    ephemeral: bool = False


class Transform(msgspec.Struct, frozen=True, kw_only=True):
    """Change the state by what a pure function of it returns, as `take_in` lets it pass."""

    fn: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    take_in: Callable[[Any], StateDict]
    op_id: str | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """End this life of the context."""

    expected: Expected = None


class Restore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Begin a new life with this state, whatever there was."""

    state: StateDict


Request: TypeAlias = Set | Update | Transform | Delete | Restore


def op_id_of(request: Request) -> str | None:
    """The id under which the request is remembered, if any."""
    kind = type(request)
    return None if kind is Delete or kind is Restore else request.op_id  # type: ignore[union-attr]


MAX_ID_BYTES: Final = 512


def check_context_id(value: object) -> None:
    """Raise `InvalidContextId` unless it is a usable id."""
    if not _is_id(value):
        raise InvalidContextId(value)


def check_op_id(value: object) -> None:
    """Raise `InvalidArgument` unless it is None or a usable id."""
    if value is not None and not _is_id(value):
        raise InvalidArgument("op_id", value, "a str of 1 to 512 UTF-8 bytes without NUL, or None")


def check_prefix(value: object) -> None:
    """Raise `InvalidArgument` unless an id can begin with it; any can with an empty one."""
    if value != "" and not _is_id(value):
        raise InvalidArgument("prefix", value, "a str of at most 512 UTF-8 bytes without NUL")


def _is_id(value: object) -> bool:
    if type(value) is not str or not value or len(value) > MAX_ID_BYTES or "\0" in value:
        return False
    if value.isascii():
        return True
    try:
        return len(value.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def read_expected(value: ExpectedAt) -> Expected:
    """Read where a context is expected; `InvalidArgument` unless position, version, 0 or None."""
    if value is None or is_position(value) or is_version(value):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return Position.parse(value)
    raise InvalidArgument("expected", value, "a position, a version of 0 or more, or None")


def is_seconds(value: object) -> bool:
    """Whether it is a number of seconds, 0 or more, that a clock can count."""
    if type(value) is int:
        return 0 <= value < 1 << 53
    return type(value) is float and value >= 0


def check_timeout(value: object) -> None:
    """Raise `InvalidArgument` unless it is None or a number of seconds, 0 or more."""
    if value is None or is_seconds(value):
        return
    raise InvalidArgument("timeout", value, "seconds, 0 or more, or None")
