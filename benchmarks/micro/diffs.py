"""Compare `diff` with C's ``==``, which stops at the first difference, and with its peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.harness import CannotMeasure
from benchmarks.micro.theme import Sizes
from benchmarks.peers.deltas import change_one, change_some, compare_diffs, find_differs
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.delta import diff
from chord.state import make_dict, take_in


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    differs, missing = find_differs()
    if missing:
        raise CannotMeasure(", ".join(each.reason for each in missing))
    room = take_in(build_room())
    flat = take_in({f"key_{number}": number for number in range(sizes.keys)})
    yield [
        _compare_with_equality("unchanged room: the very same object", room, room, aim=2),
        _compare_with_equality(
            "unchanged room: root copied, all below shared", room, make_dict(room), aim=2
        ),
        _compare_with_equality(
            f"unchanged flat {sizes.keys:,} keys: copied, values shared", flat, make_dict(flat)
        ),
        _compare_with_equality("unchanged room: built apart", room, take_in(build_room()), aim=7),
        compare_diffs("one field of the room changed, built apart", change_one, differs, aim=12),
        compare_diffs("ten fields changed and a message added", change_some, differs),
    ]


def _compare_with_equality(name: str, old: Any, new: Any, aim: float | None = None) -> Comparison:
    def ours(times: Times) -> None:
        for _ in times:
            diff(old, new)

    def floor(times: Times) -> None:
        for _ in times:
            _ = old == new

    return Comparison(
        name=name,
        kind="floor",
        ours=Contender(name="diff", loop=ours),
        others=[Contender(name="==", loop=floor)],
        aim=aim,
    )
