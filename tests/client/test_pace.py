"""Test how fast a client speaks."""

from __future__ import annotations

from typing import Any

import pytest

from chord.client.pace import TOKEN, Pace
from chord.clock import ManualClock
from chord.web.limits import TokenBucket


def count(pace: Pace) -> int:
    """How many messages may go at once."""
    said = 0
    while said < 1000 and pace.allows():
        said += 1
    return said


def test_it_leaves_a_part_of_what_is_allowed() -> None:
    clock = ManualClock()
    pace = Pace(clock, lambda: None)
    pace.begin({"rate": 100, "burst": 200})
    assert count(pace) == 150
    clock.advance(1.0)
    assert count(pace) == 75


@pytest.mark.parametrize("size", [1000, 64 * TOKEN, 180 * TOKEN, 1000 * TOKEN])
def test_after_a_long_message_the_server_has_room_for_the_next(size: int) -> None:
    clock = ManualClock()
    pace = Pace(clock, lambda: None)
    pace.begin({"rate": 100, "burst": 200})
    bucket = TokenBucket(rate=100, burst=200, now=clock.monotonic())
    for _ in range(3):
        while not pace.allows():
            clock.advance(0.1)
        pace.add(size)
        heard_at = clock.monotonic()
        while wait := bucket.take(heard_at, max(1.0, size / TOKEN)):
            heard_at += wait + 1e-9  # a long one is not refused: it is read later
        while not pace.allows():
            clock.advance(0.1)
        assert bucket.take(max(heard_at, clock.monotonic())) == 0.0
        while pace.allows():
            assert bucket.take(max(heard_at, clock.monotonic())) == 0.0


def test_it_tells_when_another_may_go() -> None:
    clock = ManualClock()
    told: list[float] = []
    pace = Pace(clock, lambda: told.append(clock.monotonic()))
    pace.begin({"rate": 1, "burst": 1})
    assert [pace.allows() for _ in range(3)] == [True, False, False]
    clock.advance(10.0)
    assert told == [pytest.approx(1 / 0.75)]
    assert pace.allows()


def test_another_connection_begins_anew() -> None:
    clock = ManualClock()
    pace = Pace(clock, lambda: None)
    pace.begin({"rate": 1, "burst": 4})
    assert count(pace) == 3
    pace.begin({"rate": 1, "burst": 4})
    assert count(pace) == 3
    pace.stop()
    assert clock.pending() == 0


@pytest.mark.parametrize("limits", [{}, {"rate": "many"}, {"rate": -1}, {"burst": 1}])
def test_without_a_rate_there_is_no_limit(limits: dict[str, Any]) -> None:
    pace = Pace(ManualClock(), lambda: None)
    pace.begin(limits)
    assert count(pace) == 1000
