"""Hold values and keys that a client in another language is likely to trip over."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

LEAVES: Final[dict[str, Any]] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "minus one": -1,
    "the largest safe int": 2**53 - 1,
    "an int beyond it": 2**53,
    "the smallest safe int": -(2**53) + 1,
    "an int below it": -(2**53),
    "an int of 64 bits": 2**64 - 1,
    "an int of more": -(2**70),
    "a float": 1.5,
    "a small float": 5e-324,
    "a large float": 1.7976931348623157e308,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "empty text": "",
    "text of all planes": 'a\u00e9\u0107\u4e2d\U0001f600\u2028\x00\x7f"\\/',
    "text like a tag": "decimal",
    "no bytes": b"",
    "bytes": bytes(range(256)),
    "a decimal": Decimal("9.90"),
    "a decimal with an exponent": Decimal("-0E+3"),
    "a decimal that is no number": Decimal("NaN"),
    "a uuid": UUID(int=2**100 + 1),
    "a date": date(2030, 1, 2),
    "the first date": date(1, 1, 1),
    "a datetime": datetime(2030, 1, 2, 12, 0, 0, 250),
    "a datetime in UTC": datetime(2030, 1, 2, 12, tzinfo=UTC),
    "a datetime at an offset": datetime(2030, 1, 2, 12, tzinfo=timezone(timedelta(hours=-3.5))),
    "a datetime in a zone": datetime(2024, 7, 2, 12, tzinfo=ZoneInfo("Europe/Ljubljana")),
    "the second of two equal times": datetime(
        2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Ljubljana"), fold=1
    ),
    "an offset with a name": datetime(2030, 1, 2, tzinfo=timezone(timedelta(hours=1), "CET")),
    "an offset with an odd name": time(2, tzinfo=timezone(timedelta(0), "]~[="), fold=1),
    "a time": time(23, 59, 59, 999999),
    "a time in a zone": time(2, 30, tzinfo=ZoneInfo("UTC")),
    "a duration": timedelta(days=3, seconds=4, microseconds=5),
    "a negative duration": timedelta(microseconds=-1),
    "an empty dict": {},
    "an empty list": [],
    "a list like a change": ["a", 1],
    "a dict like an operator": {"$append": [1], "remove": None},
    "dicts in lists": [[{"a": [Decimal(1)]}], [date(2030, 1, 2), [b"x"]]],
}

NASTY_KEYS: Final = (
    *("", "action", "value", "old_value", "__proto__", "constructor", "toString", "hasOwnProperty"),
    *("length", "0", "-1", "/", "~", "~1", ".", "$", "a", "m", "r", "s", "\t", "\u00e9", "e\u0301"),
    *("\ue000", "\U0001f600", "type", "types", "then", "key with spaces"),
)
