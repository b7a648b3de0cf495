"""Write to contexts from a process that is to be killed, and tell each acknowledgement in a line.

Called with the store's URL, the name of the mode, a prefix of the contexts' ids, and a flush
interval, a number of contexts, one of writers, and a pause. A line says the context, the key that
was set in it, whether that was said to be stored, and when it was acknowledged, on this process's
clock.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from time import perf_counter
from typing import Final

from benchmarks.modes import MODES
from chord.api import Chord

STDOUT: Final = 1


async def run(
    url: str,
    mode_name: str,
    prefix: str,
    flush_interval: str,
    contexts: str,
    writers: str,
    pause: str,
) -> None:
    (mode,) = (each for each in MODES if each.name == mode_name)
    ids = [f"{prefix}{number}" for number in range(int(contexts))]
    async with mode.open(url, flush_interval=float(flush_interval)) as side:
        for context_id in ids:
            await side.chord.set_context(context_id, {})
        await asyncio.gather(
            *(
                write(side.chord, ids[number % len(ids)], str(number), float(pause))
                for number in range(int(writers))
            )
        )


async def write(chord: Chord, context_id: str, name: str, pause: float) -> None:
    """Make one update after the other for ever, each of a key of its own."""
    for number in count(1):
        key = f"{name}-{number}"
        commit = await chord.update_context(context_id, {key: True})
        line = f"{context_id} {key} {int(commit.durable)} {perf_counter()}\n"
        os.write(STDOUT, line.encode())  # unbuffered, so what was acknowledged is told
        await asyncio.sleep(pause)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
