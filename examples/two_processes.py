"""Write a counter from two processes that share a store; one of them watches the other."""

import asyncio
import sys
import tempfile
from pathlib import Path

from chord import Chord, Increment, Replica, StatelessChord

COUNTER = "counter:demo"
TIMES = 50


async def count(chord: Chord, name: str) -> None:
    for _ in range(TIMES):
        await chord.update_context(COUNTER, {"total": Increment(), "by": {name: Increment()}})


async def be_the_other(url: str) -> None:
    """What the second process does."""
    async with StatelessChord.open(url) as chord:
        await count(chord, "other")


async def watch(chord: Chord, replica: Replica) -> int:
    """Follow the counter until both have counted; return how many replies that took."""
    replies = 0
    async with chord.watch_context(COUNTER) as changes:
        async for reply in changes:
            replies += 1
            replica.receive(reply)
            if replica.state and replica.state["total"] == 2 * TIMES:
                break
    return replies


async def run_the_other(url: str) -> None:
    program = (sys.executable, "-m", "examples.two_processes", url, "other")
    process = await asyncio.create_subprocess_exec(*program)
    if await process.wait():
        raise SystemExit("the other process failed")


async def be_the_first(url: str) -> None:
    # changes that other processes made are looked for every 20 milliseconds
    async with StatelessChord.open(url, watch_poll=0.02) as chord:
        await chord.set_context(COUNTER, {"total": 0, "by": {}})
        replica = Replica()
        replies, _, _ = await asyncio.gather(
            watch(chord, replica), count(chord, "first"), run_the_other(url)
        )
        print(f"{2 * TIMES} updates from two processes reached the watcher in {replies} replies")
        print(f"its copy of the counter is {replica.state}")


async def main(url: str | None = None, role: str = "first") -> None:
    if role == "other":
        assert url is not None
        await be_the_other(url)
        return
    with tempfile.TemporaryDirectory() as directory:
        await be_the_first(url or f"sqlite:///{Path(directory, 'shared.db')}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
