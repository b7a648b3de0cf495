"""Test what waits for an actor: in order whatever happens, and bounded in number and bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.mailbox import Mailbox
from actors.messages import Ask, weigh
from tests.paper import NoCounter, put

ROOMY = 1 << 20
SIZE = weigh(put({"n": 1}))


class Caller:
    """Makes requests that somebody waits for, on a loop that does not run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def ask(self) -> Ask:
        return Ask(put({"n": 1}), self._loop.create_future(), counter=NoCounter())

    def asks(self, number: int) -> list[Ask]:
        return [self.ask() for _ in range(number)]


@pytest.fixture
def caller() -> Iterator[Caller]:
    loop = asyncio.new_event_loop()
    yield Caller(loop)
    loop.close()


def fill(mailbox: Mailbox, asks: list[Ask]) -> None:
    for ask in asks:
        assert mailbox.put(ask, 0.0, waits=True)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "put", "take", "back", "remove", "cancel", "clear"]),
            st.integers(0, 4),
        ),
        max_size=40,
    ),
    limit=st.integers(1, 3),
    limit_bytes=st.sampled_from([SIZE, 2 * SIZE, ROOMY]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_it_is_one_line(
    caller: Caller, steps: list[tuple[str, int]], limit: int, limit_bytes: int
) -> None:
    mailbox = Mailbox(limit, limit_bytes)
    model: list[Ask] = []
    taken: list[Ask] = []
    for what, number in steps:
        if what == "put":
            model.append(caller.ask())
            mailbox.put(model[-1], 0.0, waits=True)
        elif what == "take":
            taken = mailbox.take(number)
            assert taken == take_naively(model, number)
        elif what == "back":
            mailbox.put_back(taken)
            model[:0], taken = taken, []
        elif what == "clear":
            assert mailbox.clear() == model
            model.clear()
        elif number < len(model) and what == "cancel":
            model[number].future.cancel()
        elif number < len(model):
            assert mailbox.remove(model.pop(number))
        mailbox.check()
        assert list(mailbox.asks) == model[: len(mailbox.asks)]
        assert len(mailbox) == len(model)
        assert bool(mailbox) is bool(model)
    assert mailbox.clear() == model


def take_naively(line: list[Ask], most: int) -> list[Ask]:
    taken: list[Ask] = []
    while line and len(taken) < most:
        ask = line.pop(0)
        if ask.is_open:
            taken.append(ask)
    return taken


def test_one_who_does_not_wait_is_turned_away_where_there_is_no_room(caller: Caller) -> None:
    mailbox = Mailbox(2, ROOMY)
    answers = [mailbox.put(ask, 0.0, waits=False) for ask in caller.asks(3)]
    assert answers == [True, True, False]
    assert len(mailbox) == 2


def test_nobody_overtakes_those_in_line(caller: Caller) -> None:
    mailbox = Mailbox(1, ROOMY)
    first, waiting, late = caller.asks(3)
    fill(mailbox, [first, waiting])
    assert not mailbox.put(late, 0.0, waits=False)
    assert mailbox.take(5) == [first, waiting]


def test_its_bytes_are_bounded_too(caller: Caller) -> None:
    mailbox = Mailbox(100, 2 * SIZE)
    fill(mailbox, caller.asks(5))
    assert mailbox.bytes == 2 * SIZE
    assert (len(mailbox.asks), len(mailbox)) == (2, 5)


def test_one_that_is_alone_has_room_however_large(caller: Caller) -> None:
    assert Mailbox(1, 0).put(caller.ask(), 0.0, waits=False)


def test_whoever_is_taken_out_makes_room_for_the_next_in_line(caller: Caller) -> None:
    mailbox = Mailbox(1, ROOMY)
    first, second = caller.asks(2)
    fill(mailbox, [first, second])
    assert mailbox.remove(first)
    assert list(mailbox.asks) == [second]


def test_one_that_is_not_there_cannot_be_taken_out(caller: Caller) -> None:
    mailbox = Mailbox(1, ROOMY)
    fill(mailbox, caller.asks(2))
    assert not mailbox.remove(caller.ask())


def test_those_whom_nobody_waits_for_are_left_out_and_not_counted(caller: Caller) -> None:
    mailbox = Mailbox(10, ROOMY)
    asks = caller.asks(3)
    fill(mailbox, asks)
    asks[0].future.cancel()
    assert mailbox.take(2) == asks[1:]


def test_what_is_put_back_has_not_begun_and_comes_first_though_there_is_no_room(
    caller: Caller,
) -> None:
    mailbox = Mailbox(2, ROOMY)
    asks = caller.asks(4)
    fill(mailbox, asks)
    taken = mailbox.take(2)
    for ask in taken:
        ask.begun = True
    mailbox.put_back(taken)
    assert not any(ask.begun for ask in taken)
    assert list(mailbox.asks) == asks
    assert mailbox.bytes == 4 * SIZE


def test_the_oldest_is_the_first_of_those_who_have_room(caller: Caller) -> None:
    mailbox = Mailbox(10, ROOMY)
    assert mailbox.oldest is None
    for now, ask in enumerate(caller.asks(2), 7):
        mailbox.put(ask, float(now), waits=True)
    assert mailbox.oldest == 7.0
    mailbox.take(1)
    assert mailbox.oldest == 8.0
