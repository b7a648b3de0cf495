"""Compare what is done with a delta of one field with assigning that field in place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.micro.theme import Sizes
from benchmarks.micro.updates import ROOM_PATCHES, assigning
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.changes import Changes
from chord.delta import apply, invert, merge, update
from chord.state import StateDict, adopt, take_in_changes


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    state = adopt(build_room())
    there, back = _make_changes(state)
    yield [
        _compare("apply, in place", _applying_in_place(state, there, back)),
        _compare("apply, the old state kept", _calling(lambda: apply(state, there))),
        _compare("invert", _calling(lambda: invert(there))),
        _compare("merge two that follow each other", _calling(lambda: merge([there, back]))),
    ]


def _make_changes(state: StateDict) -> tuple[Changes, Changes]:
    """One field changed, and changed to something else."""
    there, back = ROOM_PATCHES
    changed, first = update(state, take_in_changes(there))
    return first, update(changed, take_in_changes(back))[1]


def _compare(what: str, ours: Contender) -> Comparison:
    return Comparison(
        name=f"a delta of one field of the room: {what}",
        kind="floor",
        ours=ours,
        others=[assigning(build_room(), ROOM_PATCHES)],
    )


def _applying_in_place(state: StateDict, there: Changes, back: Changes) -> Contender:
    owner = object()
    owned = apply(apply(state, there, owner=owner), back, owner=owner)

    def loop(times: Times) -> None:
        for _, changes in zip(times, cycle((there, back)), strict=False):
            apply(owned, changes, owner=owner)

    return Contender(name="apply(owner=...)", loop=loop)


def _calling(function: Callable[[], Any]) -> Contender:
    def loop(times: Times) -> None:
        for _ in times:
            function()

    return Contender(name="chord.delta", loop=loop)
