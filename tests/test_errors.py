"""Test that each error keeps its data, says what happened, and survives a copy and a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from chord import errors
from chord.errors import (
    AskCycle,
    BackendUnavailable,
    CannotFormat,
    ChordClosed,
    ChordError,
    ConfigurationError,
    ContextNotFound,
    CorruptData,
    DeadlineExceeded,
    DeltaMismatch,
    DuplicateOperation,
    Fenced,
    InvalidArgument,
    InvalidContextId,
    InvalidState,
    NotApplied,
    NotStored,
    NoTurn,
    OutcomeTimeout,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
    Quarantined,
    VersionConflict,
    VersionGone,
    WrongActor,
    WrongLoop,
)
from chord.position import Position

AT = Position("k3f9", 41)

EXAMPLES: list[tuple[ChordError, str, dict[str, Any]]] = [
    (ConfigurationError("no exporter is set"), "no exporter is set", {}),
    (
        InvalidArgument("since", "x", "a version"),
        "since must be a version, not 'x'",
        {"name": "since"},
    ),
    (
        InvalidContextId(""),
        "context_id must be a str of 1 to 512 UTF-8 bytes without NUL, not ''",
        {"name": "context_id"},
    ),
    (
        InvalidState(("a", 0, "b"), "a set cannot be part of a state"),
        "at ['a'][0]['b']: a set cannot be part of a state",
        {"path": ("a", 0, "b"), "problem": "a set cannot be part of a state"},
    ),
    (ContextNotFound("room:1"), "no context 'room:1'", {"context_id": "room:1"}),
    (
        VersionConflict("room:1", 3, AT),
        "'room:1' is at k3f9:41, where 3 was expected",
        {"context_id": "room:1", "expected": 3, "actual": AT},
    ),
    (
        VersionConflict("room:1", AT, None),
        "there is no 'room:1', where k3f9:41 was expected",
        {"context_id": "room:1", "expected": AT, "actual": None},
    ),
    (
        VersionGone("room:1", AT),
        "'room:1' at k3f9:41 is no longer in memory",
        {"context_id": "room:1", "position": AT},
    ),
    (
        DeltaMismatch(("a",), "added, but it is there already"),
        "at ['a']: added, but it is there already",
        {"path": ("a",), "problem": "added, but it is there already"},
    ),
    (
        CannotFormat((), "no words"),
        "at the root: no words",
        {"path": (), "problem": "no words"},
    ),
    (NotApplied("undone"), "undone", {}),
    (
        DeadlineExceeded("room:1"),
        "time ran out before the work on 'room:1' began",
        {"context_id": "room:1"},
    ),
    (
        BackendUnavailable("redis://localhost", "refused"),
        "redis://localhost: refused",
        {"address": "redis://localhost", "reason": "refused"},
    ),
    (ChordClosed("not open"), "not open", {}),
    (
        Overloaded("room:1", 0.25),
        "'room:1' has too much waiting; retry in 0.25 s",
        {"context_id": "room:1", "retry_after": 0.25},
    ),
    (
        OwnedElsewhere("room:1", "b", "10.0.0.2:80"),
        "'room:1' is owned by b at 10.0.0.2:80",
        {"context_id": "room:1", "owner": "b", "address": "10.0.0.2:80"},
    ),
    (
        OwnedElsewhere("room:1", "b", ""),
        "'room:1' is owned by b",
        {"context_id": "room:1", "owner": "b", "address": ""},
    ),
    (
        Fenced("room:1"),
        "'room:1' was taken over: the fencing token is not current",
        {"context_id": "room:1"},
    ),
    (
        Quarantined("room:1", 30.0),
        "'room:1' crashed too often; retry in 30 s",
        {"context_id": "room:1", "retry_after": 30.0},
    ),
    (
        AskCycle([("room:1", "say"), ("room:2", "tell"), ("room:1", "update")]),
        "it would wait for itself: 'room:1'.say -> 'room:2'.tell -> 'room:1'.update",
        {"chain": (("room:1", "say"), ("room:2", "tell"), ("room:1", "update"))},
    ),
    (
        DuplicateOperation("room:1", "op-7"),
        "'room:1' has operation 'op-7' already",
        {"context_id": "room:1", "op_id": "op-7"},
    ),
    (
        OutcomeUnknown("context 'room:1'", "connection lost"),
        "context 'room:1': connection lost",
        {"where": "context 'room:1'", "reason": "connection lost"},
    ),
    (
        OutcomeTimeout("room:1"),
        "room:1: time ran out while the work was under way",
        {"context_id": "room:1", "where": "room:1"},
    ),
    (
        NotStored(["a", "b", "c", "d", "e", "f"]),
        "not everything that was acknowledged is stored: 'a', 'b', 'c', 'd', 'e' and 1 more",
        {"context_ids": ("a", "b", "c", "d", "e", "f")},
    ),
    (
        CorruptData("context 'room:1'", "the log has a hole"),
        "context 'room:1': the log has a hole",
        {"where": "context 'room:1'", "problem": "the log has a hole"},
    ),
    (WrongLoop("used from another event loop"), "used from another event loop", {}),
    (
        NoTurn("room:1"),
        "only a command of 'room:1' can use its state, while it runs",
        {"context_id": "room:1"},
    ),
    (
        WrongActor("room:1", "Chat", "Game"),
        "'room:1' is played by Game, so it has no commands of Chat",
        {"context_id": "room:1", "wanted": "Chat", "actual": "Game"},
    ),
]
each_example = pytest.mark.parametrize(
    ("error", "message", "data"), EXAMPLES, ids=lambda each: type(each).__name__
)


def test_every_error_has_an_example() -> None:
    family = inspect.getmembers(errors, lambda each: inspect.isclass(each))
    ours = {cls for _, cls in family if issubclass(cls, ChordError)} - {ChordError}
    assert {type(error) for error, _, _ in EXAMPLES} == ours


@each_example
def test_it_says_what_happened(error: ChordError, message: str, data: dict[str, Any]) -> None:
    assert str(error) == message


@each_example
def test_it_keeps_its_data(error: ChordError, message: str, data: dict[str, Any]) -> None:
    assert {name: getattr(error, name) for name in data} == data


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy]
    + [
        lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ],
)
@each_example
def test_a_copy_is_the_same_error(
    error: ChordError,
    message: str,
    data: dict[str, Any],
    duplicate: Callable[[ChordError], ChordError],
) -> None:
    error.add_note("in the night")
    try:
        made = duplicate(error)
    finally:
        del error.__notes__
    assert type(made) is type(error)
    assert str(made) == message
    assert made.args == error.args
    assert {name: getattr(made, name) for name in data} == data
    assert made.__notes__ == ["in the night"]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigurationError, ValueError),
        (InvalidArgument, ValueError),
        (InvalidContextId, ValueError),
        (InvalidState, ValueError),
        (DeltaMismatch, ValueError),
        (CannotFormat, ValueError),
        (ContextNotFound, KeyError),
        (VersionGone, LookupError),
        (DeadlineExceeded, TimeoutError),
        (OutcomeTimeout, TimeoutError),
        (WrongLoop, RuntimeError),
        (NoTurn, RuntimeError),
        (WrongActor, TypeError),
    ],
)
def test_some_are_a_builtin_too(error: type[ChordError], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)


@pytest.mark.parametrize(
    "error",
    [
        *(DeadlineExceeded, BackendUnavailable, ChordClosed, Overloaded, OwnedElsewhere, Fenced),
        *(Quarantined, AskCycle, DuplicateOperation),
    ],
)
def test_these_were_not_applied(error: type[ChordError]) -> None:
    assert issubclass(error, NotApplied)


@each_example
def test_applied_is_unknown_only_where_the_outcome_is(
    error: ChordError, message: str, data: dict[str, Any]
) -> None:
    assert error.applied is (None if isinstance(error, OutcomeUnknown) else False)


def test_a_long_value_is_cut() -> None:
    assert len(str(InvalidArgument("since", "x" * 10_000, "a version"))) < 300


def test_a_long_path_is_cut_in_the_middle() -> None:
    error = InvalidState(tuple("abcdefghijklmnop"), "too deep")
    assert str(error) == "at ['a']['b']['c']['d']['e']['f']...['n']['o']['p']: too deep"
    assert len(error.path) == 16


def test_a_long_key_is_cut() -> None:
    assert len(str(InvalidState(("k" * 10_000,), "too long"))) < 100
