"""Compare a partial update, taken in beforehand as the runtimes do, with assigning in place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from benchmarks.comparison import Comparison
from benchmarks.floors import write_in_place
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.delta import update
from chord.state import StateDict, adopt, take_in_changes


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    yield [
        Comparison(
            name="one field of the room, in place",
            kind="floor",
            ours=_updating("update(owner=...)", build_room(), ROOM_PATCHES),
            others=[assigning(build_room(), ROOM_PATCHES)],
            aim=3,
        ),
        Comparison(
            name="one field of the room, snapshot handed out each time",
            kind="floor",
            ours=_copying("update()", build_room(), ROOM_PATCHES),
            others=[assigning(build_room(), ROOM_PATCHES)],
        ),
        Comparison(
            name="take_in_changes of that patch",
            kind="floor",
            ours=_taking_in("take_in_changes()"),
            others=[assigning(build_room(), ROOM_PATCHES)],
        ),
        Comparison(
            name=f"one key of {sizes.keys:,} flat keys, in place",
            kind="floor",
            ours=_updating(f"of {sizes.keys:,} keys", *_make_flat(sizes.keys)),
            others=[_updating("update of 50 keys", *_make_flat(50))],
            aim=1.25,
        ),
    ]


ROOM_PATCHES = [{"participants": {"user_25": {"typing": typing}}} for typing in (True, False)]


def _make_flat(keys: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A flat state, and patches that go twice over 50 of its keys, spread out evenly."""
    state = {f"key_{number}": number for number in range(keys)}
    spread = list(islice(state, 0, None, max(1, keys // 50)))[:50]
    return state, [{key: value} for value in (-1, -2) for key in spread]


def _updating(name: str, plain: dict[str, Any], plain_patches: list[dict[str, Any]]) -> Contender:
    owner = object()
    patches = [take_in_changes(patch) for patch in plain_patches]
    state: StateDict = adopt(plain)
    for patch in patches:  # from here on all containers on their paths are the owner's
        state, _ = update(state, patch, owner=owner)

    def loop(times: Times) -> None:
        for _, patch in zip(times, cycle(patches), strict=False):
            update(state, patch, owner=owner)

    return Contender(name=name, loop=loop)


def _copying(name: str, plain: dict[str, Any], plain_patches: list[dict[str, Any]]) -> Contender:
    patches = [take_in_changes(patch) for patch in plain_patches]
    state: StateDict = adopt(plain)

    def loop(times: Times) -> None:
        nonlocal state
        for _, patch in zip(times, cycle(patches), strict=False):
            state, _ = update(state, patch, owner=None)

    return Contender(name=name, loop=loop)


def assigning(plain: dict[str, Any], patches: list[dict[str, Any]]) -> Contender:
    def loop(times: Times) -> None:
        for _, patch in zip(times, cycle(patches), strict=False):
            write_in_place(plain, patch)

    return Contender(name="assign in place, record old and new", loop=loop)


def _taking_in(name: str) -> Contender:
    def loop(times: Times) -> None:
        for _, patch in zip(times, cycle(ROOM_PATCHES), strict=False):
            take_in_changes(patch)

    return Contender(name=name, loop=loop)
