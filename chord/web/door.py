"""Hold `Door`, the ASGI app: it lets clients in to a runtime, over WebSockets and over HTTP."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

import anyio
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from chord.api import Chord
from chord.clock import Clock, SystemClock
from chord.codec import Codec
from chord.web.desk import Desk
from chord.web.faults import CLOSE_CODES
from chord.web.gate import (
    ANYONE,
    Authenticate,
    Authorize,
    Call,
    Gate,
    Hooks,
    Principal,
    Project,
    ViewKey,
)
from chord.web.http import Pages
from chord.web.limits import Limits
from chord.web.session import Session
from chord.web.wire import Encoding


class Door:
    """An ASGI app, to be mounted in another or run alone; it needs no lifespan.

    `authenticate(connection)` returns a principal, which is hashable, or refuses by None, False or
    ``""``. `authorize(principal, action, context_id)` says whether it may ``"read"``, ``"write"``,
    ``"create"``, ``"delete"``, ``"call"``, or ``"list"`` (then the id is the prefix). Both may be
    async. Where one is missing everything is refused, unless the door is `open_to_all`: for
    development.

    `project(state, principal)` returns, as a dict, what a principal sees; it is pure, and gives the
    same for all of equal `view_key(principal)`, which is the principal itself unless it is given.
    `call(principal, context_id, name, arguments)` carries out the application's own commands.

    `origins` are the sites whose pages may use the door, as ``"https://example.org"``; None: those
    of its own host; ``"*"``: any. `codec` is the runtime's, where it knows types of one's own.
    """

    def __init__(
        self,
        chord: Chord,
        *,
        authenticate: Authenticate | None = None,
        authorize: Authorize | None = None,
        project: Project | None = None,
        view_key: ViewKey | None = None,
        call: Call | None = None,
        origins: Collection[str] | None = None,
        limits: Limits | None = None,
        open_to_all: bool = False,
        clock: Clock | None = None,
        codec: Codec | None = None,
    ) -> None:
        hooks = Hooks(
            authenticate=authenticate,
            authorize=authorize,
            project=project,
            view_key=view_key,
            call=call,
        )
        gate = Gate(hooks, origins=origins, open_to_all=open_to_all)
        self._clock = clock or SystemClock()
        self._desk = Desk(chord, gate, limits or Limits(), codec=codec)
        self._http = Pages(self._desk, self._clock).make_app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Take part in the server's lifespan, where the door is all that it serves."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Shake hands, and serve a socket to its end."""
        await receive()
        encoding = _choose(scope.get("subprotocols", ()))
        if encoding is None:
            return await _turn_away(scope, send)
        accepting = {"type": "websocket.accept", "subprotocol": encoding.subprotocol}
        with ExitStack() as stay:
            try:
                principal = await self._admit(scope)
                session = Session(self._desk, principal, encoding, receive, send, self._clock)
                stay.enter_context(self._desk.crowd.enter(principal, session))
            except Exception as error:
                await send(accepting)  # only who was accepted is told why it is closed
                return await send(self._make_close(error))
            await send(accepting)
            await session.run()

    async def _admit(self, scope: Scope) -> Principal:
        self._desk.crowd.check_open()
        return await self._desk.gate.admit(HTTPConnection(scope))

    def _make_close(self, error: Exception) -> Message:
        refusal = self._desk.refuse(error, ANYONE)
        code = CLOSE_CODES.get(refusal.code, 1011)
        return {"type": "websocket.close", "code": code, "reason": refusal.message[:100]}

    # -- whom it serves --------------------------------------------------------------------------

    async def recheck(self, principal: Principal | None = None) -> None:
        """Ask the hooks again what is watched, by one principal or all, and end what is refused.

        When this has returned nothing that is refused now is sent any more, but for answers to
        requests of HTTP that are under way; watches of a principal whose view key is another now
        begin anew.
        """
        async with anyio.create_task_group() as group:
            for each in self._desk.crowd.find(principal):
                group.start_soon(each.recheck)

    async def disconnect(self, principal: Principal) -> None:
        """Close all sockets and streams of a principal. It may come back, if it is let in."""
        for each in self._desk.crowd.find(principal):
            each.end(4403, "disconnected by the server")

    def close(self) -> None:
        """Close all sockets and streams, as the server goes away, and refuse all that is new."""
        self._desk.crowd.close()
        for each in self._desk.crowd.find():
            each.end(1012, "the server is going away")

    def statistics(self) -> dict[str, Any]:
        """Return counts of who is there and what they do, what is remembered and shared."""
        counts = {"watches": 0, "pending": 0, "malformed": 0}
        for session in self._find_sessions():
            for name, count in session.statistics().items():
                counts[name] += count
        return {**self._desk.statistics(), **counts}

    def check(self) -> None:
        """Assert every invariant."""
        self._desk.check()
        for session in self._find_sessions():
            session.check()

    def _find_sessions(self) -> list[Session]:
        return [each for each in self._desk.crowd.find() if isinstance(each, Session)]

    def __repr__(self) -> str:
        state = "closed" if self._desk.crowd.closed else "open"
        return f"<Door {state} {self._desk.crowd}>"


def _choose(offered: Collection[str]) -> Encoding | None:
    """The encoding that a client offers, the first that is known."""
    known = {encoding.subprotocol: encoding for encoding in Encoding}
    return next((known[name] for name in offered if name in known), None)


async def _turn_away(scope: Scope, send: Send) -> None:
    """Answer a handshake without a subprotocol of ours."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        return await send({"type": "websocket.close", "code": 1002, "reason": "no subprotocol"})
    names = ", ".join(encoding.subprotocol for encoding in Encoding)
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    start = {"type": "websocket.http.response.start", "status": 400, "headers": headers}
    body = f"connect with one of the subprotocols {names}\n".encode()
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
