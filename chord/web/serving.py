"""Run a door by itself, with uvicorn, on a socket that is bound already."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

import anyio
import uvicorn
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chord.web.door import Door
from chord.web.faults import WrongOrigin
from chord.web.problems import answer

DRAIN: Final = 10
"""Seconds that requests under way are given to end, once the server goes away."""

BACKLOG: Final = 2048

UNSENT: Final = 64 * 1024
"""Bytes that the kernel takes from us before it has sent them: left to itself it takes megabytes
for who does not read, all of them old news by the time that they are read."""

_UNSENT_LIMIT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket; port 0 is any that is free. Raises `OSError`."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if _UNSENT_LIMIT is not None:
            listener.setsockopt(socket.IPPROTO_TCP, _UNSENT_LIMIT, UNSENT)  # connections inherit it
        listener.bind(address)
        listener.listen(BACKLOG)
        yield listener


def name(listener: socket.socket) -> str:
    """Return the URL at which a bound socket is found."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class Nearby:
    """Passes on what was asked of this machine by one of its own names.

    A page of elsewhere can have its own name lead here: to a browser we are of its site then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_loopback(_read_host(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": "not this host"})
        else:
            await answer(WrongOrigin())(scope, receive, send)


def _read_host(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who runs this: uvicorn would end the process before all is stored."""
        yield


async def run_door(
    door: Door, listener: socket.socket, ended: asyncio.Event, *, nearby: bool = False
) -> None:
    """Serve until `ended`, then close the door, and let requests under way come to their end.

    `nearby`: who asks for another host than this machine is refused.
    """
    config = uvicorn.Config(
        Nearby(door) if nearby else door,
        lifespan="off",
        log_level="warning",
        access_log=False,
        ws_per_message_deflate=False,  # else what is encoded once is compressed for each socket
        ws_ping_interval=None,  # the door has its own heartbeat, which bears with slow lines
        timeout_graceful_shutdown=DRAIN,
    )
    server = _Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end, door, server, ended)
        await server.serve(sockets=[listener])
        tasks.cancel_scope.cancel()


async def _end(door: Door, server: uvicorn.Server, ended: asyncio.Event) -> None:
    await ended.wait()
    door.close()
    server.should_exit = True
