"""Compare asking a context with asking other libraries' actors, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import attrs

from benchmarks.comparison import Comparison
from benchmarks.harness import Part
from benchmarks.peers.counters import ours
from benchmarks.peers.counters.counter import Counter
from benchmarks.peers.theme import Sizes, find_peers
from benchmarks.timing import Contender

PEERS: Final = ("plain_queue", "nigrains", "xoscar", "pykka")


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    found, missing = find_peers("asks", "benchmarks.peers.counters", PEERS)
    async with AsyncExitStack() as stack:
        counters = await stack.enter_async_context(ours.open_counters())
        peers = [await stack.enter_async_context(each.open_counter()) for each in found]
        await _wake(*attrs.astuple(counters, recurse=False), *peers)
        yield [
            *_compare(
                "a ContextActor adds one to an attribute, as peers do",
                counters.beside_state,
                peers,
                sizes,
            ),
            *_compare(
                "a ContextActor adds one to its state (a version, a delta), peers to an attribute",
                counters.in_state,
                peers,
                sizes,
            ),
            *_compare(
                "update_context adds one to a state (a version, a delta), peers to an attribute",
                counters.updated,
                peers,
                sizes,
            ),
            *missing,
        ]


async def _wake(*counters: Counter) -> None:
    """Have each of them activated before it is timed."""
    for counter in counters:
        await counter.add()


def _compare(
    name: str, ours: Counter, peers: Sequence[Counter], sizes: Sizes
) -> tuple[Comparison, Comparison]:
    """What peers do is the same each time: add one to an attribute, and answer with it."""
    return (
        Comparison(
            name=f"{name}; asks one after the other",
            kind="peer",
            ours=_asking(ours),
            others=[_asking(peer) for peer in peers],
        ),
        Comparison(
            name=f"{name}; {sizes.asks:,} asks at once, each",
            kind="peer",
            ours=_asking_at_once(ours, sizes.asks),
            others=[_asking_at_once(peer, sizes.asks) for peer in peers],
        ),
    )


def _asking(counter: Counter) -> Contender:
    return Contender(name=counter.name, loop=counter.alone)


def _asking_at_once(counter: Counter, count: int) -> Contender:
    return Contender(name=counter.name, loop=counter.at_once(count), operations=count)
