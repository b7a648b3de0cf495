"""Test stored bytes: what goes in comes out the same, and what is damaged is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import msgpack

from chord.changes import Added, Modified, Removed, Spliced
from chord.codec import FORMAT, MsgspecCodec
from chord.delta import apply, diff, equal
from chord.errors import DeltaMismatch
from chord.state import StateDict, Tree, adopt, take_in
from chord.testing.strategies import State, leaves, states
from tests.laws import are_ours, thorough, walks

CODEC = MsgspecCodec()


# -- there and back ------------------------------------------------------------------------------


@thorough
@given(states())
def test_a_state_comes_back_the_same(state: State) -> None:
    read = CODEC.decode_state(CODEC.encode_state(take_in(state)))
    assert equal(read, state)
    assert are_ours(read)
    assert equal(take_in(read), state)


@thorough
@given(leaves())
def test_a_leaf_comes_back_the_same_in_every_place(leaf: Any) -> None:
    state = {"": leaf, "list": [leaf, [leaf]], "dict": {"a": {"b": leaf}}}
    assert equal(CODEC.decode_state(CODEC.encode_state(take_in(state))), state)
    changes = {
        "a": Added(leaf),
        "b": {"c": Modified(leaf, [leaf])},
        "d": {"e": {"f": Removed({"g": leaf})}},
        "h": Spliced(2, adopt([leaf]), adopt([{"i": leaf}])),
    }
    assert equal(CODEC.decode_changes(CODEC.encode_changes(changes)), changes)


@thorough
@given(walks(2))
def test_changes_come_back_the_same(walk: list[StateDict]) -> None:
    changes = diff(*walk)
    read = CODEC.decode_changes(CODEC.encode_changes(changes))
    assert equal(read, changes)
    assert type(read) is Tree
    assert equal(apply(walk[0], read), walk[1])


@pytest.mark.parametrize("key", ["action", "", "/", "a", "m", "r", "s", "__proto__"])
def test_any_key_is_but_a_key(key: str) -> None:
    changes = {key: {key: Added({key: [key, 1]})}}
    assert equal(CODEC.decode_changes(CODEC.encode_changes(changes)), changes)


def test_a_list_that_looks_like_a_leaf_is_a_list() -> None:
    state = {"a": ["a", 1], "m": ["m", 1, 2], "s": ["s", 0, [], []]}
    assert equal(CODEC.decode_state(CODEC.encode_state(take_in(state))), state)
    changes = {"k": Modified(["r", 1], ["a", 1])}
    assert equal(CODEC.decode_changes(CODEC.encode_changes(changes)), changes)


def test_a_state_without_anything_rich_is_plain_messagepack() -> None:
    state = {"a": [1, 1.5, None, True, b"x", "é"], "b": {"c": {}}}
    data = CODEC.encode_state(take_in(state))
    assert data[:1] == FORMAT
    assert msgpack.decode(data[1:]) == state


@pytest.mark.parametrize(
    ("number", "extension"),
    [(2**63, False), (2**64 - 1, False), (2**64, True), (-(2**63) - 1, True)],
)
def test_an_integer_is_an_extension_only_where_it_must(number: int, extension: bool) -> None:
    data = CODEC.encode_state(take_in({"n": number}))
    assert (type(msgpack.decode(data[1:])["n"]) is msgpack.Ext) is extension


@pytest.mark.parametrize("exponent", [64, 65, 71, 72, 127, 128, 5000])
def test_integers_of_any_width_come_back(exponent: int) -> None:
    numbers = [sign * (2**exponent + shift) for sign in (1, -1) for shift in (-1, 0, 1)]
    assert CODEC.decode_state(CODEC.encode_state(take_in({"n": numbers})))["n"] == numbers


def test_a_named_offset_keeps_its_name() -> None:
    at = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET"))
    read = CODEC.decode_state(CODEC.encode_state(take_in({"at": at})))["at"]
    assert read.tzname() == "CET"
    assert read.utcoffset() == timedelta(hours=1)


def test_it_knows_no_other_types() -> None:
    assert not CODEC.accepts(object())
    with pytest.raises(TypeError, match="object has no stored form"):
        CODEC.encode_state(adopt({"a": object()}))


# -- what is damaged -----------------------------------------------------------------------------

EVERYTHING: State = {
    "plain": [None, True, 1, -1, 2**64 - 1, 1.5, "é", b"x", {}, []],
    "rich": [2**70, Decimal("1.50"), datetime(2024, 1, 1, tzinfo=UTC)],
    "zones": [datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET")), timedelta(1, 2, 3)],
}


def read_state(data: bytes) -> None:
    """It is refused by a `ValueError`, or is a state like any other."""
    try:
        state = CODEC.decode_state(data)
    except ValueError:
        return
    assert equal(take_in(state, max_depth=200), state)
    assert equal(CODEC.decode_state(CODEC.encode_state(state)), state)


def read_changes(data: bytes, state: StateDict) -> None:
    try:
        changes = CODEC.decode_changes(data)
    except ValueError:
        return
    assert equal(CODEC.decode_changes(CODEC.encode_changes(changes)), changes)
    try:
        made = apply(state, changes)
    except DeltaMismatch:
        return
    assert equal(take_in(made, max_depth=200), made)


@thorough
@given(states(), st.data())
@example(EVERYTHING, None)
def test_a_damaged_state_is_refused_or_is_another_state(
    state: State, data: st.DataObject | None
) -> None:
    stored = CODEC.encode_state(take_in(state))
    for damaged in damage(stored, data):
        read_state(damaged)


@thorough
@given(walks(2), st.data())
def test_damaged_changes_are_refused_or_are_other_changes(
    walk: list[StateDict], data: st.DataObject
) -> None:
    stored = CODEC.encode_changes(diff(*walk))
    for damaged in damage(stored, data):
        read_changes(damaged, walk[0])


def damage(stored: bytes, data: st.DataObject | None) -> list[bytes]:
    """A few truncations and flipped bits; all of them where no data says which."""
    cuts, flips = list(range(len(stored))), list(range(8 * len(stored)))
    if data is not None:
        cuts = [data.draw(st.sampled_from(cuts))]
        flips = data.draw(st.lists(st.sampled_from(flips), min_size=1, max_size=8))
    return [stored[:cut] for cut in cuts] + [flip(stored, bit) for bit in flips]


def flip(stored: bytes, bit: int) -> bytes:
    damaged = bytearray(stored)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@given(st.binary(max_size=40))
def test_noise_is_refused_or_is_a_state(noise: bytes) -> None:
    for data in (noise, FORMAT + noise, FORMAT + b"\x81\xa1a" + noise):
        read_state(data)
        read_changes(data, take_in({"a": 1}))


@pytest.mark.parametrize("decode", [CODEC.decode_state, CODEC.decode_changes])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",  # no format byte
        b"\x00\x80",
        b"\x02\x80",
        FORMAT,
        FORMAT + b"\x80\x80",  # more than one value
        FORMAT + msgpack.encode([]),
        FORMAT + msgpack.encode(None),
        FORMAT + msgpack.encode({1: 2}),
        FORMAT + msgpack.encode({"a": {"b": {1: 2}}}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(99, b"")}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(64, b"")}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(2, b"zero")}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(2, b"\xff")}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(3, b"x" * 15)}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(5))}),
        FORMAT
        + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(("2024-01-01", 0, "No/Zone")))}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(("2024-01-01", 0, "Europe")))}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(("2024-01-01", 0, "../etc")))}),
        FORMAT
        + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(("2024-01-01", 0, 10**15, None)))}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(4, msgpack.encode(("2024-01-01", 2)))}),
        FORMAT + msgpack.encode({"a": msgpack.Ext(7, msgpack.encode((10**12, 0, 0)))}),
        FORMAT + b"\x81\xa1a" * 5000 + b"\x80",
        FORMAT + b"\x81\xa1a" * 100_000,
        FORMAT + b"\x81\xa1a\x92\xa1a" + b"\x91" * 5000 + b"\x90",
        FORMAT + b"\x81\xa1a" + b"\xdd\xff\xff\xff\xff",  # four billion items announced
    ],
)
def test_what_is_no_stored_form_is_refused(decode: Any, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)


@pytest.mark.parametrize(
    "change",
    [
        *([], ["a"], ["a", 1, 2], ["x", 1], ["m", 1], ["r"], ["a", {1: 2}], "a", 5, None),
        *(
            ["s", 0, [], 1],
            ["s", "0", [], []],
            ["s", 0, {}, []],
            ["s", -1, [], []],
            ["s", True, [], []],
        ),
    ],
)
def test_what_is_no_leaf_is_refused(change: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        CODEC.decode_changes(FORMAT + msgpack.encode({"k": {"a": change}}))
