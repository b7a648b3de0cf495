"""Test the server that a door is run by: where it listens, and whom it passes on."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import httpx
import pytest

from chord import StatelessChord
from chord.web.door import Door
from chord.web.serving import UNSENT, Nearby, is_loopback, listen, name
from tests.web.visitor import Visitor, knock, make_scope

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("host", "nearby"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("192.0.2.1", False),
        ("", False),
    ],
)
async def test_who_asks_for_another_host_is_refused(host: str, nearby: bool) -> None:
    async with StatelessChord.open("memory://") as chord:
        app = Nearby(Door(chord, open_to_all=True))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            answer = await client.get("/contexts", headers={"host": host})
        assert answer.status_code == (200 if nearby else 403)
        scope = {**make_scope(), "headers": [(b"host", host.encode())]}
        async with knock(app, Visitor(), scope) as visitor:
            if nearby:
                await visitor.hear_only("hello")
            else:
                assert await visitor.hear_end() == 4403
        assert (visitor.accepted is not None) is nearby


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("door.example", False)],
)
def test_an_address_that_only_this_machine_reaches_is_known(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


async def test_a_socket_that_is_bound_has_a_name() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert name(listener) == f"http://127.0.0.1:{port}"
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with pytest.raises(OSError, match="in use"), listen("127.0.0.1", port):
            pass


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="not on this system")
def test_the_kernel_takes_little_for_who_does_not_read() -> None:
    with listen("127.0.0.1", 0) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        with connection:
            connection.setblocking(False)
            assert UNSENT // 2 < fill(connection) < 4 * UNSENT


def fill(connection: socket.socket) -> int:
    """Send until no more is taken; return the bytes that were."""
    taken = 0
    with suppress(BlockingIOError):
        while True:
            taken += connection.send(bytes(1024))
    return taken
