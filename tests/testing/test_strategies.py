"""Test that what the strategies make can be taken in and written, and that it is of every kind."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from chord.changes import REMOVE, Append, Increment, Replace
from chord.delta import update
from chord.state import take_in, take_in_changes
from chord.testing.strategies import (
    State,
    Write,
    histories,
    keys,
    leaves,
    patches,
    scalars,
    states,
)
from tests.laws import containers

LOOK = settings(
    max_examples=5000,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@given(keys(), leaves())
def test_keys_and_leaves_can_be_part_of_a_state(key: str, leaf: Any) -> None:
    take_in({key: leaf})


@given(scalars())
def test_scalars_are_no_containers(leaf: Any) -> None:
    assert not containers(leaf)


@given(st.data(), st.integers(1, 4))
def test_states_are_no_deeper_than_told(data: st.DataObject, max_depth: int) -> None:
    take_in(data.draw(states(max_depth)), max_depth=max_depth)


@given(states(3).flatmap(lambda state: st.tuples(st.just(state), patches(state))))
def test_a_patch_for_a_state_can_be_put_to_it(drawn: tuple[State, Write]) -> None:
    state, patch = drawn
    update(take_in(state), take_in_changes(patch))


@given(patches())
def test_a_patch_can_be_put_to_nothing(patch: Write) -> None:
    update({}, patch)


@given(histories(4))
def test_the_writes_of_a_history_can_follow_each_other(
    history: tuple[State, list[Write]],
) -> None:
    state, writes = history
    assert len(writes) <= 4
    for write in writes:
        state, _ = update(state, write)


@pytest.mark.parametrize("key", ["a", "action", "", "/", "~", "__proto__", "constructor"])
def test_keys_that_trip_naive_code_are_among_the_keys(key: str) -> None:
    find(keys(), lambda made: made == key, settings=LOOK)


@pytest.mark.parametrize(
    "kind",
    [
        *(type(None), bool, int, float, str, bytes, dict, list),
        *(datetime, date, time, timedelta, UUID, Decimal),
    ],
)
def test_every_type_is_among_the_leaves(kind: type) -> None:
    find(leaves(), lambda made: type(made) is kind, settings=LOOK)


@pytest.mark.parametrize("operator", [type(REMOVE), Replace, Append, Increment])
def test_every_operator_is_among_the_writes(operator: type) -> None:
    find(
        patches({"n": 1, "list": [1]}),
        lambda patch: any(type(value) is operator for value in patch.values()),
        settings=LOOK,
    )
