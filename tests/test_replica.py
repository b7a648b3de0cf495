"""Test a client: what it takes, what it refuses, and that it knows when it lacks something."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chord.changes import Added, Modified, Removed
from chord.delta import equal
from chord.position import Position
from chord.records import ContextDeleted, DeltaUpdate, FullContext, NoChange, WatchReply
from chord.replica import Replica
from chord.sync import decide
from tests.laws import thorough
from tests.timelines import Timeline, context_of, delta_of, timelines


def full(version: int, epoch: str = "k", reason: Any = "requested") -> FullContext:
    return FullContext(context_of({"n": version}, version, epoch=epoch), reason)


def update(start: int, end: int, epoch: str = "k") -> DeltaUpdate:
    delta = delta_of({"n": Modified(start, end)}, end, epoch=epoch)
    return DeltaUpdate(replace(delta, from_version=start))


def at(version: int, epoch: str = "k") -> Position:
    return Position(epoch, version)


@pytest.fixture
def replica() -> Replica:
    """A replica at version 5."""
    replica = Replica()
    replica.receive(full(5))
    return replica


# -- one reply -----------------------------------------------------------------------------------


def test_a_new_replica_knows_nothing_and_says_so() -> None:
    replica = Replica()
    assert (replica.state, replica.position, replica.since) == (None, None, None)
    assert replica.needs_sync
    assert not replica.deleted
    assert repr(replica) == "<Replica at None, needs a sync>"


@pytest.mark.parametrize(
    "reply", [update(0, 1), update(4, 5), NoChange(at(5))], ids=lambda reply: type(reply).__name__
)
def test_a_new_replica_can_only_take_the_full_state(reply: WatchReply) -> None:
    replica = Replica()
    assert replica.receive(reply) == "gap"
    assert (replica.state, replica.needs_sync) == (None, True)
    assert replica.receive(full(5)) == "applied"


@pytest.mark.parametrize(
    ("reply", "taken", "version", "needs_sync"),
    [
        (update(5, 6), "applied", 6, False),
        (update(5, 9), "applied", 9, False),
        (update(4, 5), "stale", 5, False),
        (update(1, 3), "stale", 5, False),
        (update(4, 6), "gap", 5, True),
        (update(6, 7), "gap", 5, True),
        (update(5, 6, "other"), "gap", 5, True),
        (update(0, 1, "other"), "gap", 5, True),
        (NoChange(at(5)), "current", 5, False),
        (NoChange(at(4)), "stale", 5, False),
        (NoChange(at(6)), "gap", 5, True),
        (NoChange(at(5, "other")), "gap", 5, True),
        (full(6), "applied", 6, False),
        (full(5), "applied", 5, False),
        (full(4), "stale", 5, False),
        (full(4, reason="compacted"), "stale", 5, False),
        (full(4, reason="ahead"), "applied", 4, False),
        (ContextDeleted(at(4)), "stale", 5, False),
    ],
)
def test_a_reply_is_applied_or_changes_nothing(
    replica: Replica, reply: WatchReply, taken: str, version: int, needs_sync: bool
) -> None:
    assert replica.receive(reply) == taken
    assert replica.position == replica.since == at(version)
    assert replica.state == {"n": version}
    assert replica.needs_sync is needs_sync


@pytest.mark.parametrize("version", [1, 5, 9])
def test_the_full_state_of_another_life_is_taken_at_any_version(
    replica: Replica, version: int
) -> None:
    assert replica.receive(full(version, "other", "epoch-changed")) == "applied"
    assert replica.position == at(version, "other")


def test_the_end_of_another_life_asks_for_a_sync(replica: Replica) -> None:
    assert replica.receive(ContextDeleted(at(1, "other"))) == "gap"
    assert replica.needs_sync
    assert replica.position == at(5)


def test_what_is_told_to_forget_knows_nothing(replica: Replica) -> None:
    replica.forget()
    assert (replica.state, replica.position, replica.deleted) == (None, None, True)
    assert not replica.needs_sync


def test_what_is_no_reply_is_refused(replica: Replica) -> None:
    with pytest.raises(TypeError, match="takes replies"):
        replica.receive(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [at(5), at(6)])
def test_a_deleted_context_has_no_state(replica: Replica, position: Position) -> None:
    assert replica.receive(ContextDeleted(position)) == "deleted"
    assert (replica.state, replica.position, replica.deleted) == (None, None, True)
    assert not replica.needs_sync


def test_a_context_that_came_back_is_not_deleted(replica: Replica) -> None:
    replica.receive(ContextDeleted(at(5)))
    assert replica.receive(update(0, 1, "other")) == "gap"
    assert replica.needs_sync
    assert replica.receive(full(1, "other")) == "applied"
    assert not replica.deleted


@pytest.mark.parametrize("changes", [{"n": Added(6)}, {"m": Removed(1)}, {"n": {"m": Added(1)}}])
def test_a_delta_that_does_not_fit_makes_it_ask_for_all(replica: Replica, changes: Any) -> None:
    assert replica.receive(DeltaUpdate(delta_of(changes, 6))) == "gap"
    assert (replica.state, replica.since, replica.needs_sync) == (None, None, True)
    assert replica.receive(full(6)) == "applied"


def test_a_state_that_was_shown_stays_as_it_was(replica: Replica) -> None:
    shown = replica.state
    replica.receive(update(5, 6))
    assert shown == {"n": 5}


# -- knowing what it lacks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "late",
    [update(5, 6), full(6), full(5), NoChange(at(5)), update(3, 4), full(4), NoChange(at(3))],
    ids=repr,
)
def test_a_late_reply_does_not_make_it_forget_what_it_heard_of(
    replica: Replica, late: WatchReply
) -> None:
    assert replica.receive(update(6, 7)) == "gap"
    replica.receive(late)
    assert replica.needs_sync


@pytest.mark.parametrize("reply", [update(5, 7), update(5, 8), full(7), full(8)], ids=repr)
def test_a_reply_that_reaches_what_it_heard_of_is_enough(
    replica: Replica, reply: WatchReply
) -> None:
    replica.receive(update(6, 7))
    assert replica.receive(reply) == "applied"
    assert not replica.needs_sync


def test_what_it_heard_of_is_forgotten_when_the_server_lost_it(replica: Replica) -> None:
    replica.receive(NoChange(at(9)))
    replica.receive(full(5, reason="ahead"))
    assert not replica.needs_sync


def test_news_of_an_older_life_are_settled_by_one_answer(replica: Replica) -> None:
    replica.receive(update(7, 8, "older"))
    assert replica.needs_sync
    assert replica.receive(NoChange(at(5))) == "current"
    assert not replica.needs_sync


def test_a_delta_of_this_life_does_not_settle_news_of_another(replica: Replica) -> None:
    replica.receive(update(0, 1, "newer"))
    assert replica.receive(update(5, 6)) == "applied"
    assert replica.needs_sync


# -- a network -----------------------------------------------------------------------------------


def replies_of(timeline: Timeline) -> list[WatchReply]:
    """All that a server may have said in a life: to clients at any version, at any version."""
    replies: list[WatchReply] = []
    for head in range(timeline.first, timeline.head + 1):
        context = timeline.context(head)
        for base in range(timeline.first, head + 1):
            history = timeline.history(base, head)
            replies.append(decide(context, Position(timeline.epoch, base), history, 0))
        replies.append(FullContext(context, "requested"))
    return replies


def sync(replica: Replica, timeline: Timeline) -> None:
    """Ask the server, and hear its answer at once."""
    context = timeline.context()
    replica.receive(decide(context, replica.since, timeline.history(), 0, threshold=3))


def check_shown(replica: Replica, lives: list[Timeline]) -> None:
    """What it shows is what the server had at that position."""
    if replica.position is None:
        assert replica.state is None
        return
    (life,) = (life for life in lives if life.epoch == replica.position.epoch)
    assert equal(replica.state, life.state(replica.position.version))


@thorough
@given(timelines(5), st.data())
def test_in_any_order_it_ends_equal_or_knows_that_it_lacks_something(
    timeline: Timeline, data: st.DataObject
) -> None:
    replica = Replica()
    heard = 0
    for reply in data.draw(st.lists(st.sampled_from(replies_of(timeline)), max_size=12)):
        replica.receive(reply)
        check_shown(replica, [timeline])
        heard = max(heard, reply.position.version)
        assert replica.needs_sync == (replica.position is None or replica.position.version < heard)
    if replica.needs_sync:
        sync(replica, timeline)
        assert replica.position == timeline.context().position
        assert equal(replica.state, timeline.states[-1])
    assert not replica.needs_sync


@thorough
@given(timelines(3, epoch="a"), timelines(3, epoch="b"), st.data())
def test_over_many_lives_it_never_shows_what_the_server_never_had(
    before: Timeline, after: Timeline, data: st.DataObject
) -> None:
    lives = [before, after]
    gone: list[WatchReply] = [ContextDeleted(before.context().position)]
    said = replies_of(before) + gone + replies_of(after)
    replica = Replica()
    for reply in data.draw(st.lists(st.sampled_from(said), max_size=12)):
        replica.receive(reply)
        check_shown(replica, lives)
        if replica.needs_sync and data.draw(st.booleans()):
            sync(replica, after)
            check_shown(replica, lives)
    replica.receive(NoChange(after.context().position))
    if replica.needs_sync:
        sync(replica, after)
    assert replica.position == after.context().position
    assert equal(replica.state, after.states[-1])
    assert not replica.needs_sync
