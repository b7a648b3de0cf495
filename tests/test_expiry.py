"""Test the index of deadlines, against a plain dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chord.expiry import Expiry

KEYS = st.sampled_from("abcdef")
TIMES = st.integers(-3, 3).map(float)
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, TIMES),
    st.tuples(st.just("discard"), KEYS),
    st.tuples(st.just("due"), TIMES, st.none() | st.integers(0, 4)),
)


@given(st.lists(STEPS, max_size=60))
def test_it_answers_like_a_sorted_dict(steps: list[tuple[object, ...]]) -> None:
    expiry, model = Expiry(), dict[str, float]()
    for step in steps:
        match step:
            case ("set", str(key), float(deadline)):
                expiry.set(key, deadline)
                model[key] = deadline
            case ("discard", str(key)):
                expiry.discard(key)
                model.pop(key, None)
            case ("due", float(now), limit):
                assert limit is None or isinstance(limit, int)
                due = sorted((at, key) for key, at in model.items() if at <= now)
                assert expiry.due(now, limit) == [key for _, key in due][:limit]
        expiry.check()
        assert len(expiry) == len(model)
        assert expiry.peek() == min(((at, key) for key, at in model.items()), default=None)


def test_looking_takes_nothing_out() -> None:
    expiry = Expiry()
    expiry.set("a", 1.0)
    assert expiry.due(1.0) == expiry.due(1.0) == ["a"]


def test_a_deadline_of_zero_is_replaced_like_any_other() -> None:
    expiry = Expiry()
    expiry.set("a", 0.0)
    expiry.set("a", 5.0)
    expiry.check()
    assert expiry.due(4.0) == []


def test_ids_of_one_deadline_come_in_their_own_order() -> None:
    expiry = Expiry()
    for key in "cab":
        expiry.set(key, 1.0)
    assert expiry.due(1.0) == ["a", "b", "c"]


def test_it_can_be_asked_what_it_holds() -> None:
    expiry = Expiry()
    expiry.set("a", 1.0)
    assert "a" in expiry
    assert "b" not in expiry
    assert repr(expiry) == "<Expiry len=1 first=(1.0, 'a')>"
