"""Test what is known of contexts that are not in memory: it tells a store that lost something."""

from __future__ import annotations

import pytest

from actors.known import MOST_KNOWN, Known
from chord.position import Position


@pytest.mark.parametrize(
    ("position", "ahead"),
    [
        (Position("k", 6), True),
        (Position("k", 7), False),
        (Position("k", 8), False),
        (Position("other", 6), False),
    ],
)
def test_it_is_ahead_of_what_is_older_in_the_same_life(position: Position, ahead: bool) -> None:
    known = Known()
    known.put("a", Position("k", 7))
    assert known.is_ahead_of("a", position) is ahead


def test_it_is_not_ahead_where_nothing_is_known() -> None:
    known = Known()
    known.put("a", Position("k", 7))
    assert not known.is_ahead_of("b", Position("k", 1))


def test_the_last_position_is_the_one_that_counts() -> None:
    known = Known()
    known.put("a", Position("k", 7))
    known.put("a", Position("l", 2))
    assert known.is_ahead_of("a", Position("l", 1))
    assert not known.is_ahead_of("a", Position("k", 1))


def test_what_is_dropped_is_not_known_any_more() -> None:
    known = Known()
    known.put("a", Position("k", 7))
    known.drop("a")
    known.drop("never known")
    assert not known.is_ahead_of("a", Position("k", 1))


def test_beyond_the_most_that_is_kept_the_one_put_longest_ago_is_forgotten() -> None:
    known = Known()
    for number in range(MOST_KNOWN):
        known.put(f"room:{number}", Position("k", 7))
    known.put("room:0", Position("k", 7))
    known.put("one more", Position("k", 7))
    ahead = [known.is_ahead_of(f"room:{number}", Position("k", 1)) for number in range(3)]
    assert ahead == [True, False, True]
