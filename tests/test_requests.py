"""Test what can be asked: ids, expectations and times that are of the right form, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from chord.errors import InvalidArgument, InvalidContextId
from chord.position import Position
from chord.requests import (
    Delete,
    Restore,
    Set,
    Transform,
    Update,
    check_context_id,
    check_op_id,
    check_timeout,
    op_id_of,
    read_expected,
)
from chord.state import take_in

GOOD_IDS = ["a", "room:1", "/", " ", "\n", "é" * 256, "x" * 512, "\U0001f600" * 128]
BAD_IDS = ["", "x" * 513, "é" * 257, "\U0001f600" * 129, "a\0b", "\ud800", 5, b"a", ("a",), True]


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("value", GOOD_IDS)
def test_an_id_is_1_to_512_bytes_of_utf_8(value: str) -> None:
    check_context_id(value)
    check_op_id(value)


@pytest.mark.parametrize("value", [*BAD_IDS, None, Text("a")])
def test_anything_else_is_no_context_id(value: Any) -> None:
    with pytest.raises(InvalidContextId):
        check_context_id(value)


@pytest.mark.parametrize("value", BAD_IDS)
def test_anything_else_is_no_op_id(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="op_id must be"):
        check_op_id(value)


def test_an_op_id_may_be_left_out() -> None:
    check_op_id(None)


@pytest.mark.parametrize("value", [None, 0, 5, 2**70, Position("k", 5), "k:5"])
def test_a_context_is_expected_at_a_position_or_version(value: Any) -> None:
    read_expected(value)


@pytest.mark.parametrize("value", [-1, True, False, 5.0, "5", "k:", b"5", [], ("k", 5)])
def test_nothing_else_can_be_expected(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="expected must be"):
        read_expected(value)


@pytest.mark.parametrize("value", [None, 0, 0.0, 1, 2.5, float("inf")])
def test_a_timeout_is_in_seconds(value: Any) -> None:
    check_timeout(value)


@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), True, "1"])
def test_nothing_else_is_a_timeout(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="timeout must be"):
        check_timeout(value)


def test_only_what_can_be_repeated_has_an_op_id() -> None:
    state = take_in({})
    requests = (
        Set(state=state, op_id="a"),
        Update(patches=(state,), op_id="b"),
        Transform(fn=lambda state: {}, take_in=take_in, op_id="c"),
        Delete(),
        Restore(state=state),
    )
    assert [op_id_of(request) for request in requests] == ["a", "b", "c", None, None]
