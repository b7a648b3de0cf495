"""Test strict equality: by exact type and stored bytes, however deep."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import REMOVE, Added, Append, Increment, Modified, Removed, Replace, Spliced
from chord.delta import equal
from chord.delta.equality import count_common
from chord.state import take_in
from chord.testing.strategies import leaves, scalars, states, values
from tests.laws import CODEC, State, fresh, thorough

NAN = float("nan")
NOON = datetime(2024, 7, 1, 12)
CET = timezone(timedelta(hours=1))


@attrs.frozen
class Point:
    x: float
    y: float


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0, None),
        (1.0, True),
        (0.0, -0.0),
        (1, Decimal(1)),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("0"), Decimal("-0")),
        (NAN, Decimal("NaN")),
        (NAN, 0.0),
        (Decimal("NaN"), Decimal(0)),
        ("1", b"1"),
        ("", None),
        ({}, []),
        ({}, None),
        ([], None),
        ("é", "e\u0301"),
        (NOON, NOON.replace(tzinfo=UTC)),
        (NOON.replace(tzinfo=UTC), NOON.replace(hour=13, tzinfo=CET)),
        (NOON, NOON.replace(fold=1)),
        (NOON, NOON.date()),
        (time(12), time(12, tzinfo=UTC)),
        (time(12), time(12, fold=1)),
        (NOON.replace(tzinfo=CET), NOON.replace(tzinfo=timezone(timedelta(hours=1), "CET"))),
        ([1, [2]], [1, [2.0]]),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": None}, {"b": None}),
        ({"a": {"b": [1]}}, {"a": {"b": [True]}}),
        (Added(1), Added(1.0)),
        (Added(1), Removed(1)),
        (Modified(1, 2), Modified(True, 2)),
        (Spliced(0, [], [0.0]), Spliced(0, [], [-0.0])),
        (Spliced(0, [], [1]), Spliced(1, [], [1])),
        (Append([1]), Append([1.0])),
        (Increment(1), Increment(1.0)),
        (Replace({}), Replace([])),
        (REMOVE, None),
        (Point(1, 2), Point(1.0, 2)),
    ],
)
def test_what_differs_by_type_or_stored_bytes_is_not_equal(a: Any, b: Any) -> None:
    assert not equal(a, b)
    assert not equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (NAN, -NAN),
        (NAN, float("inf") - float("inf")),
        (Decimal("NaN"), Decimal("sNaN")),
        (Decimal("NaN"), Decimal("-NaN")),
        ([NAN], [float("nan")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": [1, {}]}, take_in({"a": [1, {}]})),
        (NOON.replace(tzinfo=CET), NOON.replace(tzinfo=timezone(timedelta(minutes=60)))),
        (
            NOON.replace(tzinfo=UTC),
            NOON.replace(tzinfo=timezone(timedelta(0), "UTC")),
        ),
        (
            time(12, tzinfo=CET),
            time(12, tzinfo=timezone(timedelta(hours=1), "UTC+01:00")),
        ),
        (Added(NAN), Added(float("nan"))),
        (Append([NAN]), Append([float("nan")])),
        (REMOVE, REMOVE),
        (Point(1.0, NAN), Point(1.0, float("nan"))),
    ],
)
def test_what_is_stored_alike_is_equal(a: Any, b: Any) -> None:
    assert equal(a, b)
    assert equal(b, a)


@thorough
@given(leaves(), leaves())
def test_it_is_symmetric(a: Any, b: Any) -> None:
    assert equal(a, b) == equal(b, a)


@thorough
@given(states())
def test_a_state_equals_its_copy(state: State) -> None:
    assert equal(state, fresh(state))
    assert equal(fresh(state), state)


@thorough
@given(scalars(), scalars())
def test_leaves_are_equal_when_their_stored_bytes_are(a: Any, b: Any) -> None:
    one, other = (CODEC.encode_state(take_in({"": leaf})) for leaf in (a, b))
    assert equal(a, b) == (one == other) or (a != a and b != b)


@given(st.lists(values(1), max_size=4), st.lists(values(1), max_size=4))
def test_the_common_prefix_is_as_long_as_it_can_be(old: list[Any], new: list[Any]) -> None:
    count = count_common(old, new)
    assert equal(old[:count], new[:count])
    assert count in (len(old), len(new)) or not equal(old[count], new[count])
