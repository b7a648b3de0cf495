"""Weigh contexts in memory, awake and hibernating.

A context is weighed by what Python has allocated since before there was any, on a store that keeps
nothing. Its state, weighed alone in the same way, is taken off, and so is the ring of deltas as it
is encoded: they are the application's.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from msgspec import msgpack

from actors.stateful import StatefulChord
from benchmarks.crowd import WAYS, Way, bring, build_small, gather_crowd
from benchmarks.figure import Figure
from benchmarks.micro.crowd import Crowd
from benchmarks.micro.theme import Sizes
from benchmarks.nowhere import Nowhere
from benchmarks.weighing import weighing
from chord.clock import ManualClock
from chord.codec import MsgspecCodec
from chord.state import take_in

UPDATES: Final = 3


def list_figures(sizes: Sizes) -> list[Figure]:
    crowds = [Crowd(sizes.crowd, way) for way in WAYS]
    return [
        Figure(
            name=f"a hibernating context, above its state and its ring of {UPDATES} deltas",
            unit="bytes",
            take=partial(_weigh, sizes.weighed, "hibernating"),
            aim=600,
        ),
        Figure(
            name=f"an awake context, above its state, with {UPDATES} deltas",
            unit="bytes",
            take=partial(_weigh, sizes.weighed, "awake"),
        ),
        *(figure for crowd in crowds for figure in crowd.list_figures()),
    ]


async def _weigh(count: int, way: Way) -> float:
    with weighing() as read:
        async with gather_crowd(count, UPDATES, way):
            whole = read()
    ring = await _weigh_ring() if way == "hibernating" else 0
    return whole / count - _weigh_state(count) - ring


def _weigh_state(count: int) -> float:
    with weighing() as read:
        states = [take_in(build_small(number)) for number in range(count)]
        return (read() - sys.getsizeof(states)) / count


async def _weigh_ring() -> int:
    """What the last deltas of a context take, packed as they are kept: times and changes."""
    encode = MsgspecCodec().encode_changes
    async with StatefulChord(Nowhere(), clock=ManualClock(), watch_poll=None) as chord:
        deltas = await bring(chord, 1, UPDATES)
    return sys.getsizeof(
        msgpack.encode([(delta.updated_at, encode(delta.changes)) for delta in deltas if delta])
    )
