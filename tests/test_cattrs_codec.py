"""Test that an application's frozen classes come back the same, or are not accepted."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.cattrs_codec import CattrsCodec, make_converter
from chord.delta import diff, equal
from chord.errors import ConfigurationError, InvalidState
from chord.state import StateDict, adopt, take_in
from chord.testing.strategies import keys, moments, texts
from tests.laws import thorough


@attrs.frozen
class Point:
    x: float
    y: float = 0.0


@attrs.frozen
class Pin:
    at: Point
    label: str | None = None
    tags: tuple[str, ...] = ()


@attrs.frozen
class Everything:
    number: int
    amount: Decimal
    data: bytes
    id: UUID
    moment: datetime
    day: date
    hour: time
    wait: timedelta
    flag: bool
    note: str | None = None


@attrs.frozen
class Numbers:
    values: tuple[int, ...]


@attrs.frozen
class Loose:
    value: Any


@attrs.frozen
class Positive:
    value: int = attrs.field(validator=attrs.validators.gt(0))


@attrs.frozen
class Grumpy:
    value: int

    def __attrs_post_init__(self) -> None:
        if self.value == 13:
            raise RuntimeError("not that one")


class Colour(enum.Enum):
    RED = "red"


@attrs.define
class Mutable:
    x: int


CLASSES: dict[str, type] = {
    "point": Point,
    "pin": Pin,
    "everything": Everything,
    "numbers": Numbers,
    "loose": Loose,
    "positive": Positive,
    "grumpy": Grumpy,
}
CODEC = CattrsCodec(CLASSES)


def take(state: dict[str, Any]) -> StateDict:
    return take_in(state, accepts=CODEC.accepts)


def there_and_back(state: StateDict) -> StateDict:
    return CODEC.decode_state(CODEC.encode_state(state))


points = st.builds(Point, st.floats(), st.floats())
pins = st.builds(Pin, points, st.none() | texts(), st.lists(texts(3), max_size=3).map(tuple))
everything = st.builds(
    Everything,
    st.integers(-(2**70), 2**70),
    st.decimals(),
    st.binary(max_size=3),
    st.uuids(),
    moments().filter(lambda at: type(at) is datetime),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.booleans(),
)
objects = st.one_of(points, pins, everything)


@thorough
@given(st.dictionaries(keys(), objects | st.lists(objects, max_size=2), max_size=3))
def test_objects_come_back_the_same(state: dict[str, Any]) -> None:
    assert equal(there_and_back(take(state)), state)


@given(objects, objects)
def test_changes_of_objects_come_back_the_same(old: Any, new: Any) -> None:
    changes = diff(take({"a": old}), take({"a": new, "b": new}))
    assert equal(CODEC.decode_changes(CODEC.encode_changes(changes)), changes)


@pytest.mark.parametrize(
    "value",
    [
        Point("1", 2.0),  # type: ignore[arg-type]
        Point(1, 2.0),
        Point(True, 2.0),
        Pin(Point(1, 2.0)),
        Pin(Point(1.0), 5),  # type: ignore[arg-type]
        Pin(Point(1.0), tags=["a"]),  # type: ignore[arg-type]
        Pin(Point(1.0), tags=(1,)),  # type: ignore[arg-type]
        Numbers((1.0, 2)),  # type: ignore[arg-type]
        Numbers((True,)),
        Loose([1]),
        Loose({"a": 1}),
        Loose(Mutable(1)),
        Loose(Colour.RED),
        Loose("\ud800"),
        Loose(object()),
        Mutable(1),
        Colour.RED,
        Point,
        "point",
        1,
    ],
    ids=repr,
)
def test_what_would_not_come_back_the_same_is_not_accepted(value: Any) -> None:
    assert not CODEC.accepts(value)


def test_what_is_not_accepted_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidState) as caught:
        take({"a": [Loose([1])]})
    assert caught.value.path == ("a", 0)


def test_a_subclass_is_another_class() -> None:
    @attrs.frozen
    class Spot(Point):
        pass

    assert not CODEC.accepts(Spot(1.0, 2.0))


def test_a_class_that_was_not_named_is_not_accepted_inside_another() -> None:
    assert not CattrsCodec({"pin": Pin}).accepts(Pin(Point(1.0)))


def test_objects_that_differ_by_a_type_inside_are_a_change() -> None:
    assert diff({"a": Loose((1,))}, {"a": Loose((1.0,))})
    assert diff({"a": Loose((0.0,))}, {"a": Loose((-0.0,))})
    assert diff({"a": Loose(frozenset({1}))}, {"a": Loose(frozenset({True}))})
    assert not diff({"a": Loose((float("nan"),))}, {"a": Loose((float("nan"),))})
    assert not diff({"a": Loose(frozenset({1, "a"}))}, {"a": Loose(frozenset({"a", 1}))})


@pytest.mark.parametrize("cls", [Mutable, Colour, dict, int])
def test_a_class_that_is_not_frozen_attrs_is_refused(cls: type) -> None:
    with pytest.raises(ConfigurationError, match="not a frozen attrs class"):
        CattrsCodec({"it": cls})


def test_a_renamed_class_is_read_by_the_name_it_had() -> None:
    @attrs.frozen
    class Place:
        x: float
        y: float

    stored = CODEC.encode_state(take({"at": Point(1.0, 2.0)}))
    read = CattrsCodec({"point": Place}).decode_state(stored)
    assert read["at"] == Place(1.0, 2.0)


def test_the_application_s_own_converter_is_asked() -> None:
    converter = make_converter()
    converter.register_unstructure_hook(Point, lambda point: f"{point.x};{point.y}")
    converter.register_structure_hook(Point, lambda text, _: Point(*map(float, text.split(";"))))
    codec = CattrsCodec({"point": Point}, converter=converter)
    state = take_in({"at": Point(1.5, -0.0)}, accepts=codec.accepts)
    assert equal(codec.decode_state(codec.encode_state(state)), state)


# -- what is damaged -----------------------------------------------------------------------------

STORED = CODEC.encode_state(take({"pin": Pin(Point(1.0, 2.0), "a", ("b",)), "p": Positive(1)}))


@pytest.mark.parametrize("codec", [CattrsCodec({}), CattrsCodec({"p": Point})])
def test_a_class_that_is_not_known_any_more_is_refused(codec: CattrsCodec) -> None:
    with pytest.raises(ValueError, match="does not know"):
        codec.decode_state(STORED)


@pytest.mark.parametrize("value", [Positive, Grumpy])
def test_what_its_class_refuses_is_refused(value: Any) -> None:
    name = value.__name__.lower()
    packed = CODEC.encode_state(adopt({"a": value(12)}))
    bad = packed.replace(b"\xa5value\x0c", b"\xa5value" + (b"\x0d" if value is Grumpy else b"\xff"))
    assert bad != packed
    with pytest.raises(ValueError, match=name):
        CODEC.decode_state(bad)


def test_a_flipped_bit_is_refused_or_is_another_value() -> None:
    for bit in range(8 * len(STORED)):
        damaged = bytearray(STORED)
        damaged[bit // 8] ^= 1 << bit % 8
        read(bytes(damaged))


def test_a_truncation_is_refused() -> None:
    for length in range(len(STORED)):
        with pytest.raises(ValueError, match=r"."):
            CODEC.decode_state(STORED[:length])


def read(stored: bytes) -> None:
    try:
        state = CODEC.decode_state(stored)
    except ValueError:
        return
    assert equal(there_and_back(state), state)
