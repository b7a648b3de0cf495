"""Test how the conditions of HTTP are read."""

from __future__ import annotations

import pytest

from chord.web.conditions import Condition, is_known, quote_position, read_condition, read_tags
from chord.web.leaves import WireError


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"a:1"', [(False, "a:1")]),
        (' W/"a:1" ,\t"b:2"', [(True, "a:1"), (False, "b:2")]),
        ('"a,b"', [(False, "a,b")]),
        ('""', [(False, "")]),
        ('"é"', [(False, "é")]),
    ],
)
def test_entity_tags_are_read(header: str, tags: list[tuple[bool, str]]) -> None:
    assert read_tags(header) == tags


@pytest.mark.parametrize(
    "header", ["", "a:1", '"a', '"a" "b"', "w/'a'", '"a\x00"', 'w/"a"', "*, *"]
)
def test_what_are_no_entity_tags_is_refused(header: str) -> None:
    with pytest.raises(WireError, match="double quotes"):
        read_tags(header)


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({}, False),
        ({"if-none-match": '"a:1"'}, True),
        ({"if-none-match": 'W/"a:1"'}, True),
        ({"if-none-match": '"b:1", "a:1"'}, True),
        ({"if-none-match": '"a:2"'}, False),
        ({"if-none-match": '"a:1;rich"'}, False),
        ({"if-none-match": "*"}, True),
    ],
)
def test_a_reader_knows_what_it_has_a_tag_of(headers: dict[str, str], known: bool) -> None:
    assert is_known(headers, "a:1") is known


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({}, None),
        ({"if-match": '"a:1"'}, "a:1"),
        ({"if-match": '"a:1;rich"'}, "a:1"),
        ({"if-match": "*"}, "*"),
        ({"if-none-match": "*"}, 0),
        ({"if-match": quote_position("a:1~tag")}, "a:1~tag"),
    ],
)
def test_a_writer_expects_what_it_says(headers: dict[str, str], condition: Condition) -> None:
    assert read_condition(headers) == condition


@pytest.mark.parametrize(
    "headers",
    [
        {"if-match": 'W/"a:1"'},
        {"if-match": '"a:1", "a:2"'},
        {"if-match": "a:1"},
        {"if-none-match": '"a:1"'},
        {"if-match": "*", "if-none-match": "*"},
    ],
)
def test_a_condition_that_no_write_can_hold_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(WireError):
        read_condition(headers)
