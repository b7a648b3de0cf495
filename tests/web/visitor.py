"""Hold `Visitor`: a client of a `Door` that tests hold in their hands, frame by frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from starlette.types import ASGIApp, Message, Scope

from chord.web.wire import Encoding
from tests.waiting import PATIENCE

HOST = "door.test"


class Closed(Exception):
    """The server has closed the socket, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Visitor:
    """Speaks one of the encodings, and remembers all that it was sent."""

    def __init__(self, encoding: Encoding = Encoding.JSON) -> None:
        self.encoding = encoding
        self.accepted: str | None = None
        self.answer: list[Message] = []
        self.frames: list[str | bytes] = []
        self.sent = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox.put_nowait({"type": "websocket.connect"})

    # -- what the server calls -------------------------------------------------------------------

    async def receive(self) -> Message:
        return await self._outbox.get()

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            self.sent += 1
            await self.reads.wait()
            self.frames.append(message.get("text") or message["bytes"])
        if message["type"] == "websocket.accept":
            self.accepted = message["subprotocol"]
        elif message["type"].startswith("websocket.http"):
            self.answer.append(message)
        else:
            self._inbox.put_nowait(message)

    # -- what the test calls ---------------------------------------------------------------------

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message, without waiting for the answer."""
        message = {"type": kind, **fields}
        if self.encoding is Encoding.JSON:
            self.say_raw(json.dumps(message))
        else:
            self.say_raw(msgspec.msgpack.encode(message))

    def say_raw(self, data: str | bytes) -> None:
        kind = "text" if isinstance(data, str) else "bytes"
        self._outbox.put_nowait({"type": "websocket.receive", kind: data})

    def hang_up(self) -> None:
        self._outbox.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def hear(self) -> dict[str, Any]:
        """Return the next message; raise `Closed` where there is none to come."""
        with anyio.fail_after(PATIENCE):
            message = await self._inbox.get()
        if message["type"] == "websocket.close":
            self._inbox.put_nowait(message)
            raise Closed(message["code"], message.get("reason", ""))
        return self.decode(message.get("text") or message["bytes"])

    async def hear_only(self, kind: str) -> dict[str, Any]:
        """Return the next message, which is of this kind."""
        message = await self.hear()
        assert message["type"] == kind, message
        return message

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a message, and return the next that comes."""
        self.say(kind, **fields)
        return await self.hear()

    async def hear_end(self) -> int:
        """Return the code of the close frame, once it comes, whatever is said before."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed.code

    def heard_nothing(self) -> bool:
        """Whether nothing is there that was not heard yet."""
        return self._inbox.empty()

    def decode(self, data: str | bytes) -> dict[str, Any]:
        message: dict[str, Any] = (
            json.loads(data) if isinstance(data, str) else msgspec.msgpack.decode(data)
        )
        return message

    @property
    def told(self) -> str:
        """All that ever came, as text."""
        return " ".join(map(repr, self.frames))


def make_scope(
    *,
    name: str | None = None,
    origin: str | None = None,
    subprotocols: Sequence[str] = (Encoding.JSON.subprotocol,),
    extensions: dict[str, Any] | None = None,
) -> Scope:
    headers = [(b"host", HOST.encode())]
    if name is not None:
        headers.append((b"authorization", name.encode()))
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {
        "type": "websocket",
        "path": "/",
        "headers": headers,
        "query_string": b"",
        "subprotocols": list(subprotocols),
        "extensions": extensions or {},
    }


@asynccontextmanager
async def knock(door: ASGIApp, visitor: Visitor, scope: Scope) -> AsyncIterator[Visitor]:
    """Be served meanwhile."""

    async def serve() -> None:
        await door(scope, visitor.receive, visitor.send)

    serving = asyncio.create_task(serve())
    try:
        yield visitor
    finally:
        visitor.reads.set()
        visitor.hang_up()
        with anyio.fail_after(PATIENCE, shield=True):
            await serving


@asynccontextmanager
async def visit(
    door: ASGIApp,
    name: str | None = "ana",
    *,
    encoding: Encoding = Encoding.JSON,
    origin: str | None = None,
) -> AsyncIterator[Visitor]:
    """Be let in, and greeted."""
    scope = make_scope(name=name, origin=origin, subprotocols=[encoding.subprotocol])
    async with knock(door, Visitor(encoding), scope) as visitor:
        await visitor.hear_only("hello")
        yield visitor
