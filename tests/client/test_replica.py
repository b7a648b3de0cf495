"""Test a client's replica by laws: whatever comes in whatever order, it ends where the server is.

What it answers to each message is tested by the vectors, in `tests/web/test_vectors.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.client.replica import KEPT, PATIENCE, Ask, Replica
from chord.delta import equal
from chord.position import Position
from chord.records import ContextDeleted, FullContext, NoChange, WatchReply
from chord.state import StateDict
from chord.sync import decide
from chord.web.leaves import Other, WireError
from chord.web.wire import Current, DeltaMessage, Encoding, Full, StateReply, make_reply
from tests.laws import thorough
from tests.timelines import Timeline, timelines


def say(reply: WatchReply) -> StateReply:
    return make_reply("room:1", reply, Encoding.JSON)


def answer(timeline: Timeline, question: Ask, head: int | None = None) -> StateReply:
    """What the server says to a question when it is at `head`."""
    since = None if question.since is None else Position.parse(question.since)
    context = timeline.context(head)
    history = timeline.history(head=context.position.version)
    return say(decide(context, since, history, 0, threshold=3))


def full(position: str, reason: str = "requested", **state: Any) -> Full:
    return Full(context="a", position=position, state=state, reason=reason)


# -- one message ---------------------------------------------------------------------------------


def test_a_new_replica_knows_nothing_and_says_so() -> None:
    replica = Replica()
    assert (replica.state, replica.position, replica.deleted) == (None, None, False)
    assert replica.needs_sync
    assert repr(replica) == "<Replica at None, needs a sync>"


def test_positions_may_be_any_text() -> None:
    replica = Replica()
    replica.receive(full("z", n=1))
    delta = DeltaMessage(context="a", from_="z", position="", changes={"n": ["m", 2]})
    assert replica.receive(delta) == "applied"
    assert (replica.position, replica.state) == ("", {"n": 2})


def test_its_state_is_read_only() -> None:
    replica = Replica()
    replica.receive(full("1", a={"b": []}))
    assert type(replica.state) is StateDict
    with pytest.raises(TypeError, match="read-only"):
        replica.state["a"]["b"].append(1)


def test_a_state_that_cannot_be_read_is_an_error_and_changes_nothing() -> None:
    replica = Replica()
    replica.receive(full("1", n=1))
    bad = Full(context="a", position="2", state={}, reason="smaller", types=[(["n"], "int")])
    with pytest.raises(WireError, match="nothing is there"):
        replica.receive(bad)
    assert (replica.position, replica.state) == ("1", {"n": 1})


def test_what_only_the_servers_codec_knows_is_kept() -> None:
    replica = Replica()
    said = Full(
        context="a", position="1", state={"a": "eA=="}, reason="requested", types=[(["a"], "other")]
    )
    replica.receive(said)
    assert replica.state == {"a": Other(b"x")}


def test_it_remembers_so_many_positions_and_no_more() -> None:
    replica = Replica()
    for number in range(KEPT + 2):
        replica.receive(full(str(number)))
    assert replica.receive(Current(context="a", position="0")) == "gap"
    assert replica.receive(Current(context="a", position="1")) == "stale"


# -- a network -----------------------------------------------------------------------------------


def check_shown(replica: Replica, lives: list[Timeline]) -> None:
    """What it shows is what the server had at that position."""
    if replica.position is None:
        assert replica.state is None
        return
    position = Position.parse(replica.position)
    (life,) = (life for life in lives if life.epoch == position.epoch)
    assert equal(replica.state, life.state(position.version))


def settle(replica: Replica, ask: Callable[[Ask], None]) -> int:
    """Ask until nothing is lacking; return how often."""
    for count in range(PATIENCE + 2):
        if not replica.needs_sync:
            return count
        ask(replica.ask())
    raise AssertionError("it does not come to rest")


@thorough
@given(timelines(6), st.data())
def test_a_lossy_stream_and_late_answers_lead_to_the_server(
    timeline: Timeline, data: st.DataObject
) -> None:
    """The stream is in order, but lacks some messages and has some twice; answers come late."""
    replica = Replica()
    questions: list[tuple[Ask, StateReply]] = []
    sent = timeline.first
    for head in range(timeline.first, timeline.head + 1):
        since = Position(timeline.epoch, sent) if head > timeline.first else None
        history = timeline.history(head=head)
        reply = say(decide(timeline.context(head), since, history, 0, threshold=3))
        for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 2]))):
            replica.receive(reply)
            check_shown(replica, [timeline])
        sent = head
        if replica.needs_sync:
            question = replica.ask()
            questions.append((question, answer(timeline, question, head)))
        while len(questions) > data.draw(st.integers(0, 3)):
            asked, late = questions.pop(data.draw(st.integers(0, len(questions) - 1)))
            replica.receive(late, answers=asked)
            check_shown(replica, [timeline])
    for asked, late in questions:
        replica.receive(late, answers=asked)
    replica.receive(say(NoChange(timeline.context().position)))
    rounds = settle(replica, lambda ask: settle_once(replica, ask, timeline))
    assert rounds <= 1
    assert replica.position == str(timeline.context().position)
    assert equal(replica.state, timeline.states[-1])


def settle_once(replica: Replica, question: Ask, timeline: Timeline) -> None:
    replica.receive(answer(timeline, question), answers=question)


@thorough
@given(timelines(3, epoch="a"), timelines(3, epoch="b"), st.data())
def test_whatever_comes_in_whatever_order_a_few_questions_lead_to_the_server(
    before: Timeline, after: Timeline, data: st.DataObject
) -> None:
    lives = [before, after]
    said = [say(reply) for life in lives for reply in replies_of(life)]
    replica = Replica()
    asked: list[Ask] = []
    for message in data.draw(st.lists(st.sampled_from(said), max_size=12)):
        answers = data.draw(st.sampled_from([None, *asked]))
        replica.receive(message, answers=answers)
        check_shown(replica, lives)
        if data.draw(st.booleans()):
            asked.append(replica.ask())
    settle_once(replica, replica.ask(), after)  # as on a new connection
    settle(replica, lambda ask: settle_once(replica, ask, after))
    assert replica.position == str(after.context().position)
    assert equal(replica.state, after.states[-1])


def replies_of(timeline: Timeline) -> list[WatchReply]:
    """All that a server may have said in a life: to clients at any version, at any version."""
    replies: list[WatchReply] = [ContextDeleted(timeline.context().position)]
    for head in range(timeline.first, timeline.head + 1):
        context = timeline.context(head)
        for base in range(timeline.first, head + 1):
            history = timeline.history(base, head)
            replies.append(decide(context, Position(timeline.epoch, base), history, 0))
        replies.append(FullContext(context, "requested"))
    return replies
