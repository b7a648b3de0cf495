"""Test what a server's refusal is raised as."""

from __future__ import annotations

from typing import Any

import pytest

from chord.client.faults import Forbidden, Invalid, RateLimited, Refused, explain
from chord.errors import (
    BackendUnavailable,
    ChordClosed,
    ContextNotFound,
    DeadlineExceeded,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
    Quarantined,
    VersionConflict,
)
from chord.web.faults import STATUSES
from chord.web.wire import Fault


def fault(code: str, applied: Any = False, **fields: Any) -> Fault:
    return Fault(code=code, message="why", applied=applied, **fields)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("malformed", Invalid),
        ("invalid", Invalid),
        ("not-found", ContextNotFound),
        ("conflict", VersionConflict),
        ("forbidden", Forbidden),
        ("too-large", Invalid),
        ("too-many", RateLimited),
        ("rate-limited", RateLimited),
        ("overloaded", Overloaded),
        ("quarantined", Quarantined),
        ("owned-elsewhere", OwnedElsewhere),
        ("unavailable", BackendUnavailable),
        ("deadline", DeadlineExceeded),
        ("closing", ChordClosed),
        ("internal", Refused),
        ("unauthenticated", Refused),
        ("one-that-is-not-known", Refused),
    ],
)
def test_each_code_has_its_error(code: str, kind: type) -> None:
    error = explain(fault(code), "room:1")
    assert type(error) is kind
    assert error.applied is False


@pytest.mark.parametrize("code", STATUSES)
def test_what_may_have_been_written_is_of_unknown_outcome(code: str) -> None:
    error = explain(fault(code, applied=None), "room:1")
    assert type(error) is (OutcomeTimeout if code == "deadline" else OutcomeUnknown)
    assert error.applied is None


def test_an_error_has_the_data_of_the_fault() -> None:
    overloaded = explain(fault("overloaded", retry_after=7.0), "room:1")
    assert isinstance(overloaded, Overloaded)
    assert (overloaded.context_id, overloaded.retry_after) == ("room:1", 7.0)
    elsewhere = explain(fault("owned-elsewhere", address="host:1"), "room:1")
    assert isinstance(elsewhere, OwnedElsewhere)
    assert elsewhere.address == "host:1"
    limited = explain(fault("rate-limited"), "room:1")
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 1.0
    refused = explain(fault("internal"), "room:1")
    assert isinstance(refused, Refused)
    assert (refused.code, str(refused)) == ("internal", "why")


def test_a_conflict_says_where_it_is_in_the_servers_words() -> None:
    conflict = explain(fault("conflict", actual="k:7~x"), "room:1", expected="k:1")
    assert str(conflict) == "'room:1' is at k:7~x, where k:1 was expected"
    nowhere = explain(fault("conflict"), "room:1", expected="k:1")
    assert str(nowhere) == "there is no 'room:1', where k:1 was expected"


def test_some_are_builtin_errors_too() -> None:
    assert isinstance(explain(fault("forbidden"), ""), PermissionError)
    assert isinstance(explain(fault("invalid"), ""), ValueError)
    assert isinstance(explain(fault("deadline"), ""), TimeoutError)
