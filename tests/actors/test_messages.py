"""Test what is sent to an actor: what it weighs, how it is answered, how errors are copied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from actors.messages import CONTAINER, LEAF, Again, Ask, Command, Done, name_of, weigh
from chord.clock import ManualClock
from chord.errors import ChordError, ContextNotFound, Overloaded, VersionConflict
from chord.position import Position
from chord.requests import Delete, Set
from chord.state import take_in
from chord.testing.strategies import State, states
from chord.turns import Answer, copy_error
from tests.paper import NoCounter, put

ANSWER = Answer(Position("k", 1), None, True, 1000.0)


@pytest.fixture
def ask() -> Iterator[Ask]:
    loop = asyncio.new_event_loop()
    yield Ask(Delete(), loop.create_future(), counter=NoCounter())
    loop.close()


def order(*arguments: Any) -> Command:
    return Command("move", lambda turn, part: None, arguments=arguments)


# -- what it weighs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, LEAF),
        (2**70, LEAF),
        ("abc", LEAF + 3),
        (b"abcd", LEAF + 4),
        ([], CONTAINER),
        ([1, "a"], CONTAINER + LEAF + LEAF + 1),
        ({"k": 1}, CONTAINER + LEAF + 1 + LEAF),
        ({"k": {}}, CONTAINER + LEAF + 1 + CONTAINER),
    ],
)
def test_a_value_weighs_its_containers_its_leaves_and_its_text(value: Any, size: int) -> None:
    assert weigh(value) == size


@given(states())
def test_a_request_weighs_more_than_the_state_in_it(state: State) -> None:
    assert weigh(Set(state=take_in(state))) > weigh(state)


def test_the_state_to_begin_with_is_weighed_too() -> None:
    large = take_in({"text": "x" * 1000})
    assert weigh(put({}, create=large)) > weigh(put({})) + 1000


def test_a_command_weighs_its_arguments_though_one_contains_itself() -> None:
    endless: list[Any] = [1, 2]
    endless.append(endless)
    assert weigh(order()) == CONTAINER
    assert weigh(order("x" * 100, endless, object())) == CONTAINER + (LEAF + 100) + 4 * LEAF + LEAF


def test_people_call_a_command_by_its_name_and_a_request_by_its_kind() -> None:
    assert [name_of(each) for each in (order(), put({}), Delete())] == ["move", "update", "delete"]


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ContextNotFound("a"),
        Overloaded("a", 0.5),
        VersionConflict("a", 3, Position("k", 4)),
        VersionConflict("a", None, None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_copied_error_says_the_same(error: ChordError) -> None:
    copied = copy_error(error)
    assert copied is not error
    assert type(copied) is type(error)
    assert (str(copied), vars(copied)) == (str(error), vars(error))


def test_a_copied_error_does_not_gather_the_traces_of_the_other() -> None:
    error = ContextNotFound("a")
    with pytest.raises(ContextNotFound):
        raise copy_error(error)
    assert error.__traceback__ is None


def test_an_error_of_somebody_else_is_not_copied() -> None:
    error = ZeroDivisionError()
    assert copy_error(error) is error


# -- who waits -------------------------------------------------------------------------------------


def test_an_answer_is_told_to_who_waits(ask: Ask) -> None:
    assert ask.is_open
    ask.tell(ANSWER)
    assert not ask.is_open
    assert ask.future.result() is ANSWER


def test_an_error_is_raised_to_who_waits(ask: Ask) -> None:
    ask.tell(ContextNotFound("a"))
    assert isinstance(ask.future.exception(), ContextNotFound)


def test_what_a_command_returned_is_told_as_it_is(ask: Ask) -> None:
    done = Done("value", changed=True)
    ask.tell(done)
    told: object = ask.future.result()
    assert told is done


def test_a_repeated_operation_is_told_the_answer_of_the_first(ask: Ask) -> None:
    ask.tell(Again(ANSWER))
    assert ask.future.result() is ANSWER


def test_only_the_first_answer_counts(ask: Ask) -> None:
    ask.tell(ANSWER)
    ask.tell(ContextNotFound("a"))
    assert ask.future.result() is ANSWER


def test_one_who_waits_no_more_is_told_nothing(ask: Ask) -> None:
    ask.future.cancel()
    ask.tell(ANSWER)
    assert ask.future.cancelled()


def test_an_answer_ends_the_time_limit(ask: Ask) -> None:
    clock = ManualClock()
    ask.timer = clock.call_at(5.0, lambda: None)
    ask.tell(ANSWER)
    assert clock.pending() == 0
