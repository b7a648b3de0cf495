"""Hold the client's ends of sockets, which do little: they count frames, and find a position."""

from __future__ import annotations

import asyncio
import itertools
import resource
import socket
from asyncio import BaseTransport, Future, Transport
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar, cast

import msgspec

from benchmarks.door.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frames,
    write_frame,
    write_handshake,
)
from benchmarks.harness import CannotMeasure
from chord.web.wire import (
    Encoding,
    Fault,
    ReplyMessage,
    RequestMessage,
    Watch,
    decode_reply,
    encode,
)

SPARE: Final = 200
"""Files that are open beside the sockets."""

NARROW: Final = 4096
"""Bytes that the kernel is asked to receive for a slow socket, of which it takes about as many."""

_END: Final = b"\r\n\r\n"
GREETING: Final = 2
"""Frames before the first change: the server's hello, and the full state."""

AnySocket = TypeVar("AnySocket", bound="Socket")


def allow_sockets(sockets: int) -> None:
    """Let this process, and those that it starts, have so many. Raises `CannotMeasure`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = sockets + SPARE
    if hard != resource.RLIM_INFINITY and hard < count:
        raise CannotMeasure(f"at most {hard:,} files may be open here, {count:,} are needed")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def mark_position(position: str, encoding: Encoding) -> bytes:
    """What stands in a frame that leads to this position, and in no other.

    >>> mark_position("k3f9:41", Encoding.JSON)
    b'"position":"k3f9:41"'
    """
    if encoding is Encoding.JSON:
        return f'"position":"{position}"'.encode()
    return msgspec.msgpack.encode("position") + msgspec.msgpack.encode(position)


class Goal:
    """A position to which some sockets are to be brought, and when the last of them was."""

    def __init__(self) -> None:
        self.mark: bytes | None = None
        self._missing = 0
        self._error: Exception | None = None
        self._reached: Future[float] = Future()

    def set(self, mark: bytes, missing: int) -> Future[float]:
        """Return what is done, with the moment, when so many more have come there."""
        self.mark = mark
        self._missing = missing
        self._reached = Future()
        if self._error is not None:
            self._reached.set_exception(self._error)
        elif not missing:
            self._reached.set_result(perf_counter())
        return self._reached

    def arrive(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._reached.set_result(perf_counter())

    def fail(self, error: Exception) -> None:
        """One is lost that will never get anywhere."""
        self._error = error
        if not self._reached.done():
            self._reached.set_exception(error)


class Socket(asyncio.Protocol):
    """A WebSocket. `hear` is called with what each message carries, `lose` at an end not ours."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.shaken: Future[None] = Future()
        self._opcode = TEXT if encoding is Encoding.JSON else BINARY
        self._frames = Frames()
        self._head = b""
        self._closing = False

    def hear(self, data: bytes) -> None:
        raise NotImplementedError

    def lose(self, error: Exception) -> None:
        raise NotImplementedError

    def say(self, message: RequestMessage) -> None:
        self.transport.write(write_frame(self._opcode, encode(message, self.encoding)))

    def close(self) -> None:
        self._closing = True
        self.transport.close()

    # -- what the loop tells ---------------------------------------------------------------------

    def connection_made(self, transport: BaseTransport) -> None:
        self.transport = cast(Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.shaken.done():
            return self._read(data)
        self._head += data
        head, end, rest = self._head.partition(_END)
        if end and b" 101 " not in head.partition(b"\r\n")[0]:
            return self._fail(f"the handshake was refused: {head!r:.100}")
        if end:
            self.shaken.set_result(None)
            self._read(rest)

    def _read(self, data: bytes) -> None:
        for opcode, carried in self._frames.take(data):
            if opcode == self._opcode:
                self.hear(carried)
            elif opcode == PING:
                self.transport.write(write_frame(PONG, carried))
            elif opcode == CLOSE:
                self._fail(f"the server closed a socket: {carried!r:.100}")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"a socket was lost: {error}")

    def _fail(self, why: str) -> None:
        if self._closing:
            return
        self._closing = True
        error = ConnectionError(why)
        if not self.shaken.done():
            self.shaken.set_exception(error)
        self.lose(error)


class Writer(Socket):
    """Asks, and waits for the answer."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__(encoding)
        self._refs = itertools.count(1)
        self._asked: dict[int, Future[ReplyMessage]] = {}

    async def ask(self, make: Callable[[int], RequestMessage]) -> ReplyMessage:
        """Send what is made with a new `ref`. Raises `RuntimeError` for an error in answer."""
        ref = next(self._refs)
        answer: Future[ReplyMessage] = Future()
        self._asked[ref] = answer
        self.say(make(ref))
        message = await answer
        if isinstance(message, Fault):
            raise RuntimeError(f"the server refused: {message.code}, {message.message}")
        return message

    def hear(self, data: bytes) -> None:
        message = decode_reply(data, self.encoding)
        answer = self._asked.pop(getattr(message, "ref", None) or 0, None)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def lose(self, error: Exception) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(error)


class Watcher(Socket):
    """Watches a context, counts frames, and tells its goal when it gets there.

    One that is `recording` keeps what it is told, for an audit.
    """

    def __init__(self, encoding: Encoding, goal: Goal, *, recording: bool = False) -> None:
        super().__init__(encoding)
        self.told: list[bytes] | None = [] if recording else None
        self.frames = 0
        self.last = b""
        self.greeted: Future[None] = Future()
        self._goal = goal

    async def watch(self, context_id: str) -> None:
        """Return when the full state is there."""
        self.say(Watch(context=context_id))
        await self.greeted

    def is_at(self, mark: bytes) -> bool:
        return mark in self.last

    def hear(self, data: bytes) -> None:
        self.frames += 1
        self.last = data
        if self.told is not None:
            self.told.append(data)
        mark = self._goal.mark
        if mark is not None and mark in data:
            self._goal.arrive()
        if self.frames == GREETING:
            self.greeted.set_result(None)

    def lose(self, error: Exception) -> None:
        self._goal.fail(error)
        if not self.greeted.done():
            self.greeted.set_exception(error)


class Sleeper(Watcher):
    """One that, from `doze` on, reads only a little each time it is roused, until `awake`."""

    _dozing = False

    def doze(self) -> None:
        self._dozing = True
        self.transport.pause_reading()

    def rouse(self) -> None:
        self.transport.resume_reading()

    def awake(self) -> None:
        self._dozing = False
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._dozing:
            self.transport.pause_reading()


async def open_socket(
    one: AnySocket, address: tuple[str, int], *, narrow: bool = False
) -> AnySocket:
    """Connect, and shake hands."""
    loop = asyncio.get_running_loop()
    plain = socket.socket()
    if narrow:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW)
    try:
        plain.setblocking(False)
        await loop.sock_connect(plain, address)
    except BaseException:
        plain.close()
        raise
    await loop.create_connection(lambda: one, sock=plain)
    host, port = address
    one.transport.write(write_handshake(f"{host}:{port}", one.encoding.subprotocol))
    await one.shaken
    return one
