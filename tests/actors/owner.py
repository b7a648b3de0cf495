"""Own a context in a process of its own: update it all the time, and tell in lines what is said.

Called with one JSON object, which `tests.actors.owning` makes. It says that it is ready, waits for
the word to go, and ends at the next one. Its updates are numbered; so many callers make them, each
one after the other. A watcher beside them tells every reply, whole.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any, Final

import attrs

from actors import StatefulChord
from chord import DeltaUpdate, FullContext, Increment, MsgspecCodec, NotApplied, OutcomeUnknown
from chord.records import WatchReply
from chord.state import take_in

SLOTS: Final = 20
"""How many keys an owner writes to, so that the state stays small however long it goes on."""

BACK_OFF: Final = 0.01
"""Seconds that a caller leaves a store alone that has refused it."""


@attrs.frozen(kw_only=True)
class Job:
    """What to do: `width` updates at once, by callers who rest for `pace` seconds behind each."""

    url: str
    context_id: str
    name: str
    width: int
    pace: float
    settings: dict[str, Any]


def say(*words: object) -> None:
    print(*words, flush=True)


async def listen() -> None:
    await asyncio.to_thread(sys.stdin.readline)


async def run(job: Job) -> None:
    async with StatefulChord.open(job.url, **job.settings) as chord:
        say("ready")
        await listen()
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(chord, job.context_id))
        numbers = count(1)
        callers = [asyncio.create_task(call(chord, job, numbers, stop)) for _ in range(job.width)]
        await listen()
        stop.set()
        await asyncio.gather(*callers)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def call(chord: StatefulChord, job: Job, numbers: Iterator[int], stop: asyncio.Event) -> None:
    """Make one update after the other, each by a number that is used once."""
    while not stop.is_set():
        number = next(numbers)
        changes = {f"{job.name}-{number % SLOTS}": number, "total": Increment()}
        try:
            commit = await chord.update_context(job.context_id, changes)
        except (NotApplied, OutcomeUnknown) as error:
            say("refused", number, type(error).__name__, error.applied)
            await asyncio.sleep(BACK_OFF)
        else:
            say("kept", number, commit.position, commit.durable, time.monotonic())
            await asyncio.sleep(job.pace)


async def watch(chord: StatefulChord, context_id: str) -> None:
    async with chord.watch_context(context_id) as replies:
        async for reply in replies:
            tell(reply)


def tell(reply: WatchReply) -> None:
    codec = MsgspecCodec()
    match reply:
        case FullContext(context, reason):
            state = b64encode(codec.encode_state(take_in(context.state))).decode()
            say("full", context.position, reason, state)
        case DeltaUpdate(delta):
            changes = b64encode(codec.encode_changes(delta.changes)).decode()
            say("delta", delta.from_version, delta.position, changes)


if __name__ == "__main__":
    asyncio.run(run(Job(**json.loads(sys.argv[1]))))
