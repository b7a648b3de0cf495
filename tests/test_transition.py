"""Test what each request makes of a context: one line for each rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from msgspec import structs

from chord.changes import REMOVE, Added, Append, Increment, Modified, Spliced
from chord.delta import diff, equal
from chord.errors import ContextNotFound, InvalidState, VersionConflict
from chord.position import Position
from chord.records import Delta
from chord.requests import Delete, Expected, Request, Restore, Set, Transform, Update
from chord.state import StateDict, take_in, take_in_changes
from chord.testing.strategies import State, Write, histories
from chord.transition import Born, Gone, Head, Outcome, Unchanged, transition
from tests.laws import fresh, thorough

AT = Position("old", 5)
NOW = 2000.0
NOWHERE = Head("room:1", None, None)
HERE = Head("room:1", take_in({"n": 1, "log": ["a"]}), AT)


def run(head: Head, request: Request) -> Outcome:
    return transition(head, request, NOW, "fresh")


def born(head: Head, request: Request) -> Born:
    outcome = run(head, request)
    assert isinstance(outcome, Born)
    return outcome


def put(*patches: Write, **fields: Any) -> Update:
    return Update(patches=tuple(map(take_in_changes, patches)), **fields)


def replace(state: State, expected: Expected = None) -> Set:
    return Set(state=take_in(state), expected=expected)


def transform(fn: Any) -> Transform:
    return Transform(fn=fn, take_in=take_in_changes)


def delta(changes: Any, version: int, epoch: str = "old") -> Delta:
    return Delta(
        context_id="room:1",
        changes=changes,
        from_version=version - 1,
        version=version,
        epoch=epoch,
        updated_at=NOW,
    )


# -- where there is nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        put({"a": 1}),
        put({"a": 1}, expected=0),
        put({"a": 1}, expected=AT),
        put({"a": 1}, create=take_in({}), expected=AT),
        put({"a": 1}, create=take_in({}), expected=5),
        transform(lambda state: {}),
    ],
)
def test_an_update_or_transform_of_nothing_finds_no_context(request_: Request) -> None:
    with pytest.raises(ContextNotFound) as caught:
        run(NOWHERE, request_)
    assert caught.value.context_id == "room:1"


@pytest.mark.parametrize("expected", [AT, 1, 5])
def test_a_set_of_nothing_where_something_was_expected_is_a_conflict(expected: Expected) -> None:
    with pytest.raises(VersionConflict) as caught:
        run(NOWHERE, replace({"a": 1}, expected))
    assert (caught.value.expected, caught.value.actual) == (expected, None)


@pytest.mark.parametrize("expected", [None, 0, 5, AT])
def test_a_delete_of_nothing_is_nothing(expected: Expected) -> None:
    assert run(NOWHERE, Delete(expected=expected)) == Unchanged(None)


# -- a life begins -------------------------------------------------------------------------------

BIRTHS: list[Request] = [
    replace({"a": {"b": 1}, "c": []}),
    replace({"a": {"b": 1}, "c": []}, 0),
    put({}, create=take_in({"a": {"b": 1}, "c": []})),
    put({"a": {"b": 1}}, create=take_in({"c": []}), expected=0),
    put({"a": {"b": Increment()}, "d": REMOVE}, {"c": Append([])}, create=take_in({"d": 1})),
    Restore(state=take_in({"a": {"b": 1}, "c": []})),
]


@pytest.mark.parametrize("request_", BIRTHS)
def test_a_life_begins_at_version_1_with_one_added_per_key(request_: Request) -> None:
    outcome = born(NOWHERE, request_)
    assert equal(outcome.state, {"a": {"b": 1}, "c": []})
    assert outcome.delta == delta({"a": Added({"b": 1}), "c": Added([])}, 1, "fresh")


@pytest.mark.parametrize("request_", [replace({}), put({}, create=take_in({}))])
def test_a_life_that_begins_empty_is_a_change(request_: Request) -> None:
    assert born(NOWHERE, request_) == Born(take_in({}), delta({}, 1, "fresh"))


def test_create_is_not_looked_at_where_there_is_a_context() -> None:
    outcome = born(HERE, put({"n": 2}, create=take_in({"z": 1})))
    assert outcome.delta == delta({"n": Modified(1, 2)}, 6)


def test_a_restore_begins_a_new_life_whatever_there_was() -> None:
    outcome = born(HERE, Restore(state=take_in({"n": 1})))
    assert outcome == Born(take_in({"n": 1}), delta({"n": Added(1)}, 1, "fresh"))


def test_a_restore_of_the_same_state_is_a_change() -> None:
    assert HERE.state is not None
    assert born(HERE, Restore(state=HERE.state)).delta.position == Position("fresh", 1)


# -- a life goes on ------------------------------------------------------------------------------


def test_an_update_is_the_next_version_of_the_same_life() -> None:
    outcome = born(HERE, put({"n": 2}))
    assert outcome == Born(take_in({"n": 2, "log": ["a"]}), delta({"n": Modified(1, 2)}, 6))


def test_a_set_is_told_by_what_it_changes() -> None:
    outcome = born(HERE, replace({"log": ["a", "b"], "n": 1}))
    assert outcome.delta == delta({"log": Spliced(1, [], ["b"])}, 6)


def test_many_patches_are_one_version() -> None:
    outcome = born(HERE, put({"n": Increment()}, {"n": Increment(), "m": 1}, {"m": REMOVE}))
    assert outcome.delta == delta({"n": Modified(1, 3)}, 6)


@pytest.mark.parametrize(
    "request_",
    [
        put({}),
        put({"n": 1}),
        put({"x": REMOVE}),
        put({"n": 2}, {"n": 1}),
        put({"n": 1}, op_id="op"),
        put({"n": 1}, expected=AT),
        replace({"log": ["a"], "n": 1}),
        transform(lambda state: {}),
        transform(lambda state: {"n": state["n"]}),
    ],
)
def test_what_changes_nothing_is_no_version(request_: Request) -> None:
    assert run(HERE, request_) == Unchanged(AT)
    assert run(structs.replace(HERE, ended=True), request_) == Unchanged(AT)


def test_a_delete_tells_the_last_position() -> None:
    assert run(HERE, Delete()) == Gone(AT)


# -- where it is expected ------------------------------------------------------------------------


def conditional(expected: Expected) -> list[Request]:
    return [put({"n": 2}, expected=expected), replace({}, expected), Delete(expected=expected)]


@pytest.mark.parametrize("expected", [None, 5, AT, Position("old", 5)])
@pytest.mark.parametrize("index", range(3))
def test_at_the_expected_position_it_is_done(expected: Expected, index: int) -> None:
    assert not isinstance(run(HERE, conditional(expected)[index]), Unchanged)


@pytest.mark.parametrize(
    "expected", [0, 4, 6, Position("old", 4), Position("old", 6), Position("new", 5)]
)
@pytest.mark.parametrize("index", range(3))
def test_anywhere_else_it_is_a_conflict(expected: Expected, index: int) -> None:
    with pytest.raises(VersionConflict) as caught:
        run(HERE, conditional(expected)[index])
    assert (caught.value.expected, caught.value.actual) == (expected, AT)
    assert caught.value.context_id == "room:1"


def test_a_conflict_is_found_before_a_bad_operator() -> None:
    with pytest.raises(VersionConflict):
        run(HERE, put({"n": Append([1])}, expected=4))


# -- an ended epoch ------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [put({"n": 2}), replace({"n": 2, "log": ["a"]})])
def test_past_its_end_an_epoch_is_followed_by_another_at_the_same_count(request_: Request) -> None:
    outcome = born(structs.replace(HERE, ended=True), request_)
    assert outcome.delta == delta({"n": Modified(1, 2)}, 6, "fresh")


# -- transforms ----------------------------------------------------------------------------------


def test_a_transform_is_given_the_state_and_says_what_to_change() -> None:
    outcome = born(HERE, transform(lambda state: {"n": state["n"] + 1, "log": Append(["b"])}))
    assert outcome.delta == delta({"n": Modified(1, 2), "log": Spliced(1, [], ["b"])}, 6)


@pytest.mark.parametrize("result", [None, 1, [], "x", [("n", 2)]])
def test_a_transform_that_returns_no_dict_is_refused(result: Any) -> None:
    with pytest.raises(InvalidState, match="fn returned a"):
        run(HERE, transform(lambda state: result))


def test_what_a_transform_returns_is_validated() -> None:
    with pytest.raises(InvalidState) as caught:
        run(HERE, transform(lambda state: {"a": {"b": {1}}}))
    assert caught.value.path == ("a", "b")


def test_what_a_transform_raises_is_raised() -> None:
    def fail(state: Mapping[str, Any]) -> Mapping[str, Any]:
        raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        run(HERE, transform(fail))


def test_a_transform_cannot_write_what_it_is_shown() -> None:
    with pytest.raises(TypeError, match="read-only"):
        run(HERE, transform(lambda state: state.update(n=2)))


def test_what_a_transform_kept_stays_as_it_was_shown() -> None:
    shown: list[Any] = []

    def keep(state: Mapping[str, Any]) -> Mapping[str, Any]:
        shown.append(state)
        return {"n": 2}

    owner = object()
    born(Head("room:1", owned({"n": 1}, owner), AT, owner), transform(keep))
    assert shown == [{"n": 1}]


# -- in place ------------------------------------------------------------------------------------


def owned(state: State, owner: object) -> StateDict:
    taken = take_in(state)
    taken._owner = owner
    return taken


@pytest.mark.parametrize(
    "request_",
    [
        put({"m": 2, "n": Append([1])}),
        put({"n": 2}, {"m": 1, "x": 1}, {"n": Append([1])}),
        put({"n": 2}, expected=4),
        replace({"n": 2}, 4),
        transform(lambda state: {"n": Append([1])}),
        transform(lambda state: 1 / 0),
    ],
)
def test_after_an_error_the_state_is_as_it_was(request_: Request) -> None:
    owner = object()
    state = owned({"n": 1, "m": 0}, owner)
    with pytest.raises(Exception, match=r".+"):
        run(Head("room:1", state, AT, owner), request_)
    assert state == {"n": 1, "m": 0}


def test_an_owner_is_written_for_in_place() -> None:
    owner = object()
    state = owned({"n": 1}, owner)
    assert born(Head("room:1", state, AT, owner), put({"n": 2}, {"m": 1})).state is state


@thorough
@given(histories())
def test_each_version_is_the_difference_of_its_states(history: tuple[State, list[Write]]) -> None:
    first, writes = history
    state, at = take_in(first), AT
    owner = object()
    for write in writes:
        before = fresh(state)
        outcome = run(Head("room:1", state, at, owner), put(write))
        if isinstance(outcome, Born):
            state, at = outcome.state, outcome.delta.position
            assert equal(outcome.delta.changes, diff(before, state))
        else:
            assert equal(state, before)
    assert at.version <= AT.version + len(writes)


@thorough
@given(histories())
def test_patches_in_one_version_come_to_what_they_come_to_in_turn(
    history: tuple[State, list[Write]],
) -> None:
    first, writes = history
    head = Head("room:1", take_in(first), AT)
    outcome = run(head, put(*writes)) if writes else Unchanged(AT)
    final = take_in(first)
    for write in writes:
        step = run(Head("room:1", final, AT), put(write))
        final = step.state if isinstance(step, Born) else final
    wanted = diff(first, final)
    changes = outcome.delta.changes if isinstance(outcome, Born) else {}
    assert equal(changes, wanted)
