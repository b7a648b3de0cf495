"""Hold hypothesis strategies for states, the writes to them, and histories of both.

They draw mostly from small alphabets, so that keys and values meet often. Compare what they make
with `chord.delta.equal`: there are NaNs among it, and values that are `==` but not the same.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hypothesis import strategies as st

from chord.changes import REMOVE, Append, Increment, Replace
from chord.delta.writing import update

State: TypeAlias = dict[str, Any]
Write: TypeAlias = dict[str, Any]

NASTY_KEYS: Final = (
    *("action", "value", "old_value", "", "/", "~", "~1", "$", ".", "0", "-1", "\t"),
    *("__proto__", "constructor", "toString", "é", "e\u0301", "ž", "\ue000", "\U0001f600"),
)
NUMBERS: Final = (
    *(0, 1, 2, 0.0, -0.0, 1.0, float("nan"), float("inf"), float("-inf")),
    *(2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**70),
    *map(Decimal, ("1", "1.0", "1.00", "0", "-0", "0E+3", "NaN", "sNaN", "-Infinity")),
)
OTHERS: Final = (None, True, False, "", "1", "a", b"", b"1", UUID(int=1), date(1, 1, 1))


def _mix(*weighed: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of these strategies, each so many times as likely."""
    choices = [strategy for weight, strategy in weighed for _ in range(weight)]
    return st.integers(0, len(choices) - 1).flatmap(choices.__getitem__)


@functools.cache
def keys() -> st.SearchStrategy[str]:
    """Keys of a dict: mostly few plain ones, then such as trip naive code, and any text."""
    return _mix((6, st.sampled_from("abc")), (2, st.sampled_from(NASTY_KEYS)), (1, texts(3)))


def texts(max_size: int = 5) -> st.SearchStrategy[str]:
    """Text that can be stored: of any planes, without surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def zones() -> st.SearchStrategy[tzinfo | None]:
    """Timezones that have a stored form, and None."""
    offsets = st.integers(-86_399, 86_399).map(lambda seconds: timedelta(seconds=seconds))
    fixed = st.builds(timezone, offsets)
    few = st.sampled_from([timedelta(0), timedelta(hours=1)])
    named = st.builds(timezone, few, st.sampled_from(["", "CET", "UTC", "UTC+01:00"]))
    return st.sampled_from([None, UTC, *_find_zones()]) | fixed | named


def _find_zones() -> list[ZoneInfo]:
    """Some zones by name: none where this machine has no database of them."""
    try:
        return [ZoneInfo(key) for key in ("UTC", "Europe/Ljubljana", "America/St_Johns")]
    except ZoneInfoNotFoundError:
        return []


def moments() -> st.SearchStrategy[Any]:
    """Dates, times, datetimes and durations; few, but in every kind of timezone and fold."""
    autumn = datetime(2024, 10, 27, 2, 30)
    datetimes = st.sampled_from([autumn, datetime(1, 1, 1)]) | st.datetimes()
    times = st.sampled_from([time(), time(2, 30)]) | st.times()
    durations = st.sampled_from([timedelta(0), timedelta(-1, 1)]) | st.timedeltas()
    return st.one_of(_put_in_zone(datetimes), _put_in_zone(times), st.dates(), durations)


def _put_in_zone(clock_times: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.tuples(clock_times, zones(), st.integers(0, 1))
    return parts.map(lambda part: part[0].replace(tzinfo=part[1], fold=part[2]))


def numbers() -> st.SearchStrategy[Any]:
    """Numbers of all kinds; of `int` also those that need more than 64 bits."""
    digits = st.lists(st.integers(0, 9), min_size=1, max_size=30).map(tuple)
    decimals = st.tuples(st.integers(0, 1), digits, st.integers(-30, 30)).map(Decimal)
    return st.one_of(st.integers(-(2**70), 2**70), st.floats(), decimals)


@functools.cache
def scalars() -> st.SearchStrategy[Any]:
    """Leaves that are no containers: half of them of a few that are nearly alike."""
    few = st.sampled_from((*OTHERS, *NUMBERS))
    uuids = st.uuids()
    return _mix(
        (4, few), (1, numbers()), (1, texts() | st.binary(max_size=3) | uuids), (2, moments())
    )


def leaves() -> st.SearchStrategy[Any]:
    """Leaves of every type that a state may hold, the empty dict and list among them."""
    return _mix((1, st.builds(dict)), (1, st.builds(list)), (8, scalars()))


@functools.cache
def values(max_depth: int = 3) -> st.SearchStrategy[Any]:
    """What may stand at a key of a state: a leaf, a list, or a dict, with so many levels."""
    if max_depth <= 0:
        return scalars()
    inner = values(max_depth - 1)
    dicts = st.dictionaries(keys(), inner, max_size=4)
    return _mix((3, leaves()), (2, st.lists(inner, max_size=4)), (3, dicts))


def states(max_depth: int = 4) -> st.SearchStrategy[State]:
    """Plain states, containers nested at most `max_depth` deep, the root counted."""
    return st.dictionaries(keys(), values(max_depth - 1), max_size=5)


@st.composite
def patches(draw: st.DrawFn, state: Mapping[str, Any] | None = None, max_depth: int = 3) -> Write:
    """Partial states with write operators among them, none of which `state` would refuse."""
    there = state or {}
    known = _mix((2, st.sampled_from(sorted(there))), (1, keys())) if there else keys()
    chosen = draw(st.lists(known, max_size=3, unique=True))
    return {key: draw(_writes(there.get(key), key in there, max_depth - 1)) for key in chosen}


def _writes(old: Any, exists: bool, max_depth: int) -> st.SearchStrategy[Any]:
    """What may be written to a key with this value, if there is one."""
    value = values(max_depth)
    weighed = [(2, value), (1, st.just(REMOVE)), (1, st.builds(Replace, value))]
    if max_depth > 0 and (isinstance(old, dict) or not exists):
        weighed.append((4, patches(old, max_depth)))
    if isinstance(old, list) or not exists:
        weighed.append((2, st.builds(Append, st.lists(values(max_depth - 1), max_size=3))))
    if steps := _find_steps(old if exists else 0):
        weighed.append((2, st.builds(Increment, st.sampled_from(steps))))
    return _mix(*weighed)


def _find_steps(number: Any) -> tuple[Any, ...]:
    """What can be added to a value, if anything can."""
    if type(number) is int:
        return (1, 0, -5, 2**64)
    if type(number) is float:
        return (1, 0, -0.5)
    if type(number) is Decimal and not number.is_snan():
        return (1, 0, Decimal("0.10"))
    return ()


@st.composite
def histories(draw: st.DrawFn, max_length: int = 6) -> tuple[State, list[Write]]:
    """A state to begin with, and writes that can follow each other from there."""
    first: State = draw(states(3))
    writes: list[Write] = []
    state: Mapping[str, Any] = first
    for _ in range(draw(st.integers(0, max_length))):
        writes.append(draw(patches(state)))
        state, _ = update(state, writes[-1])
    return first, writes
