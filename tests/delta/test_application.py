"""Test `apply` and `invert`: there and back, and what does not fit."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given

from chord.changes import REMOVE, Added, Changes, Modified, Removed, Spliced
from chord.delta import apply, diff, equal, invert, update
from chord.errors import DeltaMismatch
from chord.state import StateDict, Tree, take_in
from tests.laws import CODEC, State, are_ours, fresh, pack, thorough, walks


@pytest.mark.parametrize(
    ("state", "changes", "path", "problem"),
    [
        ({"a": 1}, {"a": Added(1)}, ("a",), "there already"),
        ({}, {"a": Removed(1)}, ("a",), "nothing"),
        ({}, {"a": Modified(1, 2)}, ("a",), "nothing"),
        ({}, {"a": Spliced(0, [], [1])}, ("a",), "nothing"),
        ({}, {"a": {"b": Added(1)}}, ("a",), "nothing"),
        ({"a": 1}, {"a": {"b": Added(1)}}, ("a",), "is a int"),
        ({"a": {}}, {"a": {"b": {"c": Added(1)}}}, ("a", "b"), "nothing"),
        ({"a": {"b": 1}}, {"a": {"b": Added(1)}}, ("a", "b"), "there already"),
        ({"a": 1}, {"a": Spliced(0, [], [1])}, ("a",), "not a list"),
        ({"a": [1]}, {"a": Spliced(0, [], [1])}, ("a",), "length"),
        ({"a": []}, {"a": Spliced(1, [], [1])}, ("a",), "length"),
        ({"a": [1]}, {"a": Spliced(0, [1, 2], [])}, ("a",), "length"),
    ],
)
def test_changes_that_do_not_fit_are_refused_with_their_path(
    state: State, changes: Changes, path: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(DeltaMismatch, match=problem) as caught:
        apply(state, changes)
    assert caught.value.path == path


@thorough
@given(walks(2))
def test_the_inverse_is_the_way_back(walk: list[StateDict]) -> None:
    old, new = walk
    changes = diff(old, new)
    assert equal(invert(changes), diff(new, old))
    assert equal(apply(new, invert(changes)), old)
    assert equal(invert(invert(changes)), changes)


@thorough
@given(walks(2))
def test_neither_state_nor_changes_are_written(walk: list[StateDict]) -> None:
    old, new = walk
    changes = diff(old, new)
    before = fresh(old), pack(changes)
    apply(old, changes)
    invert(changes)
    assert equal(old, before[0])
    assert pack(changes) == before[1]


@thorough
@given(walks(2))
def test_what_comes_out_is_ours_and_is_stored_whole(walk: list[StateDict]) -> None:
    made = apply(walk[0], diff(*walk))
    assert are_ours(made)
    assert equal(fresh(made), walk[1])


@thorough
@given(walks(2))
def test_stored_changes_are_the_same_changes(walk: list[StateDict]) -> None:
    changes = diff(*walk)
    read = CODEC.decode_changes(pack(changes))
    assert equal(read, changes)
    assert equal(apply(fresh(walk[0]), read), walk[1])


def test_what_did_not_change_is_shared() -> None:
    state = take_in({"a": {"b": 1}, "c": {"d": 1}})
    made = apply(state, {"a": {"b": Modified(1, 2)}})
    assert made["c"] is state["c"]


@pytest.mark.parametrize("function", [lambda changes: apply({}, changes), invert])
def test_no_changes_are_nothing(function: Any) -> None:
    assert function({}) == {}


def test_what_comes_out_refuses_to_be_written() -> None:
    assert type(invert({"a": {"b": Added(1)}})["a"]) is Tree
    with pytest.raises(TypeError):
        apply({"a": {}}, {"a": {"b": Added(1)}})["a"]["b"] = 2


# -- in place ------------------------------------------------------------------------------------


@thorough
@given(walks(5))
def test_in_place_and_pure_are_one(walk: list[StateDict]) -> None:
    owner = object()
    state = walk[0]
    before = fresh(state)
    deltas = [diff(old, new) for old, new in itertools.pairwise(walk)]
    packed = list(map(pack, deltas))
    for changes, wanted in zip(deltas, walk[1:], strict=True):
        state = apply(state, changes, owner=owner)
        assert equal(state, wanted)
        assert equal(fresh(state), wanted)
    assert equal(walk[0], before)
    assert list(map(pack, deltas)) == packed


def test_what_the_owner_has_is_written_where_it_is() -> None:
    owner = object()
    state = apply(take_in({"a": {"b": 1}}), {"a": {"b": Modified(1, 2)}}, owner=owner)
    inner = state["a"]
    assert apply(state, {"a": {"b": Modified(2, 3)}}, owner=owner) is state
    assert state["a"] is inner


@pytest.mark.parametrize("undo", [{"a": REMOVE}, {"a": 1}])
def test_what_comes_back_from_a_delta_is_a_copy(undo: Any) -> None:
    owner = object()
    state, _ = update(take_in({"a": {"b": 1}}), {"a": {"b": 2}}, owner=owner)
    state, removal = update(state, undo, owner=owner)
    state = apply(state, invert(removal), owner=owner)
    before = pack(removal)
    state, _ = update(state, {"a": {"b": 3}}, owner=owner)
    assert pack(removal) == before
    assert state == {"a": {"b": 3}}
