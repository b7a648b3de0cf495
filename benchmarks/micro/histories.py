"""Compare what a history remembers with merging anew, and adding to it with a bare deque."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice

from msgspec.structs import replace

from benchmarks.comparison import Comparison
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Loop, Times
from chord.delta import apply, diff, merge, update
from chord.history import History
from chord.records import Delta
from chord.state import take_in, take_in_changes


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    deltas = _make_deltas(sizes.deltas)
    changes = [delta.changes for delta in deltas]
    old = take_in(build_room())
    new = old
    for each in changes:
        new = apply(new, each)
    history = History(0)
    for delta in deltas:
        history.append(delta, 60)

    def ask_again(times: Times) -> None:
        for _ in times:
            history.since(0)

    def merge_anew(times: Times) -> None:
        for _ in times:
            merge(changes)

    def diff_states(times: Times) -> None:
        for _ in times:
            diff(old, new)

    merging = Contender(name=f"merge of {sizes.deltas} deltas", loop=merge_anew)
    yield [
        Comparison(
            name="since(), asked before",
            kind="peer",
            ours=Contender(name="remembered", loop=ask_again),
            others=[merging],
        ),
        Comparison(
            name=f"merge of {sizes.deltas} deltas",
            kind="peer",
            ours=merging,
            others=[Contender(name="diff of the states, were they kept", loop=diff_states)],
        ),
        Comparison(
            name=f"append, then since(), {sizes.deltas} times",
            kind="peer",
            ours=Contender(
                name="goes on from what was merged", loop=_follow(deltas), operations=sizes.deltas
            ),
            others=[merging],
        ),
        Comparison(
            name=f"append a delta, and drop the oldest of {sizes.deltas}",
            kind="floor",
            ours=_keeping_newest(deltas),
            others=[_keeping_newest_in_deque(deltas)],
        ),
    ]


def _make_deltas(count: int) -> list[Delta]:
    """Deltas of one field each, that follow each other from version 0."""
    state = take_in(build_room())
    deltas = []
    for version, patch in enumerate(islice(write_patches(), count)):
        state, changes = update(state, take_in_changes(patch))
        delta = Delta(
            context_id="room:1",
            changes=changes,
            from_version=version,
            version=version + 1,
            epoch="benchmark",
            updated_at=0.0,
        )
        deltas.append(delta)
    return deltas


def _follow(deltas: Sequence[Delta]) -> Loop:
    """What a client at the first version asks after each of the others."""

    def loop(times: Times) -> None:
        for _ in times:
            history = History(0)
            for delta in deltas:
                history.append(delta, 60)
                history.since(0)

    return loop


def _keeping_newest(deltas: Sequence[Delta]) -> Contender:
    """Deltas that go on from one round to the next; they are made untimed."""
    history = History(deltas[0].from_version)
    coming: list[Delta] = []

    async def prepare(times: int) -> None:
        numbers = range(history.head, history.head + times)
        coming[:] = [replace(deltas[0], from_version=n, version=n + 1) for n in numbers]

    def loop(times: Times) -> None:
        for _, delta in zip(times, coming, strict=False):
            history.append(delta, 60)
            history.trim(count=len(deltas))

    return Contender(name="append() and trim()", loop=loop, prepare=prepare)


def _keeping_newest_in_deque(deltas: Sequence[Delta]) -> Contender:
    kept: deque[Delta] = deque(maxlen=len(deltas))

    def loop(times: Times) -> None:
        for _, delta in zip(times, cycle(deltas), strict=False):
            kept.append(delta)

    return Contender(name="deque(maxlen=...)", loop=loop)
