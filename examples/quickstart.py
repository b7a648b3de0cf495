"""Change a room, and tell a client that knows its first version exactly what it lacks."""

import asyncio
import sys

from chord import DeltaUpdate, StatelessChord


async def main(url: str = "sqlite://") -> None:
    async with StatelessChord.open(url) as chord:
        first = await chord.set_context("room:1", {"topic": "standup", "people": {}})
        await chord.update_context("room:1", {"people": {"ana": {"typing": True}}})
        await chord.update_context("room:1", {"people": {"ana": {"typing": False}}})
        reply = await chord.sync_context("room:1", since=first.position)
        assert isinstance(reply, DeltaUpdate)  # not NoChange, and not FullContext
        print(reply.delta.changes)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
