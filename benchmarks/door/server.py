"""The process that is loaded: ``python server.py door|floor [PROFILE]``; it ends with its stdin.

The first line that it writes is where it listens, as ``127.0.0.1 41234``. `PROFILE` is a file for
what cProfile has seen; everything takes about twice as long then.
"""

from __future__ import annotations

import asyncio
import cProfile
import sys
from typing import Final

import uvicorn

from actors.stateful import StatefulChord
from benchmarks.door.broadcast import Broadcast
from benchmarks.side import open_side
from chord.web.door import Door
from chord.web.limits import Limits
from chord.web.serving import listen, run_door

MANY: Final = 1_000_000
"""More than any load comes to: nobody is turned away."""

LIMITS: Final = Limits(
    rate=MANY, burst=MANY, max_sockets=MANY, max_contexts=MANY, max_pending=MANY, heartbeat=3600.0
)
"""The heart does not beat while something is measured."""


async def serve(kind: str) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, ended.set)
    with listen("127.0.0.1", 0) as listener:
        print(*listener.getsockname(), flush=True)
        if kind == "door":
            async with open_side(StatefulChord, "memory://", durability="memory") as side:
                await run_door(Door(side.chord, open_to_all=True, limits=LIMITS), listener, ended)
        else:
            config = uvicorn.Config(
                Broadcast(), lifespan="off", log_level="warning", ws_per_message_deflate=False
            )
            serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listener]))
            await ended.wait()
            serving.cancel()


def main(kind: str, profile: str | None = None) -> None:
    if profile is None:
        return asyncio.run(serve(kind))
    profiler = cProfile.Profile()
    try:
        profiler.runcall(asyncio.run, serve(kind))
    finally:
        profiler.dump_stats(profile)


if __name__ == "__main__":
    main(*sys.argv[1:])
