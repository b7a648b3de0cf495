"""Test the pauses between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.client.backoff import Backoff
from chord.errors import ConfigurationError


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_chance_takes_up_to_half_away(attempt: int, chance: float) -> None:
    backoff = Backoff(first=0.5, longest=20.0)
    whole = backoff.pause(attempt, chance=1.0)
    assert 0.5 <= whole <= 20.0
    assert whole / 2 <= backoff.pause(attempt, chance=chance) <= whole


def test_it_never_gets_shorter() -> None:
    pauses = [Backoff().pause(attempt, chance=0.5) for attempt in range(20)]
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(("first", "longest"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_pauses_that_cannot_be_are_refused(first: float, longest: float) -> None:
    with pytest.raises(ConfigurationError):
        Backoff(first=first, longest=longest)
