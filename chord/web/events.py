"""Hold `EventStream`: what becomes of one context, pushed as Server-Sent Events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import attrs
from anyio.abc import TaskGroup
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chord.clock import Clock
from chord.web.bodies import EVENTS
from chord.web.desk import Desk
from chord.web.faults import CLOSE_CODES, Refusal
from chord.web.gate import Permit, Principal, key_of
from chord.web.line import CLOSE_PATIENCE, rest
from chord.web.reading import Frames
from chord.web.sharing import Frame
from chord.web.wire import Encoding, Fault, encode

_log = logging.getLogger("chord.web")

COMMENT: Final = b":\n\n"

HEADERS: Final = (
    (b"content-type", f"{EVENTS}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # else some proxies keep events to themselves
)

_CODES: Final = {close: code for code, close in CLOSE_CODES.items()} | {1001: "closing"}


def say_event(frame: Frame) -> bytes:
    """Say a frame of JSON as an event, which gives a client the position to come back with.

    >>> say_event(Frame("current", "k3f9:41", "{}"))
    b'event: current\\nid: k3f9:41\\ndata: {}\\n\\n'
    """
    return f"event: {frame.kind}\nid: {frame.position}\ndata: {frame.data!s}\n\n".encode()


def say_fault(refusal: Refusal, context_id: str) -> bytes:
    """Say a refusal as an event: the last."""
    fault = Fault(context=context_id, **attrs.asdict(refusal))
    return b"event: error\ndata: " + encode(fault, Encoding.JSON) + b"\n\n"


class EventStream:
    """An ASGI app that tells one principal of one context, until either side ends it.

    It takes the next frame only when the last was sent, so that a slow peer holds nothing back; one
    that takes nothing for two heartbeats is taken for dead. What is raised before the first event
    is answered by what `answer` makes of it. It ends at once, even while it waits for the first.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        principal: Principal,
        context_id: str,
        since: str | None,
        answer: Callable[[Principal, Exception], ASGIApp],
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._principal = principal
        self._context_id = context_id
        self._since = since
        self._answer = answer
        self._key: object = None
        self._revision = 0
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._last: Refusal | None = None
        self._failure: Exception | None = None
        self._began = False
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._desk.crowd.enter(self._principal, self):
                await self._serve(receive, send)
        except Exception as error:
            if self._began:
                raise
            await self._answer(self._principal, error)(scope, receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._guard, lambda: self._listen(receive))
            group.start_soon(self._stop, group.cancel_scope)
            await self._guard(lambda: self._tell(send, group))
        if self._failure is not None:
            raise self._failure
        if not self._gone:
            await self._finish(send)

    async def _stop(self, scope: anyio.CancelScope) -> None:
        await self._over.wait()
        scope.cancel()

    async def _tell(self, send: Send, group: TaskGroup) -> None:
        permit = await self._permit()
        async with self._desk.reading.watch(permit, self._since, 0.0, Encoding.JSON) as frames:
            first = await anext(frames)
            if self._over.is_set():  # refused a moment ago, and not cancelled yet
                return
            await self._begin(send)
            group.start_soon(self._guard, lambda: self._beat(send))
            await self._deliver(first, frames, send)

    async def _begin(self, send: Send) -> None:
        if self._began:
            return
        self._began = True
        start = {"type": "http.response.start", "status": 200, "headers": list(HEADERS)}
        with anyio.CancelScope(shield=True):  # else nobody knows whether it has begun
            await self._pass(send, start)

    async def _permit(self) -> Permit:
        """Ask the gate; again, if it was asked to meanwhile."""
        revision = None
        while revision != self._revision:
            revision = self._revision
            self._key = key_of(self._desk.gate.hooks, self._principal)
            permit = await self._desk.gate.permit(self._principal, self._context_id, "read")
        return permit

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self._refuse(error)

    async def _deliver(self, first: Frame, frames: Frames, send: Send) -> None:
        await self._send(send, say_event(first))
        async for frame in frames:
            await self._send(send, say_event(frame))
        self._over.set()

    async def _beat(self, send: Send) -> None:
        missed = 0
        while missed < 2:
            await rest(self._clock, self._desk.limits.heartbeat)
            if self._turn.locked():
                missed += 1
            else:
                missed = 0
                await self._send(send, COMMENT)
        self._over.set()

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._over.set()

    async def _send(self, send: Send, data: bytes) -> None:
        async with self._turn:
            if not self._over.is_set():  # it may be refused by now
                message = {"type": "http.response.body", "body": data, "more_body": True}
                await self._pass(send, message)

    async def _finish(self, send: Send) -> None:
        last = b"" if self._last is None else say_fault(self._last, self._context_id)
        await self._begin(send)
        with anyio.move_on_after(CLOSE_PATIENCE, shield=True):
            await self._pass(send, {"type": "http.response.body", "body": last})

    async def _pass(self, send: Send, message: Message) -> None:
        try:
            await send(message)
        except OSError:
            _log.debug("a peer has gone before it could be told", exc_info=True)
            self._over.set()

    # -- what the door asks ----------------------------------------------------------------------

    async def recheck(self) -> None:
        """Ask again whether this may be; end it if not, and where it is another view by now."""
        self._revision += 1
        try:
            await self._desk.gate.permit(self._principal, self._context_id, "read")
            if key_of(self._desk.gate.hooks, self._principal) != self._key:
                self._over.set()  # who comes back is shown the other view
        except Exception as error:
            self._refuse(error)

    def end(self, code: int, reason: str) -> None:
        """Begin to end, for the reason that the close code of a WebSocket has."""
        if not self._over.is_set():
            self._last = Refusal(code=_CODES.get(code, "internal"), message=reason)
            self._over.set()

    def _refuse(self, error: Exception) -> None:
        if self._over.is_set():
            return
        if self._began:
            self._last = self._desk.refuse(error, self._principal)
        else:
            self._failure = error
        self._over.set()

    def __repr__(self) -> str:
        state = "closed" if self._over.is_set() else "open"
        return f"<EventStream of {self._context_id!r} to {self._principal!r}, {state}>"
