"""Test writing in place: who is let in, what is never touched, and that a refusal undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import REMOVE, Append, Changes, Increment, Replace, Spliced
from chord.delta import diff, equal, update
from chord.errors import InvalidState
from chord.state import StateDict, take_in, take_in_changes
from chord.testing.strategies import State, Write, histories
from tests.laws import containers, fresh, pack, thorough

History = tuple[State, list[Write]]


class Writer:
    """A state that is written in place, and all that was ever shown of it, as it was then."""

    def __init__(self, first: State) -> None:
        self.state = take_in(first)
        self.owner = object()
        self.snapshots: list[tuple[StateDict, StateDict]] = []
        self.deltas: list[tuple[Changes, bytes]] = []
        self.patches: list[tuple[StateDict, Write]] = []

    def hand_out(self) -> None:
        self.snapshots.append((self.state, fresh(self.state)))
        self.owner = object()

    def write(self, plain: Write) -> Changes:
        patch = take_in_changes(plain)
        self.state, changes = update(self.state, patch, owner=self.owner)
        self.deltas.append((changes, pack(changes)))
        self.patches.append((patch, plain))
        return changes

    def check(self) -> None:
        """What was shown is as it was; what nobody else sees is one tree, without sharing."""
        assert all(equal(shown, copy) for shown, copy in self.snapshots)
        assert all(pack(changes) == packed for changes, packed in self.deltas)
        assert all(equal(patch, plain) for patch, plain in self.patches)
        mine = [id(each) for each in containers(self.state) if each._owner is self.owner]
        assert len(mine) == len(set(mine))


@thorough
@given(histories(), st.lists(st.booleans(), min_size=6, max_size=6))
def test_what_was_shown_never_changes(history: History, hand_outs: list[bool]) -> None:
    first, writes = history
    writer = Writer(first)
    for write, hand_out in zip(writes, hand_outs, strict=False):
        if hand_out:
            writer.hand_out()
        writer.write(write)
        writer.check()


@thorough
@given(histories())
def test_in_place_and_pure_writes_are_one(history: History) -> None:
    first, writes = history
    writer = Writer(first)
    pure = take_in(first)
    for write in writes:
        made, changes = update(pure, take_in_changes(write))
        assert equal(writer.write(write), changes)
        assert equal(writer.state, made)
        assert equal(fresh(writer.state), made)
        pure = made


@thorough
@given(histories())
def test_a_write_that_is_refused_leaves_everything_as_it_was(history: History) -> None:
    first, writes = history
    writer = Writer(first)
    for write in writes:
        before = fresh(writer.state)
        for spoiled in spoil(write):
            with pytest.raises(InvalidState):
                update(writer.state, spoiled, owner=writer.owner)
            assert equal(writer.state, before)
            assert equal(fresh(writer.state), before)
        writer.check()
        changes = writer.write(write)
        assert equal(changes, diff(before, writer.state))


def spoil(write: Write) -> Iterator[Write]:
    """The write with an operator that fails, at each position of each of its dicts."""
    items = list(write.items())
    for index in range(len(items) + 1):
        yield dict([*items[:index], ("refused", Increment("x")), *items[index:]])
    for key, value in items:
        if isinstance(value, dict):
            yield from ({**write, key: spoiled} for spoiled in spoil(value))


EVERYTHING: Write = {
    "text": "b",
    "number": Increment(2),
    "gone": REMOVE,
    "new": {"x": {"y": [1]}},
    "items": Append([{"b": 2}, 3]),
    "list": [1, 3],
    "whole": Replace({"a": 2}),
    "tree": {"leaf": 1.0, "gone": REMOVE, "items": Append([1]), "tree": {"a": {"b": 1}}},
    "scalar": {"a": 1},
}
BEFORE: State = {
    "text": "a",
    "number": 1,
    "gone": {"a": [1]},
    "items": [{"a": 1}],
    "list": [1, 2],
    "whole": {"a": 1, "b": 1},
    "tree": {"leaf": 1, "gone": 1, "items": [0], "tree": {"a": {}}},
    "scalar": None,
}


@pytest.mark.parametrize("spoiled", list(spoil(EVERYTHING)))
@pytest.mark.parametrize("owned", [False, True])
def test_each_kind_of_write_is_undone(spoiled: Write, owned: bool) -> None:
    writer = make_owner_of(BEFORE) if owned else Writer(BEFORE)
    state = writer.state
    with pytest.raises(InvalidState) as caught:
        update(state, spoiled, owner=writer.owner)
    assert caught.value.path[-1] == "refused"
    assert equal(state, BEFORE)
    writer.check()
    writer.write(EVERYTHING)
    assert equal(writer.state, update(BEFORE, EVERYTHING)[0])


def make_owner_of(state: State) -> Writer:
    """A writer that owns every container of this state, but for those in lists."""
    writer = Writer(_strip(state))
    writer.write(_fill(state))
    assert equal(writer.state, state)
    assert writer.state._owner is writer.owner
    return writer


def _strip(state: State) -> State:
    kept = {
        key: _strip(value) if isinstance(value, dict) else value for key, value in state.items()
    }
    return {"": 0} | {key: [] if isinstance(value, list) else value for key, value in kept.items()}


def _fill(state: State) -> Write:
    """What makes the state of the stripped one, by a write to every container."""
    dicts = {key: _fill(value) for key, value in state.items() if isinstance(value, dict)}
    lists = {key: Append(value) for key, value in state.items() if isinstance(value, list)}
    return {"": REMOVE, **dicts, **lists}


def test_what_the_writer_owns_is_written_where_it_is() -> None:
    writer = make_owner_of(BEFORE)
    tree, items = writer.state["tree"], writer.state["tree"]["items"]
    state = writer.state
    writer.write({"tree": {"leaf": 2, "items": Append([1])}})
    assert writer.state is state
    assert writer.state["tree"] is tree
    assert writer.state["tree"]["items"] is items
    assert items == [0, 1]


def test_what_was_handed_out_is_copied_once_then_written_where_it_is() -> None:
    writer = make_owner_of(BEFORE)
    shown = writer.state
    writer.hand_out()
    writer.write({"tree": {"leaf": 2}})
    copied = writer.state
    assert copied is not shown
    assert copied["tree"] is not shown["tree"]
    assert copied["tree"]["tree"] is shown["tree"]["tree"]
    writer.write({"tree": {"leaf": 3}})
    assert writer.state is copied
    writer.check()


def test_a_list_in_a_delta_is_not_appended_to() -> None:
    writer = Writer({})
    changes = writer.write({"a": Append([1])})
    writer.write({"a": Append([2])})
    writer.write({"a": Append([3])})
    assert changes["a"].value == [1]
    assert writer.state == {"a": [1, 2, 3]}
    writer.check()


def test_a_dict_in_a_delta_is_not_written() -> None:
    writer = Writer({"b": 1})
    added = writer.write({"a": {"x": {"y": 1}}})["a"]
    modified = writer.write({"b": {"x": {"y": 1}}})["b"]
    writer.write({"a": {"x": {"y": 2}}, "b": {"x": {"y": 2}}})
    assert added.value == {"x": {"y": 1}}
    assert modified.value == {"x": {"y": 1}}
    writer.check()


@pytest.mark.parametrize("wrap", [lambda value: value, Replace, lambda value: [value]])
def test_a_piece_of_the_state_that_is_put_elsewhere_in_it_is_a_copy(wrap: Any) -> None:
    writer = make_owner_of({"a": {"b": {"c": 1}}, "list": [1]})
    for key in ("a", "list"):
        piece = writer.state[key]
        writer.state, changes = update(writer.state, {"new": wrap(piece)}, owner=writer.owner)
        before = pack(changes)
        writer.write({"a": {"b": {"c": 2}}, "list": Append([2])})
        assert pack(changes) == before
        writer.write({"new": REMOVE, "a": {"b": {"c": 1}}})


def test_an_appended_piece_of_the_state_is_a_copy() -> None:
    writer = make_owner_of({"a": {"b": 1}, "list": [1]})
    items = writer.state["list"]
    writer.state, changes = update(writer.state, {"new": Append(items)}, owner=writer.owner)
    writer.write({"list": Append([2]), "new": Append([3])})
    assert changes["new"].value == [1]
    assert writer.state == {"a": {"b": 1}, "list": [1, 2], "new": [1, 3]}


def test_a_list_appended_to_itself_is_doubled() -> None:
    writer = make_owner_of({"list": [1, 2]})
    items = writer.state["list"]
    writer.state, changes = update(writer.state, {"list": Append(items)}, owner=writer.owner)
    assert writer.state == {"list": [1, 2, 1, 2]}
    assert equal(changes, {"list": Spliced(2, [], [1, 2])})


@pytest.mark.parametrize("write", [{"list": Append([Decimal(1)])}, {"a": {"b": Decimal(1)}}])
def test_what_is_written_in_place_knows_what_is_rich_below_it(write: Write) -> None:
    writer = make_owner_of({"a": {"b": 1}, "list": [1]})
    writer.write(write)
    assert equal(fresh(writer.state), writer.state)
