"""Part curves into pictures, each of curves that belong beside each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.curve import Curve
from benchmarks.figure import Unit
from benchmarks.report.words import group


def part(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """The curves of each picture, by what they have in common; all count the same for `x`."""
    found: dict[str, list[Curve]] = {}
    for (unit, of), some in group(curves, lambda each: (each.unit, each.of)).items():
        for prefix, alike in _part_by_name(some).items():
            title = f"{prefix or QUANTITIES[unit]}, by {of}"
            found[f"{title}, {QUANTITIES[unit]}" if title in found else title] = alike
    return found


QUANTITIES: Final[dict[Unit, str]] = {"seconds": "time", "bytes": "bytes", "count": "count"}


def _part_by_name(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    if all(": " in each.name for each in curves):
        return group(curves, lambda each: each.name.partition(": ")[0])
    parted = group(curves, lambda each: each.name.rpartition(", ")[0])
    if all(_list_variants(some) == _list_variants(curves) for some in parted.values()):
        return parted
    return {"": list(curves)}


def _list_variants(curves: Sequence[Curve]) -> set[str]:
    return {each.name.rpartition(", ")[2] for each in curves}


def shorten(name: str, title: str) -> str:
    """Without what the title of the picture says.

    >>> shorten("one field: merged", "one field, by versions"), shorten("a, b", "a, by keys")
    ('merged', 'b')
    """
    for stop in (": ", ", "):
        before, found, rest = name.partition(stop)
        if found and title.startswith(f"{before}, by "):
            return rest
    before, _, rest = name.rpartition(", ")
    return rest if before and title.startswith(f"{before}, by ") else name
