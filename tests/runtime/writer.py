"""Update one context from a process of its own, and tell each acknowledgement in a line.

Called with the store's URL and namespace, the context's id, a name to sign with, the kind of its
runtime, how many updates to make, and how many of them to have under way at once. It says that it
is ready, and waits for the word to go.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from actors import StatefulChord
from chord import Chord, Commit, Increment, OwnedElsewhere, StatelessChord

UNREACHED: Final = 1_000_000
PAUSE: Final = 0.005
"""Seconds until a context is asked for again that another process owns."""

refusals = itertools.count()


def open_chord(kind: str, url: str, namespace: str) -> AbstractAsyncContextManager[Chord]:
    fields: dict[str, Any] = {"namespace": namespace, "delta_threshold": UNREACHED}
    if kind == "stateless":
        return StatelessChord.open(url, **fields)
    return StatefulChord.open(url, **fields, lease_ttl=1.0, hibernate_after=0.05, idle_ttl=0.1)


async def run(
    url: str, namespace: str, context_id: str, name: str, kind: str, count: str, width: str
) -> None:
    async with open_chord(kind, url, namespace) as chord:
        await chord.get_context(context_id)
        print("ready", flush=True)
        if await asyncio.to_thread(sys.stdin.readline) != "go\n":
            return
        keys = (f"{name}-{number}" for number in range(int(count)))
        await asyncio.gather(*(write(chord, context_id, keys) for _ in range(int(width))))
        conflicts = chord.statistics().get("conflicts", 0) + next(refusals)
        print("conflicts", conflicts, flush=True)


async def write(chord: Chord, context_id: str, keys: Iterator[str]) -> None:
    """Make one update after the other, each of a key of its own."""
    for key in keys:
        commit = await insist(chord, context_id, key)
        print(key, commit.position, flush=True)


async def insist(chord: Chord, context_id: str, key: str) -> Commit:
    """Update as soon as no other process owns the context."""
    while True:
        try:
            return await chord.update_context(context_id, {key: True, "total": Increment()})
        except OwnedElsewhere:
            next(refusals)
            await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
