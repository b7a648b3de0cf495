"""Test what waits for its answer: its order, what is sent again, and what is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chord.client.outbox import ALWAYS, NEVER, Outbox, Waiting
from chord.errors import Overloaded
from chord.web.wire import Sync

LIMIT = 8


def waiting(ref: int, again_for: float = NEVER) -> Waiting:
    answer: Any = asyncio.Future(loop=_LOOP)
    message = Sync(ref=ref, context="room:1")
    return Waiting(
        ref=ref, context_id="room:1", message=message, answer=answer, again_for=again_for
    )


class _Loop:
    """As much of a loop as a future wants that nobody waits for."""

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: object) -> None: ...


_LOOP: Any = _Loop()


def test_what_is_taken_comes_in_the_order_in_which_it_was_put() -> None:
    outbox = Outbox(LIMIT)
    for ref in (3, 1, 2):
        outbox.put(waiting(ref))
    taken = [outbox.take(0.0) for _ in range(4)]
    assert [each and each.ref for each in taken] == [3, 1, 2, None]


def test_one_too_many_is_refused() -> None:
    outbox = Outbox(1)
    outbox.put(waiting(1))
    outbox.take(0.0)
    with pytest.raises(Overloaded):
        outbox.put(waiting(2))


def test_an_answer_is_for_who_was_sent_and_comes_once() -> None:
    outbox = Outbox(LIMIT)
    asked = waiting(1)
    outbox.put(asked)
    assert outbox.answered(1) is None
    outbox.take(0.0)
    assert outbox.answered(1) is asked
    assert outbox.answered(1) is None
    assert outbox.answered("nonsense") is None


def test_what_cannot_be_sent_again_is_lost_with_the_connection() -> None:
    outbox = Outbox(LIMIT)
    once, again, unsent = waiting(1), waiting(2, ALWAYS), waiting(3)
    for each in (once, again, unsent):
        outbox.put(each)
    outbox.take(0.0), outbox.take(0.0)
    assert outbox.lose(1.0) == [once]
    assert [outbox.take(1.0), outbox.take(1.0)] == [again, unsent]


def test_time_counts_from_when_it_was_sent_first() -> None:
    outbox = Outbox(LIMIT)
    asked = waiting(1, again_for=10.0)
    outbox.put(asked)
    outbox.take(100.0)
    assert outbox.lose(105.0) == []
    outbox.take(106.0)
    assert outbox.lose(109.0) == []
    assert outbox.expire(110.0) == [asked]
    assert len(outbox) == 0


def test_the_largest_is_given_up_and_nothing_else() -> None:
    outbox = Outbox(LIMIT)
    assert outbox.give_up_largest() is None
    asked = [waiting(ref, ALWAYS) for ref in range(3)]
    for each, size in zip(asked, (5, 9, 7), strict=True):
        outbox.put(each)
        outbox.take(0.0)
        each.size = size
    assert outbox.give_up_largest() is asked[1]
    assert (outbox.lose(1.0), outbox.unsent) == ([], 2)


class Boxes(RuleBasedStateMachine):
    """Nothing is lost but what is told of, and what is sent again comes first, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(LIMIT)
        self.now = 0.0
        self.order: list[Waiting] = []
        self.count = 0

    @rule(again_for=st.sampled_from([NEVER, 3.0, ALWAYS]))
    def put(self, again_for: float) -> None:
        self.count += 1
        asked = waiting(self.count, again_for)
        if len(self.order) == LIMIT:
            with pytest.raises(Overloaded):
                self.outbox.put(asked)
        else:
            self.outbox.put(asked)
            self.order.append(asked)

    @rule()
    def take(self) -> None:
        taken = self.outbox.take(self.now)
        if taken is not None:
            assert taken in self.order
            assert taken.may_be_sent(self.now) or taken.sent_at == self.now or taken.again_for

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        sent = [asked for asked in self.order if asked.ref in self.outbox._sent]
        if sent:
            asked = data.draw(st.sampled_from(sent))
            assert self.outbox.answered(asked.ref) is asked
            self.order.remove(asked)

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.order:
            asked = data.draw(st.sampled_from(self.order))
            self.outbox.drop(asked.ref)
            self.order.remove(asked)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def lose(self, seconds: float) -> None:
        self.now += seconds
        for lost in self.outbox.lose(self.now):
            assert lost.sent_at is not None
            assert self.now - lost.sent_at >= lost.again_for
            self.order.remove(lost)
        assert list(self.outbox._unsent.values()) == self.order

    @invariant()
    def holds(self) -> None:
        self.outbox.check()
        assert len(self.outbox) == len(self.order)


TestBoxes = Boxes.TestCase
