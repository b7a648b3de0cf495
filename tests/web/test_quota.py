"""Test how often a principal may ask, and how much at once."""

from __future__ import annotations

import pytest

from chord.clock import ManualClock
from chord.web.faults import RateLimited, TooMany
from chord.web.gate import ANYONE
from chord.web.limits import Limits
from chord.web.quota import Quota


def make_quota(clock: ManualClock | None = None) -> Quota:
    return Quota(Limits(rate=1.0, burst=3.0, max_pending=2), clock or ManualClock())


def test_so_many_are_under_way_of_each() -> None:
    quota = make_quota()
    with quota.take("ana"), quota.take("ana"), quota.take("bo"):
        with pytest.raises(TooMany) as refused, quota.take("ana"):
            pass
        assert (len(quota), refused.value.limit) == (3, 2)
        quota.check()
    assert len(quota) == 0
    quota.check()


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    clock = ManualClock()
    quota = make_quota(clock)
    for _ in range(3):
        with quota.take("ana"):
            pass
    with pytest.raises(RateLimited) as refused, quota.take("ana"):
        pass
    clock.advance(refused.value.retry_after)
    with quota.take("ana"):
        pass


def test_what_fails_is_over() -> None:
    quota = make_quota()
    with pytest.raises(ZeroDivisionError), quota.take("ana"):
        raise ZeroDivisionError
    assert len(quota) == 0


def test_who_has_no_name_is_not_counted() -> None:
    quota = make_quota()
    for _ in range(10):
        with quota.take(ANYONE):
            assert len(quota) == 0
    assert repr(quota) == "<Quota of 0, 0 under way>"
