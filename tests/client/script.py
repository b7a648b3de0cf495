"""Hold a server that does as a test says: it hears what clients send, and answers by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from chord.client.client import Client, connect
from chord.clock import ManualClock
from chord.web.leaves import lower
from chord.web.wire import (
    DeltaMessage,
    Done,
    Encoding,
    Fault,
    Full,
    Hello,
    ReplyMessage,
    Watch,
    decode_request,
    encode,
)
from chord.web.wire import Request as Asked
from tests.waiting import PATIENCE, outcome_of, until

M = TypeVar("M", bound=Asked)

HEARTBEAT: Final = 20.0


class Line:
    """One client's connection, as the server sees it."""

    def __init__(self, socket: ServerConnection, encoding: Encoding) -> None:
        self._socket = socket
        self._encoding = encoding
        self.headers = socket.request.headers if socket.request else {}

    async def hear(self, kind: type[M]) -> M:
        """Wait for the client's next message, which is of this kind."""
        async with asyncio.timeout(PATIENCE):
            message: Any = decode_request(await self._socket.recv(), self._encoding)
        assert isinstance(message, kind), message
        return message

    async def say(self, *messages: ReplyMessage) -> None:
        for message in messages:
            await self.say_raw(encode(message, self._encoding))

    async def say_raw(self, data: bytes) -> None:
        await self._socket.send(data, text=self._encoding is Encoding.JSON)

    async def begin(self, position: str = "k:1", **state: Any) -> Watch:
        """Answer a watch by the full state."""
        watch = await self.hear(Watch)
        await self.say(full(position, watch.context, watch.ref, **state))
        return watch

    async def close(self, code: int = 1012) -> None:
        await self._socket.close(code)

    async def is_left(self) -> bool:
        """Wait for the client to go; whether it said nothing more."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._socket.recv()
        except ConnectionClosed:
            return True
        return False


class Script:
    """A server: whoever connects is met by `accept`, and hears nothing else."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.url = ""
        self.refuse: Callable[[ServerConnection, Request], Response | None] = lambda *asked: None
        self.attempts = 0
        self._lines: asyncio.Queue[Line] = asyncio.Queue()

    async def meet(self, socket: ServerConnection) -> None:
        self._lines.put_nowait(Line(socket, self.encoding))
        await socket.wait_closed()

    def look(self, socket: ServerConnection, request: Request) -> Response | None:
        """Count a handshake, and refuse it, or not."""
        self.attempts += 1
        return self.refuse(socket, request)

    async def accept(self, *, greet: bool = True, **limits: Any) -> Line:
        """Wait for the next connection, and say hello."""
        async with asyncio.timeout(PATIENCE):
            line = await self._lines.get()
        if greet:
            await line.say(Hello(heartbeat=HEARTBEAT, limits=limits))
        return line

    def refuse_with(self, status: HTTPStatus) -> None:
        """Refuse all handshakes by this status of HTTP."""
        self.refuse = lambda socket, request: socket.respond(status, "")

    def admit(self) -> None:
        self.refuse = lambda *asked: None


@asynccontextmanager
async def scripted(encoding: Encoding = Encoding.JSON) -> AsyncIterator[Script]:
    """Serve on a free port."""
    script = Script(encoding)
    async with serve(
        script.meet,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(encoding.subprotocol)],
        process_request=script.look,
        close_timeout=1.0,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        script.url = f"ws://127.0.0.1:{port}/chord"
        yield script


@asynccontextmanager
async def client_of(
    script: Script, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A client whose pauses are as long as they may be, on a clock that stands still."""
    async with connect(
        script.url,
        encoding=script.encoding,
        clock=clock or ManualClock(),
        chance=lambda: 1.0,
        proxy=None,
        **options,
    ) as client:
        yield client


def full(position: str, context: str = "room:1", ref: Any = None, **state: Any) -> Full:
    plain, types = lower(state)
    return Full(
        context=context, position=position, state=plain, types=types, reason="requested", ref=ref
    )


def delta(start: str, end: str, context: str = "room:1", ref: Any = None, **change: Any) -> Any:
    return DeltaMessage(context=context, from_=start, position=end, changes=change, ref=ref)


def soon(call: Any) -> asyncio.Task[Any]:
    """Ask, and go on with what the server does."""
    return asyncio.ensure_future(outcome_of(call))


async def answer(line: Line, kind: Any, **fields: Any) -> Any:
    """Acknowledge the client's next message."""
    message = await line.hear(kind)
    done: dict[str, Any] = {"position": "k:2", "changed": True, **fields}
    await line.say(Done(ref=message.ref, **done))
    return message


async def refuse(line: Line, kind: Any, code: str, applied: Any = False, **fields: Any) -> Any:
    message = await line.hear(kind)
    await line.say(Fault(code=code, message=code, applied=applied, ref=message.ref, **fields))
    return message


async def pass_pause(client: Client, clock: ManualClock, seconds: float = 60.0) -> None:
    """Let the pause before the next attempt pass, once the client has noticed that it is alone."""
    await until(lambda: not client.connected and clock.pending())
    clock.advance(seconds)
