"""Hold `Listener`: who reads Server-Sent Events, as a browser does, and keeps what it was told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
import attrs
from starlette.types import ASGIApp, Message

from tests.waiting import PATIENCE

HOST = "door.test"


@attrs.frozen
class Event:
    """One event; `data` is its message."""

    name: str
    position: str | None
    data: dict[str, Any]


def parse(text: str) -> Iterator[Event]:
    """Read whole events, by the rules of the standard."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line.partition(":")[0])
        if fields:
            yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]))


class Listener:
    """The far end of one stream."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.text = ""
        self.ended = False
        self.reads = asyncio.Event()
        self.reads.set()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._news = asyncio.Event()
        self._told = 0

    async def receive(self) -> Message:
        return await self._inbox.get()

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
            self.ended = not message.get("more_body", False)
        self._news.set()

    def hang_up(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})

    @property
    def events(self) -> list[Event]:
        return list(parse(self.text))

    @property
    def comments(self) -> int:
        return self.text.split("\n").count(":")

    async def hear(self) -> Event:
        """Return the next event."""
        await self.wait_for(lambda: len(self.events) > self._told)
        self._told += 1
        return self.events[self._told - 1]

    async def hear_end(self) -> str:
        """Return the name of the last event, once the stream has ended."""
        await self.wait_for(lambda: self.ended)
        return self.events[-1].name

    async def wait_for(self, holds: Any) -> None:
        with anyio.fail_after(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listen(
    door: ASGIApp,
    name: str | None = "ana",
    context_id: str = "room/1",
    *,
    since: str | None = None,
    last: str | None = None,
    method: str = "GET",
) -> AsyncIterator[Listener]:
    """Ask for the events of a context, and be told them meanwhile."""
    listener = Listener()
    headers = {"host": HOST, "authorization": name, "last-event-id": last}
    path = f"/contexts/{quote(context_id, safe='')}/events"
    scope = {
        "type": "http",
        "method": method,
        "path": f"/contexts/{context_id}/events",
        "raw_path": path.encode(),
        "headers": [
            (key.encode(), value.encode()) for key, value in headers.items() if value is not None
        ],
        "query_string": b"" if since is None else f"since={quote(since)}".encode(),
    }

    async def serve() -> None:
        await door(scope, listener.receive, listener.send)

    serving = asyncio.create_task(serve())
    try:
        yield listener
    finally:
        listener.reads.set()
        listener.hang_up()
        with anyio.fail_after(PATIENCE, shield=True):
            await serving
