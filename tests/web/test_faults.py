"""Test what clients are told of each error, and what they are not."""

from __future__ import annotations

import logging

import pytest

from chord import errors
from chord.position import Position
from chord.web.faults import (
    CLOSE_CODES,
    STATUSES,
    CallFailed,
    Elsewhere,
    Forbidden,
    HookFailed,
    NoSuchCall,
    RateLimited,
    TooLarge,
    TooMany,
    Unauthenticated,
    WrongOrigin,
    describe,
    explain,
    status_of,
)
from chord.web.leaves import WireError
from chord.web.patches import PatchFailed

SECRET = "redis://:hunter2@10.0.0.7:6379"
HERE = Position("k3f9", 41)

TOLD: list[tuple[Exception, str, int]] = [
    (WireError("no"), "malformed", 400),
    (errors.InvalidArgument("since", "x", "a position"), "invalid", 400),
    (errors.InvalidContextId(""), "invalid", 400),
    (errors.InvalidState(("a",), "no"), "invalid", 400),
    (Unauthenticated(), "unauthenticated", 401),
    (Forbidden(), "forbidden", 403),
    (WrongOrigin(), "forbidden", 403),
    (errors.ContextNotFound("a"), "not-found", 404),
    (NoSuchCall(), "not-found", 404),
    (PatchFailed(0, "/a", "another value"), "conflict", 409),
    (errors.VersionConflict("a", HERE, None), "conflict", 412),
    (Elsewhere("a", None, HERE), "conflict", 412),
    (TooLarge(9, 8), "too-large", 413),
    (errors.OwnedElsewhere("a", "me", "http://b"), "owned-elsewhere", 421),
    (TooMany("contexts", 3), "too-many", 429),
    (RateLimited(0.5), "rate-limited", 429),
    (errors.Overloaded("a", 0.5), "overloaded", 503),
    (errors.Quarantined("a", 0.5), "quarantined", 503),
    (errors.BackendUnavailable(SECRET, "refused"), "unavailable", 503),
    (errors.Fenced("a"), "unavailable", 503),
    (errors.ChordClosed("closed"), "closing", 503),
    (errors.OutcomeUnknown(SECRET, "lost"), "unknown-outcome", 503),
    (errors.DeadlineExceeded("a"), "deadline", 504),
    (errors.OutcomeTimeout("a"), "deadline", 504),
    (HookFailed("authorize"), "internal", 500),
    (CallFailed("no"), "internal", 500),
    (errors.CorruptData(SECRET, "no"), "internal", 500),
    (errors.WrongLoop("no"), "internal", 500),
    (RuntimeError(SECRET), "internal", 500),
]


@pytest.mark.parametrize(("error", "code", "status"), TOLD)
def test_each_error_has_its_code_and_status(error: Exception, code: str, status: int) -> None:
    assert explain(error).code == code
    assert status_of(error) == status


@pytest.mark.parametrize("error", [error for error, _, _ in TOLD])
def test_no_address_of_a_store_and_no_cause_is_told(error: Exception) -> None:
    assert "hunter2" not in repr(explain(error))


@pytest.mark.parametrize(
    "error", [error for error, _, _ in TOLD if isinstance(error, errors.ChordError)]
)
def test_whether_it_was_written_is_told_as_the_error_knows_it(error: errors.ChordError) -> None:
    assert explain(error).applied is error.applied


def test_of_an_unknown_error_nobody_knows_whether_it_was_written() -> None:
    assert explain(RuntimeError("no")).applied is None


def test_a_conflict_tells_where_the_context_is() -> None:
    conflict = errors.VersionConflict("a", 1, HERE)
    assert explain(conflict, lambda position: f"<{position}>").actual == "<k3f9:41>"


def test_when_to_try_again_is_told() -> None:
    assert explain(errors.Overloaded("a", 0.5)).retry_after == 0.5
    assert explain(errors.ChordClosed("closed")).retry_after == 1.0


def test_the_owner_is_told_by_its_address_alone() -> None:
    told = explain(errors.OwnedElsewhere("a", "its secret name", "http://b"))
    assert told.address == "http://b"
    assert "secret" not in told.message


def test_only_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "chord.web"):
        for error, code, _ in TOLD:
            if code != "internal":
                describe(error)
    assert not caplog.records


def test_what_a_hook_raised_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        try:
            raise ZeroDivisionError("the cause")
        except ZeroDivisionError as cause:
            raise HookFailed("project") from cause
    except HookFailed as error:
        describe(error)
    assert "'project'" in caplog.text
    assert "ZeroDivisionError: the cause" in caplog.text


def test_every_code_has_a_status() -> None:
    assert {code for _, code, _ in TOLD} == set(STATUSES)
    assert set(CLOSE_CODES) <= set(STATUSES)


def test_where_it_is_is_not_told_to_who_may_not_know() -> None:
    told = explain(Elsewhere("a", None, HERE))
    assert (told.message, told.actual) == ("not at the expected position", None)
