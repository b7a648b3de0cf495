"""Test what the limits may be, and how often a token bucket gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.errors import ConfigurationError
from chord.web.limits import COUNTS, SECONDS, Limits, TokenBucket


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "9"])
def test_a_count_is_a_positive_int(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Limits(**{name: value})


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), None, "9"])
def test_a_rate_is_positive_and_finite(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Limits(**{name: value})


def test_no_state_is_deeper_than_a_runtime_takes() -> None:
    with pytest.raises(ConfigurationError, match="max_depth"):
        Limits(max_depth=201)


def test_a_burst_lets_one_message_pass() -> None:
    with pytest.raises(ConfigurationError, match="burst"):
        Limits(burst=0.5)


def test_a_client_is_not_told_what_is_kept() -> None:
    assert "remembered_bytes" not in Limits().describe()


def test_a_bucket_gives_a_burst_at_once() -> None:
    bucket = TokenBucket(rate=1.0, burst=3.0, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


def test_a_bucket_says_when_there_is_a_token() -> None:
    bucket = TokenBucket(rate=4.0, burst=1.0, now=0.0)
    bucket.take(0.0)
    wait = bucket.take(0.125)
    assert wait == pytest.approx(0.125)
    assert bucket.take(0.125 + wait) == 0.0


def test_a_bucket_is_never_fuller_than_a_burst() -> None:
    bucket = TokenBucket(rate=1.0, burst=2.0, now=0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_what_counts_for_several_takes_as_many() -> None:
    bucket = TokenBucket(rate=1.0, burst=4.0, now=0.0)
    assert [bucket.take(0.0, 3.0), bucket.take(0.0, 3.0)] == [0.0, 2.0]
    assert bucket.take(2.0, 3.0) == 0.0


def test_what_counts_for_more_than_a_burst_takes_it_whole() -> None:
    bucket = TokenBucket(rate=1.0, burst=2.0, now=0.0)
    assert [bucket.take(0.0, 9.0), bucket.take(0.0, 9.0)] == [0.0, 2.0]
    bucket.check()


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0, now=10.0)
    bucket.take(10.0)
    assert bucket.take(0.0) > 0
    assert bucket.take(10.5) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 10), max_size=50))
def test_a_bucket_never_gives_more_than_rate_and_burst(pauses: list[float]) -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=0.0)
    now, given_out = 0.0, 0
    for pause in pauses:
        now += pause
        given_out += bucket.take(now) == 0.0
        bucket.check()
    assert given_out <= 3.0 + 2.0 * now + 1e-6


def test_a_bucket_tells_how_full_it_is() -> None:
    assert repr(TokenBucket(rate=1.0, burst=3.0, now=0.0)) == "<TokenBucket 3 of 3>"
