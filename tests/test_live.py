"""Test a context in memory, and drafts on top of it: the base stays, and every step can go back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chord.changes import REMOVE, Append, Increment
from chord.delta import diff, equal
from chord.errors import ContextNotFound, InvalidState, VersionGone
from chord.history import History
from chord.live import Draft, Live
from chord.position import Position
from chord.requests import Delete, Request, Restore, Set, Transform, Update
from chord.state import take_in, take_in_changes
from chord.testing.strategies import State, Write, patches, states
from chord.transition import Born, Gone, Unchanged
from tests.laws import fresh, pack, thorough
from tests.timelines import Timeline, context_of, timelines


def live_of(state: State, version: int = 5, **fields: Any) -> Live:
    values: dict[str, Any] = {
        "context_id": "room:1",
        "state": take_in(state),
        "position": Position("k", version),
        "updated_at": 1000.0,
        "history": History(version),
        "snapshot_version": version,
        "snapshot_bytes": 100,
    }
    return Live(**{**values, **fields})


def live_at_head(timeline: Timeline, base: int | None = None) -> Live:
    history = timeline.history(base)
    return live_of(timeline.states[-1], timeline.head, history=history)


def put(write: Write, **fields: Any) -> Update:
    return Update(patches=(take_in_changes(write),), **fields)


def take(draft: Draft, request: Request) -> Any:
    return draft.take(request, 2000.0, "fresh")


# -- live ----------------------------------------------------------------------------------------


def test_it_shows_its_context() -> None:
    live = live_of({"n": 1})
    assert live.context() == context_of({"n": 1}, 5)
    live.check()


def test_its_state_is_stored_in_the_snapshot_and_the_log() -> None:
    assert live_of({}, snapshot_bytes=100, log_bytes=20).state_bytes == 120


@thorough
@given(timelines(8), st.integers(0, 10), st.data())
def test_the_last_versions_are_recalled_as_they_were(
    timeline: Timeline, reach: int, data: st.DataObject
) -> None:
    base = data.draw(st.integers(timeline.first, timeline.head))
    live = live_at_head(timeline, base)
    for version in range(timeline.first - 1, timeline.head + 2):
        position = Position("k", version)
        if version == timeline.head or max(base, timeline.head - reach) <= version < timeline.head:
            recalled = live.recall(position, 77.0, reach)
            assert equal(recalled.state, timeline.state(version))
            assert recalled.position == position
        else:
            with pytest.raises(VersionGone) as caught:
                live.recall(position, 77.0, reach)
            assert (caught.value.context_id, caught.value.position) == ("room:1", position)
    assert equal(live.state, timeline.states[-1])


def test_a_recalled_version_has_the_time_at_which_it_was_made() -> None:
    draft = Draft("room:1", live_of({"n": 1}))
    live = live_of({"n": 2}, 6, history=History(5))
    live.history.append(take(draft, put({"n": 2})).delta, 10)
    assert live.recall(Position("k", 5), 77.0, 1) == replace(
        context_of({"n": 1}, 5), updated_at=77.0
    )


@given(timelines(3))
def test_no_version_of_another_life_is_recalled(timeline: Timeline) -> None:
    live = live_at_head(timeline)
    for version in range(timeline.first, timeline.head + 1):
        with pytest.raises(VersionGone):
            live.recall(Position("other", version), 77.0, 10)


# -- drafts --------------------------------------------------------------------------------------


def test_a_draft_begins_where_its_base_is() -> None:
    base = live_of({"n": 1})
    draft = Draft("room:1", base)
    assert (draft.state, draft.position, draft.changed) == (base.state, base.position, False)


def test_a_draft_of_nothing_has_no_state() -> None:
    draft = Draft("room:1", None)
    assert (draft.state, draft.position, draft.changed) == (None, None, False)
    with pytest.raises(ContextNotFound):
        take(draft, put({}))


def test_each_request_is_a_version_on_top() -> None:
    draft = Draft("room:1", live_of({"n": 1}))
    take(draft, put({"n": 2}, op_id="op-1"))
    assert take(draft, put({"n": 2})) == Unchanged(Position("k", 6))
    take(draft, Transform(fn=lambda state: {"n": state["n"] + 1}, take_in=take_in_changes))
    assert draft.position == Position("k", 7)
    assert draft.state == {"n": 3}
    assert [(birth.delta.version, birth.op_id) for birth in draft.births] == [
        (6, "op-1"),
        (7, None),
    ]
    assert repr(draft) == "<Draft 'room:1' k:5 -> k:7>"


def test_only_the_first_version_past_an_ended_epoch_begins_another() -> None:
    draft = Draft("room:1", live_of({"n": 1}, ended=True))
    for n in (2, 3):
        take(draft, put({"n": n}))
    assert [birth.delta.position for birth in draft.births] == [
        Position("fresh", 6),
        Position("fresh", 7),
    ]


def test_a_retracted_version_past_an_ended_epoch_leaves_it_ended() -> None:
    draft = Draft("room:1", live_of({"n": 1}, ended=True))
    take(draft, put({"n": 2}))
    draft.retract()
    assert draft.position == Position("k", 5)
    assert take(draft, put({"n": 3})).delta.position == Position("fresh", 6)


def test_a_delete_leaves_nothing() -> None:
    draft = Draft("room:1", live_of({"n": 1}))
    assert take(draft, Delete()) == Gone(Position("k", 5))
    assert (draft.state, draft.position, draft.gone, draft.changed) == (None, None, True, True)


def test_a_retracted_restore_gives_the_life_before_back() -> None:
    base = live_of({"n": 1})
    draft = Draft("room:1", base)
    take(draft, Restore(state=take_in({"m": 1})))
    draft.retract()
    assert (draft.state, draft.position, draft.changed) == (base.state, base.position, False)


def test_a_retracted_beginning_leaves_nothing() -> None:
    draft = Draft("room:1", None)
    take(draft, Set(state=take_in({"n": 1})))
    draft.retract()
    assert (draft.state, draft.position, draft.changed) == (None, None, False)


def test_a_write_in_place_does_not_reach_what_a_retraction_gave_back() -> None:
    draft = Draft("room:1", live_of({"a": {"b": 1}}))
    take(draft, put({"a": {"b": 2}}))
    removed = take(draft, put({"a": REMOVE}))
    draft.retract()
    take(draft, put({"a": {"b": 3}}))
    assert removed.delta.changes["a"].old_value == {"b": 2}
    assert draft.state == {"a": {"b": 3}}


def test_what_a_transform_kept_is_not_written_by_what_comes_after() -> None:
    kept: list[Any] = []

    def keep(state: Any) -> Any:
        kept.append(state)
        return {}

    draft = Draft("room:1", live_of({"a": {"b": 1}}))
    take(draft, put({"a": {"b": 2}}))
    take(draft, Transform(fn=keep, take_in=take_in_changes))
    take(draft, put({"a": {"b": 3}}))
    assert kept == [{"a": {"b": 2}}]


class Journey:
    """A draft, beside a stack of copies of the states that it went through."""

    def __init__(self, first: State, ended: bool) -> None:
        self.base = live_of(first, ended=ended)
        self.draft = Draft("room:1", self.base)
        self.stack = [(fresh(self.base.state), self.base.position)]
        self.deltas: list[tuple[Any, bytes]] = []

    def take(self, request: Request) -> None:
        before = self.stack[-1][0]
        outcome = take(self.draft, request)
        if isinstance(outcome, Born):
            changes = outcome.delta.changes
            self.deltas.append((changes, pack(changes)))
            assert equal(changes, diff(before, outcome.state))
            self.stack.append((fresh(outcome.state), outcome.delta.position))

    def refuse(self, request: Request) -> None:
        with pytest.raises(InvalidState):
            take(self.draft, request)

    def retract(self) -> None:
        if self.draft.births:
            self.draft.retract()
            self.stack.pop()

    def check(self) -> None:
        state, position = self.stack[-1]
        assert equal(self.draft.state, state)
        assert self.draft.position == position
        assert len(self.draft.births) == len(self.stack) - 1
        assert equal(self.base.state, self.stack[0][0])
        assert all(pack(changes) == packed for changes, packed in self.deltas)


@thorough
@given(states(3), st.booleans(), st.data())
def test_the_base_and_all_deltas_stay_whatever_the_draft_does(
    first: State, ended: bool, data: st.DataObject
) -> None:
    journey = Journey(first, ended)
    for step in data.draw(st.lists(st.sampled_from("wwwwstrrx"), max_size=8)):
        write = data.draw(patches(journey.stack[-1][0])) if step in "wtx" else {}
        match step:
            case "w":
                journey.take(put(write))
            case "s":
                journey.take(Set(state=take_in(data.draw(states(2)))))
            case "t":
                journey.take(transform_by(write))
            case "x":
                journey.refuse(spoil(write))
            case "r":
                journey.retract()
        journey.check()


def transform_by(write: Write) -> Transform:
    return Transform(fn=lambda state: write, take_in=take_in_changes)


def spoil(write: Write) -> Update:
    """The write with an append to what is no list, at its end."""
    spoiled = {**write, "refused": {"n": Increment(), "m": 1}}
    again = {"refused": {"n": Append([1])}}
    return Update(patches=(take_in_changes(spoiled), take_in_changes(again)))
