"""Test that requests are made of checked arguments, with all values taken in."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest

from chord.changes import Increment
from chord.config import Settings
from chord.errors import InvalidArgument, InvalidState
from chord.intake import Intake
from chord.position import Position
from chord.requests import Delete, Restore, Set
from chord.state import StateDict, take_in, take_in_changes

WHO: ContextVar[str] = ContextVar("WHO")


@pytest.fixture
def intake() -> Intake:
    return Intake(Settings(max_depth=3))


def test_a_state_is_taken_in(intake: Intake) -> None:
    wanted = take_in({"at": [1, 2]})
    assert intake.set({"at": (1, 2)}, "k:3", "x") == Set(
        state=wanted, expected=Position("k", 3), op_id="x"
    )
    assert intake.restore({"at": (1, 2)}) == Restore(state=wanted)


def test_changes_may_hold_operators_and_a_first_state_may_not(intake: Intake) -> None:
    update = intake.update({"n": Increment()}, None, None, {}, True)
    assert update.patches == (take_in_changes({"n": Increment()}),)
    assert type(update.create) is StateDict
    assert update.ephemeral
    with pytest.raises(InvalidState):
        intake.update({}, None, None, {"n": Increment()}, False)


def test_a_delete_expects_what_its_caller_says(intake: Intake) -> None:
    assert intake.delete("k:3") == Delete(expected=Position("k", 3))


def test_what_is_too_deep_is_refused(intake: Intake) -> None:
    with pytest.raises(InvalidState):
        intake.set({"a": {"b": {"c": {"d": 1}}}}, None, None)


def test_a_function_sees_the_variables_of_its_caller(intake: Intake) -> None:
    token = WHO.set("the caller")
    request = intake.transform(lambda state: {"by": WHO.get()}, None)
    WHO.reset(token)
    assert request.fn({}) == {"by": "the caller"}


def test_what_a_function_returns_is_taken_in_as_changes(intake: Intake) -> None:
    request = intake.transform(lambda state: {}, None)
    assert request.take_in({"at": (1,)}) == take_in_changes({"at": [1]})


async def _wait(state: object) -> dict[str, object]:
    return {}


@pytest.mark.parametrize("fn", [_wait, None, {}])
def test_what_is_no_plain_function_is_refused(intake: Intake, fn: Any) -> None:
    with pytest.raises(InvalidArgument):
        intake.transform(fn, None)


def test_an_unusable_op_id_is_refused(intake: Intake) -> None:
    with pytest.raises(InvalidArgument):
        intake.set({}, None, "")
    with pytest.raises(InvalidArgument):
        intake.update({}, None, "", None, False)
    with pytest.raises(InvalidArgument):
        intake.transform(lambda state: {}, "")
