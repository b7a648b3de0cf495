"""Test that an operation is told once, when it has ended, and how."""

from __future__ import annotations

import logging

import pytest

from chord.clock import ManualClock
from chord.errors import ContextNotFound
from chord.telemetry import Event, LogTelemetry, Span


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_an_operation_is_told_when_it_has_ended(recorder: Recorder, clock: ManualClock) -> None:
    with Span(recorder, clock, "update", "room:1"):
        clock.advance(0.25)
        assert recorder.events == []
    assert recorder.events == [
        Event(operation="update", context_id="room:1", outcome="ok", duration=0.25)
    ]


def test_an_operation_says_its_outcome_and_size(recorder: Recorder, clock: ManualClock) -> None:
    with Span(recorder, clock, "sync", None) as span:
        span.outcome = "compacted"
        span.size = 120
    (event,) = recorder.events
    assert (event.context_id, event.outcome, event.size) == (None, "compacted", 120)


def test_an_error_is_told_by_its_name_and_goes_on(recorder: Recorder, clock: ManualClock) -> None:
    with pytest.raises(ContextNotFound), Span(recorder, clock, "get", "room:1"):
        raise ContextNotFound("room:1")
    assert [event.outcome for event in recorder.events] == ["ContextNotFound"]


def test_the_wall_clock_does_not_count(recorder: Recorder, clock: ManualClock) -> None:
    with Span(recorder, clock, "get", "room:1"):
        clock.jump(-1000)
    assert recorder.events[0].duration == 0.0


def test_where_nobody_wants_to_know_nothing_is_asked_of_the_clock() -> None:
    class NoClock(ManualClock):
        def monotonic(self) -> float:
            pytest.fail("the clock was read")

    with Span(None, NoClock(), "get", "room:1") as span:
        span.outcome = "ok"


def test_a_logger_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    event = Event(operation="update", context_id="room:1", outcome="ok", duration=0.25, size=9)
    with caplog.at_level(logging.DEBUG, "chord"):
        LogTelemetry().record(event)
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("chord", "DEBUG", "update room:1 ok 0.250000 s 9 B")
    ]


def test_the_application_s_own_logger_is_told(caplog: pytest.LogCaptureFixture) -> None:
    event = Event(operation="update", context_id="room:1", outcome="ok", duration=0.25)
    with caplog.at_level(logging.DEBUG):
        LogTelemetry(logging.getLogger("mine")).record(event)
    assert [record.name for record in caplog.records] == ["mine"]
