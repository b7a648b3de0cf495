"""Test what is due later: called in order of time, behind one timer of the clock."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.agenda import TIDY_AT, Agenda
from chord.clock import ManualClock

times = st.integers(0, 6).map(float)


def fail() -> None:
    raise ZeroDivisionError


@given(st.lists(st.tuples(times, st.booleans())), st.lists(times))
def test_what_is_not_cancelled_is_called_once_in_order_of_time(
    dues: list[tuple[float, bool]], pauses: list[float]
) -> None:
    clock = ManualClock()
    called: list[object] = []
    agenda = Agenda(clock)
    for number, (when, cancelled) in enumerate(dues):
        due = agenda.call_at(when, partial(called.append, (when, number)))
        if cancelled:
            due.cancel()
        agenda.check()
    expected = sorted((when, n) for n, (when, cancelled) in enumerate(dues) if not cancelled)
    for pause in pauses:
        clock.advance(pause)
        agenda.check()
        assert called == [item for item in expected if item[0] <= clock.monotonic()]
        assert len(agenda) == len(expected) - len(called)
    clock.advance(10.0)
    assert called == expected


def test_all_calls_share_one_timer() -> None:
    clock = ManualClock()
    agenda = Agenda(clock)
    for when in (5.0, 3.0, 4.0, 1.0):
        agenda.call_at(when, fail)
    assert clock.pending() == 1


def test_an_earlier_call_is_not_kept_waiting_by_a_later_one() -> None:
    clock = ManualClock()
    called: list[object] = []
    agenda = Agenda(clock)
    agenda.call_in(9.0, fail)
    agenda.call_in(1.0, lambda: called.append(clock.monotonic()))
    clock.advance(2.0)
    assert called == [1.0]


def test_seconds_are_counted_from_now() -> None:
    clock = ManualClock()
    called: list[object] = []
    clock.advance(100.0)
    Agenda(clock).call_in(1.5, lambda: called.append(clock.monotonic()))
    clock.advance(2.0)
    assert called == [101.5]


def test_what_a_call_adds_is_called_in_its_time() -> None:
    clock = ManualClock()
    called: list[object] = []
    agenda = Agenda(clock)
    agenda.call_in(1.0, lambda: agenda.call_in(1.0, lambda: called.append(clock.monotonic())))
    clock.advance(5.0)
    assert called == [2.0]


def test_a_call_that_raises_keeps_no_other_from_being_called() -> None:
    clock = ManualClock()
    called: list[object] = []
    agenda = Agenda(clock)
    agenda.call_at(1.0, fail)
    agenda.call_at(1.0, partial(called.append, "other"))
    with pytest.raises(ZeroDivisionError):
        clock.advance(1.0)
    clock.advance(0.0)
    assert called == ["other"]


def test_a_call_can_be_cancelled_by_one_that_is_due_with_it() -> None:
    clock = ManualClock()
    agenda = Agenda(clock)
    agenda.call_at(1.0, lambda: other.cancel())
    other = agenda.call_at(1.0, fail)
    clock.advance(1.0)
    assert len(agenda) == 0


def test_cancelling_what_was_called_is_harmless() -> None:
    clock = ManualClock()
    called: list[object] = []
    agenda = Agenda(clock)
    due = agenda.call_at(1.0, partial(called.append, "due"))
    clock.advance(1.0)
    due.cancel()
    due.cancel()
    assert (called, len(agenda)) == (["due"], 0)


def test_cancelled_calls_do_not_pile_up() -> None:
    agenda = Agenda(ManualClock())
    agenda.call_at(1.0, fail)
    for _ in range(100 * TIDY_AT):
        agenda.call_at(9.0, fail).cancel()
    agenda.check()
    assert len(agenda) == 1
    assert len(agenda._heap) <= TIDY_AT + 2


def test_a_closed_agenda_calls_nothing_and_holds_no_timer() -> None:
    clock = ManualClock()
    agenda = Agenda(clock)
    agenda.call_at(1.0, fail)
    agenda.close()
    agenda.call_at(2.0, fail)
    assert clock.pending() == 0
    clock.advance(3.0)
