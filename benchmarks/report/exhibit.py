"""Hold `Exhibit`: pictures of one thing, and the table of their numbers. Pure.

Below it stand the few ways in which numbers are written in all of them.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from benchmarks.figure import Unit
from benchmarks.table import write_seconds

_KILO: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@attrs.frozen
class Picture:
    """An SVG by its name, which a file may bear; `title` says in one line what is to be seen."""

    name: str
    title: str
    svg: str


@attrs.frozen
class Table:
    """Rows as long as the headings; the first column is words."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class Exhibit:
    """One thing that a run came to. `caption` says what is shown, and what was run for it."""

    title: str
    caption: str
    pictures: tuple[Picture, ...] = ()
    table: Table


def make_name(*words: str) -> str:
    """A name for a file, of words of any kind.

    >>> make_name("scale", "clients on SQLite", "seconds")
    'scale-clients-on-sqlite-seconds'
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def write_amount(value: float, unit: Unit) -> str:
    """Three digits in a fitting unit.

    >>> write_amount(0.00000123, "seconds"), write_amount(1234.0, "bytes")
    ('1.23 µs', '1.23 kB')
    >>> write_amount(17.0, "bytes"), write_amount(1234.0, "count"), write_amount(-0.5, "bytes")
    ('17 B', '1,234', '-0.5 B')
    """
    if unit == "seconds":
        return write_seconds(value).replace("us", "µs")
    if unit == "count":
        return write_count(value)
    for factor, name in _KILO:
        if abs(value) >= 0.9995 * factor:
            return f"{write_count(value / factor)} {name}"
    return f"{write_count(value)} B"


def write_count(value: float) -> str:
    """Three digits, or all that stand before the point.

    >>> write_count(12345.6), write_count(1.5), write_count(0.0123), write_count(0.0)
    ('12,346', '1.5', '0.0123', '0')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
