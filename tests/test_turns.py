"""Test what is run in one turn, what is coalesced, and that who waits is answered once."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

from chord.changes import Increment
from chord.clock import ManualClock
from chord.errors import OutcomeTimeout
from chord.position import Position
from chord.requests import Delete, Request, Restore, Set, Transform, Update
from chord.state import EMPTY, make_dict, take_in, take_in_changes
from chord.turns import MAX_TURN, Answer, Job, Pending, coalesce, is_ephemeral, take_turn

pytestmark = pytest.mark.anyio

ANSWER = Answer(position=Position("k", 1), delta=None, changed=False, updated_at=0.0)


def put(n: int, **fields: Any) -> Update:
    return Update(patches=(take_in_changes({"n": n}),), **fields)


def brief(n: int, **fields: Any) -> Update:
    """An ephemeral update."""
    return put(n, ephemeral=True, **fields)


def wait_for(*requests: Request) -> deque[Pending]:
    """A queue of requests, each with somebody who waits for it."""
    loop = asyncio.get_running_loop()
    return deque(Pending(request, loop.create_future()) for request in requests)


def requests_of(jobs: list[Job]) -> list[Request]:
    return [job.request for job in jobs]


# -- a turn --------------------------------------------------------------------------------------


async def test_a_turn_keeps_the_order() -> None:
    asked: list[Request] = [put(1), Set(state=EMPTY), Transform(fn=dict, take_in=make_dict), put(2)]
    assert requests_of(take_turn(wait_for(*asked))) == asked


async def test_an_empty_queue_is_a_turn_of_nothing() -> None:
    assert take_turn(deque()) == []


@pytest.mark.parametrize("alone", [Delete(), Restore(state=EMPTY)], ids=["delete", "restore"])
async def test_what_ends_a_life_has_a_turn_of_its_own(alone: Request) -> None:
    queue = wait_for(put(1), put(2), alone, alone, put(3))
    turns = []
    while queue:
        turns.append(requests_of(take_turn(queue)))
    assert turns == [[put(1), put(2)], [alone], [alone], [put(3)]]


async def test_a_turn_has_an_end() -> None:
    queue = wait_for(*(put(n) for n in range(MAX_TURN + 1)))
    assert len(take_turn(queue)) == MAX_TURN
    assert [pending.request for pending in queue] == [put(MAX_TURN)]


async def test_coalesced_updates_count_one_by_one() -> None:
    queue = wait_for(*(brief(n) for n in range(MAX_TURN + 1)))
    (job,) = take_turn(queue)
    assert len(job.pendings) == MAX_TURN


async def test_what_is_taken_has_begun() -> None:
    queue = wait_for(put(1), brief(2), Delete())
    first, second, third = queue
    take_turn(queue)
    assert [first.begun, second.begun, third.begun] == [True, True, False]


# -- coalescing ----------------------------------------------------------------------------------


async def test_all_ephemeral_updates_are_one_in_the_place_of_the_last() -> None:
    jobs = coalesce(wait_for(put(1), brief(2), put(3), brief(4), put(5)))
    patches = (take_in({"n": 2}), take_in({"n": 4}))
    together = Update(patches=patches, ephemeral=True)
    assert requests_of(jobs) == [put(1), put(3), together, put(5)]


async def test_whoever_waits_for_one_of_them_waits_for_all() -> None:
    queue = wait_for(brief(1), put(2), brief(3))
    first, other, last = queue
    assert [job.pendings for job in coalesce(queue)] == [(other,), (first, last)]


@pytest.mark.parametrize(
    "request_",
    [
        put(1),
        brief(1, expected=0),
        brief(1, op_id="op"),
        brief(1, create=EMPTY),
        Update(patches=(take_in_changes({"n": Increment()}),), ephemeral=True),
        Update(patches=(take_in_changes({"in": {"n": Increment()}}),), ephemeral=True),
    ],
    ids=["lasting", "expected", "op-id", "create", "operator", "operator-inside"],
)
async def test_what_may_not_be_coalesced_stays_apart(request_: Update) -> None:
    assert not is_ephemeral(request_)
    assert requests_of(coalesce(wait_for(request_, brief(2), request_))) == [
        request_,
        brief(2),
        request_,
    ]


async def test_a_job_is_split_into_what_was_asked() -> None:
    asked = [brief(1), brief(2), brief(3)]
    queue = wait_for(*asked)
    (job,) = coalesce(queue)
    parts = job.split()
    assert requests_of(parts) == asked
    assert [part.pendings for part in parts] == [(pending,) for pending in queue]


# -- answers -------------------------------------------------------------------------------------


async def test_an_answer_is_for_all_who_wait_for_a_job() -> None:
    queue = wait_for(brief(1), brief(2))
    (job,) = coalesce(queue)
    job.answer(ANSWER)
    assert [pending.future.result() for pending in queue] == [ANSWER, ANSWER]


async def test_only_the_first_answer_counts() -> None:
    (pending,) = wait_for(put(1))
    pending.answer(ANSWER)
    pending.answer(OutcomeTimeout("room:1"))
    assert pending.future.result() is ANSWER


async def test_an_error_is_raised_to_who_waits() -> None:
    (pending,) = wait_for(put(1))
    pending.answer(OutcomeTimeout("room:1"))
    with pytest.raises(OutcomeTimeout):
        await pending.future


async def test_who_gave_up_is_not_answered() -> None:
    (pending,) = wait_for(put(1))
    pending.future.cancel()
    pending.answer(ANSWER)
    assert pending.future.cancelled()


async def test_a_stop_iteration_arrives_as_the_cause_of_an_error() -> None:
    (pending,) = wait_for(put(1))
    pending.answer(StopIteration("early"))
    with pytest.raises(RuntimeError) as caught:
        await pending.future
    assert isinstance(caught.value.__cause__, StopIteration)


@pytest.mark.parametrize("gave_up", [False, True], ids=["waiting", "gave-up"])
async def test_an_answer_cancels_the_timer(gave_up: bool) -> None:
    clock = ManualClock()
    (pending,) = wait_for(put(1))
    pending.timer = clock.call_at(1.0, lambda: pending.answer(OutcomeTimeout("room:1")))
    if gave_up:
        pending.future.cancel()
    pending.answer(ANSWER)
    assert clock.pending() == 0
