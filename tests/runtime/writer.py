"""Update one context from a process of its own, and tell each acknowledgement in a line.

Called with the store's URL and namespace, the context's id, a name to sign with, how many updates
to make, and how many of them to have under way at once. It says that it is ready, and waits for
the word to go.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

from chord import Increment, StatelessChord


async def run(url: str, namespace: str, context_id: str, name: str, count: str, width: str) -> None:
    async with StatelessChord.open(url, namespace=namespace, delta_threshold=1_000_000) as chord:
        await chord.get_context(context_id)
        print("ready", flush=True)
        if await asyncio.to_thread(sys.stdin.readline) != "go\n":
            return
        keys = (f"{name}-{number}" for number in range(int(count)))
        await asyncio.gather(*(write(chord, context_id, keys) for _ in range(int(width))))
        print("conflicts", chord.statistics()["conflicts"], flush=True)


async def write(chord: StatelessChord, context_id: str, keys: Iterator[str]) -> None:
    """Make one update after the other, each of a key of its own."""
    for key in keys:
        commit = await chord.update_context(context_id, {key: True, "total": Increment()})
        print(key, commit.position, flush=True)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
