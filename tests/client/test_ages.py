"""Test how old things are by clocks that do not agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chord.client.ages import Ages
from chord.clock import ManualClock

STEPS = st.lists(st.tuples(st.integers(0, 100), st.integers(-1000, 1000)))


@given(STEPS)
def test_nothing_is_younger_than_a_clock_says(steps: list[tuple[int, int]]) -> None:
    clock = ManualClock()
    ages = Ages(clock)
    monotonic, wall = clock.monotonic(), clock.time()
    before = ages.now()
    for passed, jumped in steps:
        clock.advance(passed)
        clock.jump(jumped)
        now = ages.now()
        assert now >= before + passed
        assert now >= max(clock.monotonic() - monotonic, clock.time() - wall)
        before = now
