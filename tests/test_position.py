"""Test positions as values and as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.position import Position, is_digits
from chord.testing.strategies import texts

epochs = texts().filter(lambda text: text and ":" not in text)


@given(epochs, st.integers(0, 10**18 - 1))
def test_its_text_reads_back(epoch: str, version: int) -> None:
    position = Position(epoch, version)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "k", "k:", ":1", "5", "k:-1", "k:+1", "k:1.0", "k: 1", "k:1 ", "k:0x1", "k:1_0"),
        *("k:²", "k:٣", "k:\u0660", "a:b:1", "::1", "k:1\n", "k:None", "k:" + "9" * 19),
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        Position.parse(text)


def test_it_matches_by_position() -> None:
    match Position("k3f9", 41):
        case Position(epoch, version):
            assert (epoch, version) == ("k3f9", 41)


def test_it_is_equal_and_hashed_by_both_parts() -> None:
    assert len({Position("a", 1), Position("a", 1), Position("a", 2), Position("b", 1)}) == 3


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Position("a", 1).version = 2  # type: ignore[misc]


@given(texts(max_size=20))
def test_digits_are_what_int_reads_as_at_most_18_ascii_digits(text: str) -> None:
    assert is_digits(text) == (set(text) <= set("0123456789") and 0 < len(text) <= 18)
