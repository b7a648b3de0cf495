"""Keep a chat room: messages by id, presence and unread counts, and clients who follow it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from chord import Chord, Commit, FullContext, Increment, Position, Replica, StatelessChord
from chord.records import WatchReply

ROOM = "chat:demo"


def make_person() -> dict[str, Any]:
    return {"online": False, "unread": 0}


async def say(chord: Chord, number: int, name: str, text: str) -> Commit:
    """Post a message; it is unread to everybody who is away."""

    def post(state: Mapping[str, Any]) -> dict[str, Any]:
        away = [who for who, person in state["people"].items() if not person["online"]]
        return {
            "messages": {f"{number:08}": {"by": name, "text": text}},
            "people": {who: {"unread": Increment()} for who in away},
        }

    return await chord.transform_context(ROOM, post)


async def enter(chord: Chord, name: str) -> Commit:
    return await chord.update_context(ROOM, {"people": {name: {"online": True, "unread": 0}}})


async def leave(chord: Chord, name: str) -> Commit:
    return await chord.update_context(ROOM, {"people": {name: {"online": False}}})


async def follow(replica: Replica, replies: AsyncIterator[WatchReply], until: Position) -> None:
    """Take replies until the replica is where the caller wants it."""
    async for reply in replies:
        replica.receive(reply)
        what = "the full state" if isinstance(reply, FullContext) else "a delta"
        print(f"  got {what}, is at version {reply.position.version}")
        if reply.position == until:
            return


async def main(url: str = "memory://") -> None:
    people = {name: make_person() for name in ("ana", "bo")}
    ana, bo = Replica(), Replica()
    async with StatelessChord.open(url) as chord:
        await chord.delete_context(ROOM)
        await chord.set_context(ROOM, {"people": people, "messages": {}})
        await enter(chord, "ana")
        here = await enter(chord, "bo")
        async with chord.watch_context(ROOM, since=ana.since) as to_ana:
            print("ana comes:")
            await follow(ana, to_ana, here.position)
            async with chord.watch_context(ROOM, since=bo.since) as to_bo:
                print("bo comes:")
                await follow(bo, to_bo, here.position)
            away = await leave(chord, "bo")
            await say(chord, 1, "ana", "Are you there?")
            last = await say(chord, 2, "ana", "Call me.")
            print("ana, while bo is away:")
            await follow(ana, to_ana, last.position)
        async with chord.watch_context(ROOM, since=bo.since) as to_bo:
            print(f"bo comes back, {last.position.version - away.position.version} messages later:")
            await follow(bo, to_bo, last.position)
        assert bo.state is not None
        print(f"unread to bo: {bo.state['people']['bo']['unread']}; same as ana's copy:", end=" ")
        print(bo.state == ana.state)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
