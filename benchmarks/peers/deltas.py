"""Compare `diff`, `apply` and `merge` with libraries that tell states apart, on the usual room.

Theirs get plain values, ours the values that a runtime holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from itertools import islice, pairwise
from typing import Any, Final

import attrs
import msgspec

from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.floors import write_in_place
from benchmarks.harness import Part
from benchmarks.peers.differs.differ import Differ
from benchmarks.peers.theme import Sizes, find_peers
from benchmarks.results import Skipped
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.delta import apply, diff, merge
from chord.formatters.json_patch import JsonPatchFormatter
from chord.records import Delta
from chord.state import take_in

PEERS: Final = ("jsonpatch", "dictdiffer", "jsondiff", "deepdiff")

OURS: Final = Differ(name="chord", diff=diff, apply=apply, join=merge)


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    differs, missing = find_differs()
    yield [*(_compare(differs, sizes.deltas) if differs else []), *missing]


def _compare(differs: Sequence[Differ], count: int) -> list[Comparison | Figure]:
    return [
        compare_diffs("diff: one field of the room changed, built apart", change_one, differs),
        compare_diffs("diff: ten fields changed and a message added", change_some, differs),
        _compare_applying("apply the change of one field of the room", change_one, differs),
        _compare_applying("apply ten changed fields and a message added", change_some, differs),
        *_compare_joining(differs, count),
    ]


def find_differs() -> tuple[list[Differ], list[Skipped]]:
    """The libraries that are installed, and the names of the others."""
    found, missing = find_peers("deltas", "benchmarks.peers.differs", PEERS)
    return [each.DIFFER for each in found], missing


def change_one(room: dict[str, Any]) -> None:
    room["participants"]["user_25"]["typing"] = True


def change_some(room: dict[str, Any]) -> None:
    for number in range(1, 11):
        room["participants"][f"user_{number}"]["status"] = "away"
    room["chat_history"].append(dict(room["chat_history"][-1], message_id="message_new"))


Change = Callable[[dict[str, Any]], None]


# -- telling apart -------------------------------------------------------------------------------


def compare_diffs(
    name: str, change: Change, differs: Sequence[Differ], aim: float | None = None
) -> Comparison:
    """Tell a room from what a change makes of it."""
    old, new = build_room(), build_room()
    change(new)
    return Comparison(
        name=name,
        kind="peer",
        ours=_calling("diff", diff, take_in(old), take_in(new)),
        others=[_calling(each.name, each.diff, old, new) for each in differs],
        aim=aim,
    )


# -- applying ------------------------------------------------------------------------------------


def _compare_applying(name: str, change: Change, differs: Sequence[Differ]) -> Comparison:
    """Make the new room of the old one, which stays as it is."""
    old, new = build_room(), build_room()
    change(new)
    return Comparison(
        name=name,
        kind="peer",
        ours=_applying(OURS, take_in(old), take_in(new)),
        others=[_applying(each, old, new) for each in differs],
    )


def _applying(differ: Differ, old: Any, new: Any) -> Contender:
    delta = differ.ready(differ.diff(old, new))
    if differ.apply(old, delta) != new:
        raise RuntimeError(f"{differ.name} does not come to the new state")
    return _calling(differ.name, differ.apply, old, delta)


# -- joining -------------------------------------------------------------------------------------


@attrs.frozen
class Walk:
    """Rooms that follow each other, each of them one field from the last."""

    states: Sequence[dict[str, Any]]

    def diffs(self, differ: Differ, *, taken_in: bool = False) -> list[Any]:
        states = map(take_in, self.states) if taken_in else self.states
        return [differ.diff(old, new) for old, new in pairwise(states)]


def _walk(count: int) -> Walk:
    states = [build_room()]
    for patch in islice(write_patches(), count):
        states.append(deepcopy(states[-1]))
        write_in_place(states[-1], patch)
    return Walk(states)


def _compare_joining(differs: Sequence[Differ], count: int) -> list[Comparison | Figure]:
    """What a client is told that lacks so many versions: theirs is put together, not merged."""
    walk = _walk(count)
    joiners = [each for each in differs if each.join is not None]
    if not joiners:
        return []
    return [
        Comparison(
            name=f"merge {count} deltas of one field, and apply that to the room",
            kind="peer",
            ours=_catching_up(OURS, walk, walk.diffs(OURS, taken_in=True), take_in(walk.states[0])),
            others=[_catching_up(each, walk, walk.diffs(each), walk.states[0]) for each in joiners],
        ),
        *(
            figure
            for each in joiners
            if each.name == "jsonpatch"
            for figure in _weigh_joined(each, walk, count)
        ),
    ]


def _catching_up(differ: Differ, walk: Walk, deltas: Sequence[Any], first: Any) -> Contender:
    join, apply = differ.join, differ.apply
    assert join is not None
    if apply(first, join(deltas)) != walk.states[-1]:
        raise RuntimeError(f"{differ.name} does not come to the last state")

    def loop(times: Times) -> None:
        for _ in times:
            apply(first, join(deltas))

    return Contender(name=differ.name, loop=loop)


def _weigh_joined(jsonpatch: Differ, walk: Walk, count: int) -> tuple[Figure, Figure]:
    name = f"{count} deltas of one field, as JSON Patch"
    return (
        Figure(name=f"{name}: merged by Chord", unit="bytes", take=lambda: _weigh_merged(walk)),
        Figure(
            name=f"{name}: jsonpatch's, one behind the other",
            unit="bytes",
            take=lambda: _weigh_concatenated(jsonpatch, walk),
        ),
    )


async def _weigh_merged(walk: Walk) -> float:
    delta = Delta(
        context_id="room:1",
        changes=merge(walk.diffs(OURS, taken_in=True)),
        from_version=1,
        version=len(walk.states),
        epoch="benchmark",
        updated_at=0.0,
    )
    return len(msgspec.json.encode(JsonPatchFormatter().format(delta)))


async def _weigh_concatenated(jsonpatch: Differ, walk: Walk) -> float:
    assert jsonpatch.join is not None
    return len(msgspec.json.encode(jsonpatch.join(walk.diffs(jsonpatch)).patch))


def _calling(name: str, function: Callable[[Any, Any], object], old: Any, new: Any) -> Contender:
    def loop(times: Times) -> None:
        for _ in times:
            function(old, new)

    return Contender(name=name, loop=loop)
