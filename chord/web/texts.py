"""Hold the texts of the leaves that JSON has no type for: how each is said, and read. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

MAX_DIGITS: Final = 4300
"""How long an int may be that is read: it takes time in proportion to the square of that."""

UNREADABLE: Final = (ArithmeticError, LookupError, OSError, TypeError, ValueError)
"""What a text that is none raises when it is read; `OSError` is that of a timezone's file."""

T = TypeVar("T", datetime, time)


def say_int(value: int) -> str:
    """Decimal digits, of any number: `str` refuses long ones."""
    return str(Decimal(value))


def say_float(value: float) -> str:
    """The name of a float that is no number."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _read_float(text: str) -> float:
    if text not in ("NaN", "Infinity", "-Infinity"):
        raise ValueError(text)
    return float(text)


def _read_int(text: str) -> int:
    if len(text) > MAX_DIGITS or not _INT.fullmatch(text):
        raise ValueError(text)
    return int(text)


def say_bytes(value: bytes) -> str:
    """Base64."""
    return b64encode(value).decode()


def read_bytes(text: str) -> bytes:
    """Read base64; raise `ValueError`."""
    return b64decode(text, validate=True)


def _read_uuid(text: str) -> UUID:
    value = UUID(text)
    if str(value) != text.lower():
        raise ValueError(text)
    return value


def _say_moment(value: datetime | time) -> str:
    return value.isoformat() + _say_zone(value.tzinfo) + "~" * value.fold


def _say_zone(zone: tzinfo | None) -> str:
    if isinstance(zone, ZoneInfo):
        return f"[{zone.key}]"
    if zone is None or (name := zone.tzname(None)) == timezone(_offset(zone)).tzname(None):
        return ""
    return f"[={name}]"


def _offset(zone: tzinfo) -> timedelta:
    offset = zone.utcoffset(None)
    assert offset is not None  # of those that a state may hold, only `ZoneInfo` says so
    return offset


def _read_datetime(text: str) -> datetime:
    stem, zone, fold = _split_moment(text)
    return _put_in_zone(_mend(datetime.fromisoformat(stem), stem), zone, fold)


def _read_time(text: str) -> time:
    stem, zone, fold = _split_moment(text)
    return _put_in_zone(_mend(time.fromisoformat(stem), stem), zone, fold)


def _split_moment(text: str) -> tuple[str, str | None, int]:
    rest = text.removesuffix("~")
    stem, bracket, zone = rest.partition("[")
    if bracket and not zone.endswith("]"):
        raise ValueError(text)
    return stem, zone[:-1] if bracket else None, len(text) - len(rest)


def _mend(moment: T, text: str) -> T:
    tiny = _TINY_OFFSET.search(text)
    if tiny is None:
        return moment
    # CPython writes an offset of less than a second, but reads it as none
    offset = timedelta(microseconds=int(tiny[1] + tiny[2]))
    return moment.replace(tzinfo=timezone(offset))


def _put_in_zone(moment: T, zone: str | None, fold: int) -> T:
    if zone is None:
        return moment.replace(fold=fold)
    if not zone.startswith("="):  # local time and zone count; an offset is only told along
        return moment.replace(tzinfo=ZoneInfo(zone), fold=fold)
    if moment.tzinfo is None:
        raise ValueError("a name, but no offset")
    return moment.replace(tzinfo=timezone(_offset(moment.tzinfo), zone[1:]), fold=fold)


def _say_timedelta(value: timedelta) -> str:
    return f"{value.days}:{value.seconds}:{value.microseconds}"


def _read_timedelta(text: str) -> timedelta:
    days, seconds, microseconds = map(_read_int, text.split(":"))
    return timedelta(days, seconds, microseconds)


_INT: Final = re.compile(r"-?[0-9]+")
_TINY_OFFSET: Final = re.compile(r"([+-])00:00:00\.([0-9]{6})$")
SAY: Final[dict[type, tuple[str, Callable[[Any], str]]]] = {
    Decimal: ("decimal", str),
    UUID: ("uuid", str),
    datetime: ("datetime", _say_moment),
    date: ("date", date.isoformat),
    time: ("time", _say_moment),
    timedelta: ("timedelta", _say_timedelta),
}
READ: Final[dict[str, Callable[[str], Any]]] = {
    "int": _read_int,
    "float": _read_float,
    "bytes": read_bytes,
    "decimal": Decimal,
    "uuid": _read_uuid,
    "datetime": _read_datetime,
    "date": date.fromisoformat,
    "time": _read_time,
    "timedelta": _read_timedelta,
}
