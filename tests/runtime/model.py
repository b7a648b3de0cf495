"""Hold the model that the state machine compares a runtime with: plain dicts, written naively."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from chord.changes import Append, Increment, Remove, Replace
from chord.delta import equal
from chord.position import Position

State: TypeAlias = Mapping[str, Any]

MISSING: Final = object()
NUMBERS: Final = (int, float, Decimal)


class Refused(Exception):
    """The model would not do it: `why` names the error that says so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@attrs.frozen
class Truth:
    """What a store has of a context at one moment: nothing where there is no state."""

    state: State | None = None
    position: Position | None = None
    updated_at: float = 0.0

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Truth)
            and self.position == other.position
            and self.updated_at == other.updated_at
            and equal(self.state, other.state)
        )

    @property
    def version(self) -> int:
        return self.position.version if self.position else 0


@attrs.frozen
class Made:
    """What a write is to make of a context; `begins` where that is a new life."""

    state: State | None
    begins: bool = False

    def is_met_by(self, before: Truth, after: Truth) -> bool:
        """Whether the store went from `before` to `after` by just this write."""
        if self.state is None or after.position is None:
            return self.state is None and after.position is None
        if not equal(self.state, after.state):
            return False
        if not self.begins:
            assert before.position is not None
            return after.position == Position(before.position.epoch, before.version + 1)
        old = before.position.epoch if before.position else None
        return after.version == 1 and after.position.epoch != old


# -- what each write makes of a context; None where it changes nothing -----------------------------


def set_(before: Truth, state: State, expected: Position | int | None = None) -> Made | None:
    expect(before, expected)
    if before.state is None:
        return Made(state, begins=True)
    return None if equal(before.state, state) else Made(state)


def update(
    before: Truth,
    changes: State,
    expected: Position | int | None = None,
    create: State | None = None,
) -> Made | None:
    if before.state is None:
        if create is None or expected not in (None, 0):
            raise Refused("ContextNotFound")
        return Made(put(create, changes), begins=True)
    expect(before, expected)
    state = put(before.state, changes)
    return None if equal(before.state, state) else Made(state)


def delete(before: Truth, expected: Position | int | None = None) -> Made | None:
    if before.state is None:
        return None
    expect(before, expected)
    return Made(None)


def restore(before: Truth, state: State) -> Made:
    return Made(state, begins=True)


def expect(before: Truth, expected: Position | int | None) -> None:
    actual = before.position if isinstance(expected, Position) else before.version
    if expected is not None and expected != actual:
        raise Refused("VersionConflict")


def put(state: State, changes: State) -> dict[str, Any]:
    """A state with a partial state put to it."""
    result = dict(state)
    for key, value in changes.items():
        new = put_value(result.get(key, MISSING), value)
        if new is MISSING:
            result.pop(key, None)
        else:
            result[key] = new
    return result


def put_value(old: Any, value: Any) -> Any:
    match value:
        case Remove():
            return MISSING
        case Replace(new):
            return new
        case Append(items):
            return append(old, items)
        case Increment(by):
            return add(0 if old is MISSING else old, by)
        case dict():
            return put(old if isinstance(old, dict) else {}, value)
    return value


def append(old: Any, items: Any) -> list[Any]:
    if old is MISSING:
        return list(items)
    if not isinstance(old, list):
        raise Refused("InvalidState")
    return [*old, *items]


def add(old: Any, by: Any) -> Any:
    if type(old) not in NUMBERS:
        raise Refused("InvalidState")
    try:
        return old + by
    except (ArithmeticError, TypeError):
        raise Refused("InvalidState") from None
