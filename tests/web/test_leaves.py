"""Test values on the wire: what is said is read the same, and what is damaged is refused."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.cattrs_codec import CattrsCodec
from chord.changes import REMOVE, Added, Append, Increment, Modified, Removed, Replace, Spliced
from chord.delta import apply, diff, equal
from chord.errors import ChordError, DeltaMismatch
from chord.state import StateDict, take_in
from chord.testing.strategies import State, leaves, patches, states
from chord.web.leaves import (
    Other,
    Types,
    WireError,
    lower,
    lower_changes,
    lower_partial,
    raise_changes,
    raise_value,
)
from tests.laws import are_ours, thorough, walks

NATIVE = pytest.mark.parametrize("native", [False, True], ids=["json", "msgpack"])
JSON_TYPES = (type(None), bool, int, float, str)


@attrs.frozen
class Point:
    x: int
    y: int


CODEC = CattrsCodec({"point": Point})


def over_the_wire(said: Any, native: bool) -> Any:
    """What the other side reads: plain values, in objects of its own."""
    encoding = msgspec.msgpack if native else msgspec.json
    return encoding.decode(encoding.encode(said))


# -- there and back ------------------------------------------------------------------------------


@NATIVE
@thorough
@given(state=states())
def test_a_state_comes_back_the_same(native: bool, state: State) -> None:
    plain, types = over_the_wire(lower(take_in(state), native_bytes=native), native)
    assert equal(raise_value(plain, types), state)


@NATIVE
@thorough
@given(leaf=leaves())
def test_a_leaf_comes_back_the_same_in_every_place(native: bool, leaf: Any) -> None:
    state = {"": leaf, "list": [leaf, [leaf]], "dict": {"a": {"b": leaf}}}
    plain, types = over_the_wire(lower(state, native_bytes=native), native)
    assert equal(raise_value(plain, types), state)
    plain, types = over_the_wire(lower(leaf, native_bytes=native), native)
    assert equal(raise_value(plain, types), leaf)


@NATIVE
@thorough
@given(walk=walks(2))
def test_changes_lead_to_the_same_state(native: bool, walk: list[StateDict]) -> None:
    before, after = walk
    changes = diff(before, after)
    tree, types = over_the_wire(lower_changes(changes, native_bytes=native), native)
    raised = raise_changes(tree, types, before)
    assert equal(raised, changes)
    assert equal(apply(before, raised), after)
    assert are_ours(apply(before, raised))


@NATIVE
@thorough
@given(partial=patches())
def test_a_partial_state_comes_back_the_same(native: bool, partial: State) -> None:
    plain, types = over_the_wire(lower_partial(partial, native_bytes=native), native)
    assert equal(raise_value(plain, types, operators=True), partial)


@given(states())
def test_only_what_all_readers_of_json_agree_on_is_left(state: State) -> None:
    for value in scalars_in(lower(take_in(state))[0]):
        assert type(value) in JSON_TYPES
        assert type(value) is not float or abs(value) < float("inf")
        assert type(value) is not int or abs(value) < 2**53


def scalars_in(value: Any) -> list[Any]:
    if not isinstance(value, (dict, list)):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [found for each in inner for found in scalars_in(each)]


@NATIVE
@given(state=states())
def test_saying_and_reading_leave_alone_what_they_are_given(native: bool, state: State) -> None:
    ours = take_in(state)
    plain, types = lower(ours, native_bytes=native)
    copy = over_the_wire(plain, native)
    raise_value(plain, types)
    assert equal(ours, state)
    assert equal(over_the_wire(plain, native), copy)


def test_a_state_that_needs_no_text_is_shared() -> None:
    state = take_in({"a": {"b": [1, "x", None]}})
    assert lower(state)[0] == state
    assert lower(state, native_bytes=True)[0] is state
    nested = take_in({"a": {"b": "x"}, "c": b""})
    assert lower(nested)[0]["a"] is nested["a"]


@pytest.mark.parametrize("digits", [4300, 4301, 6000])
def test_an_int_of_any_length_is_said(digits: int) -> None:
    text, types = lower(10 ** (digits - 1))
    assert (text, types) == ("1" + "0" * (digits - 1), [([], "int")])


@pytest.mark.parametrize(
    "microseconds", [1, -1, 86_399_999_999, -86_399_999_999], ids=lambda value: f"{value}us"
)
def test_an_offset_of_any_precision_comes_back(microseconds: int) -> None:
    zone = timezone(timedelta(microseconds=microseconds))
    for moment in (datetime(2030, 1, 2, tzinfo=zone), time(2, tzinfo=zone)):
        assert equal(raise_value(*lower(moment)), moment)


@pytest.mark.parametrize("name", ["", "]", "~", "]~", "[=x]", "=", "é", "\x00"])
def test_an_offset_keeps_any_name(name: str) -> None:
    at = datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=1), name), fold=1)
    assert equal(raise_value(*lower(at)), at)


@pytest.mark.parametrize(
    ("value", "text", "tag"),
    [
        (2**53, "9007199254740992", "int"),
        (float("-inf"), "-Infinity", "float"),
        (b"\xff", "/w==", "bytes"),
        (Decimal("9.90"), "9.90", "decimal"),
        (datetime(2030, 1, 2, 12, tzinfo=UTC), "2030-01-02T12:00:00+00:00", "datetime"),
        (time(2, 30, fold=1), "02:30:00~", "time"),
        (date(2030, 1, 2), "2030-01-02", "date"),
        (timedelta(-1, 2, 3), "-1:2:3", "timedelta"),
    ],
)
def test_a_leaf_has_this_text(value: Any, text: str, tag: str) -> None:
    assert lower({"a": [value]}) == ({"a": [text]}, [(["a", 0], tag)])


def test_changes_have_this_form() -> None:
    changes = {
        "a": Added(b"x"),
        "b": {"c": Modified(1, Decimal("2"))},
        "d": Removed({"long": "gone"}),
        "e": Spliced(2, ["was"], [1, [date(2030, 1, 2)]]),
    }
    assert lower_changes(changes) == (
        {
            "a": ["a", "eA=="],
            "b": {"c": ["m", "2"]},
            "d": ["r"],
            "e": ["s", 2, 1, [1, ["2030-01-02"]]],
        },
        [(["a", 1], "bytes"), (["b", "c", 1], "decimal"), (["e", 3, 1, 0], "date")],
    )


def test_a_partial_state_has_this_form() -> None:
    partial = {"a": REMOVE, "b": {"c": Append([b"x"])}, "d": Increment(Decimal("0.1"))}
    assert lower_partial(partial | {"e": Replace({"f": {}})}) == (
        {"a": None, "b": {"c": ["eA=="]}, "d": "0.1", "e": {"f": {}}},
        [
            (["a"], "remove"),
            (["b", "c", 0], "bytes"),
            (["b", "c"], "append"),
            (["d"], "decimal"),
            (["d"], "increment"),
            (["e"], "replace"),
        ],
    )


@given(patches(), st.randoms(use_true_random=False))
def test_types_come_in_any_order(partial: State, dice: Any) -> None:
    plain, types = lower_partial(partial)
    dice.shuffle(types)
    assert equal(raise_value(plain, types, operators=True), partial)


# -- an application's own types ------------------------------------------------------------------


@NATIVE
def test_an_applications_value_comes_back_through_its_codec(native: bool) -> None:
    state = take_in({"at": [Point(1, 2)]}, accepts=CODEC.accepts)
    plain, types = over_the_wire(lower(state, native_bytes=native, codec=CODEC), native)
    assert types == [[["at", 0], "other"]]
    assert raise_value(plain, types, codec=CODEC) == {"at": [Point(1, 2)]}


def test_who_has_no_codec_hands_an_applications_value_on_as_it_is() -> None:
    said = lower({"at": Point(1, 2)}, codec=CODEC)
    kept = raise_value(*said)
    assert type(kept["at"]) is Other
    assert lower(kept) == said


def test_what_no_codec_knows_has_no_form() -> None:
    with pytest.raises(TypeError, match="a Point has no form on the wire"):
        lower({"at": Point(1, 2)})
    with pytest.raises(TypeError, match="a set has no form on the wire"):
        lower({"at": {1}}, codec=CODEC)


@pytest.mark.parametrize("value", [{"": 1}, {"": {"a": 1}}, {}, {"x": 1}])
def test_only_an_applications_value_can_be_hidden_in_other(value: Any) -> None:
    data = CODEC.encode_state(take_in(value))
    said, _ = lower(Other(data))
    with pytest.raises(WireError, match="not an other"):
        raise_value({"a": said}, [(["a"], "other")], codec=CODEC)


# -- what is not said that way -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        *(("int", text) for text in ("", "x", "1_0", " 1", "+1", "1.0", "²", "9" * 4301)),
        *(("float", text) for text in ("nan", "1.5", "Infinity ", "")),
        *(("bytes", text) for text in ("x", "eA", "eA==\n", "é")),
        *(("decimal", text) for text in ("", "x", "1,0")),
        *(("uuid", text) for text in ("", "x", "{00000000-0000-0000-0000-000000000001}")),
        *(("datetime", text) for text in ("", "x", "2030-13-01", "2030-01-02T12:00:00[")),
        *(("datetime", f"2030-01-02T12:00:00[{zone}]") for zone in ("No/Zone", "../x", "=CET", "")),
        *(("datetime", f"2030-01-02T12:00:00[{zone}]") for zone in ("Europe", "a" * 5000, "\x00")),
        *(("date", text) for text in ("", "0000-01-01", "2030-01-02T00:00:00", "x")),
        *(("time", text) for text in ("", "25:00", "x", "~")),
        *(("timedelta", text) for text in ("", "1", "1:2", "1:2:3:4", "9999999999:0:0", "a:b:c")),
        *(("other", text) for text in ("x", "é")),
    ],
)
def test_a_text_that_is_none_is_refused(tag: str, text: str) -> None:
    with pytest.raises(WireError, match=r"^at \['a'\]\[0\]: not an? "):
        raise_value({"a": [text]}, [(["a", 0], tag)])


@pytest.mark.parametrize(
    ("plain", "types", "problem"),
    [
        ({"a": 1}, [(["a"], "decimal")], r"at \['a'\]: a decimal is said as text, not as a int"),
        ({"a": "1"}, [(["a"], "nonsense")], r"at \['a'\]: no type, or one too many: 'nonsense'"),
        ({"a": "1"}, [(["a"], "int"), (["a"], "int")], "one too many"),
        ({"a": "1"}, [(["a"], "int"), (["a"], "decimal")], "one too many"),
        ({"a": 1}, [(["a"], "replace"), (["a"], "replace")], "one too many"),
        ({"a": "1"}, [(["b"], "int")], r"at \['b'\]: nothing is there"),
        ({"a": ["1"]}, [(["a", 1], "int")], r"at \['a'\]\[1\]: nothing is there"),
        ({"a": ["1"]}, [(["a", -1], "int")], "nothing is there"),
        ({"a": ["1"]}, [(["a", "0"], "int")], "nothing is there"),
        ({"0": "1"}, [([0], "int")], "nothing is there"),
        ({"a": "1"}, [(["a", "b"], "int")], r"at \['a'\]: a str, with types of what is in it"),
        ({"a": 1}, [([], "replace")], "a write operator stands at a key"),
        ({"a": 1}, [(["a"], "append")], "append cannot have a int"),
        ({"a": 1}, [(["a"], "remove")], "remove cannot have a int"),
        ({"a": "1"}, [(["a"], "increment")], "increment cannot have a str"),
        ({"a": True}, [(["a"], "increment")], "increment cannot have a bool"),
        ({"a": None}, [(["a"] * 3000, "increment")], "with types of what is in it"),
    ],
)
def test_types_that_do_not_fit_are_refused(plain: Any, types: Any, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        raise_value(plain, types, operators=True)


def test_a_path_that_is_longer_than_any_state_takes_no_memory() -> None:
    types: Types = [(["a"] * 3_000, "decimal")]
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match=r"\['a'\]\['a'\]: nothing is there"):
            raise_value({"a": {}}, types)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("tag", ["remove", "replace", "append", "increment"])
def test_write_operators_have_no_place_in_a_state(tag: str) -> None:
    with pytest.raises(WireError, match=f"the write operator {tag} has no place here"):
        raise_value({"a": None}, [(["a"], tag)])


def test_a_key_that_is_no_text_has_no_form() -> None:
    with pytest.raises(TypeError, match="a key is a str, not a int"):
        lower({1: 2})


def test_what_is_malformed_is_an_error_of_the_family() -> None:
    assert issubclass(WireError, ChordError)
    assert issubclass(WireError, ValueError)


# -- changes that do not fit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "tree",
    [
        {"c": ["m", 1]},
        {"c": ["r"]},
        {"c": {"d": ["a", 1]}},
        {"a": {"d": ["a", 1]}},
        {"a": ["s", 0, 0, []]},
        {"b": ["s", 0, 1, []]},
        {"b": ["s", 3, 0, []]},
        {"b": ["s", -1, 3, []]},
    ],
)
def test_changes_of_another_state_do_not_fit(tree: Any) -> None:
    with pytest.raises(DeltaMismatch):
        raise_changes(tree, [], {"a": 1, "b": [1, 2]})


@pytest.mark.parametrize(
    "change", [[], ["a"], ["x", 1], ["m"], ["r", 1], ["s", 0, 2], ["s", "0", 2, []], 1, None, "a"]
)
def test_what_is_no_change_is_refused(change: Any) -> None:
    with pytest.raises(WireError, match="no change"):
        raise_changes({"b": change}, [], {"b": [1, 2]})
    with pytest.raises(WireError, match="changes are an object"):
        raise_changes(change, [], {})
