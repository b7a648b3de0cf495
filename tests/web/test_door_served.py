"""Test a door behind a real server, by a WebSocket client that is not ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from chord.changes import Increment
from chord.stateless import StatelessChord
from chord.web.door import Door
from chord.web.limits import Limits
from tests.waiting import until
from tests.web.cards import allow, read_name
from tests.web.served import served

pytestmark = pytest.mark.anyio

JSON = Subprotocol("chord.v1.json")
MSGPACK = Subprotocol("chord.v1.msgpack")


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room:1", {"n": 1})
        yield chord


@pytest.fixture
def door(chord: StatelessChord) -> Door:
    limits = Limits(max_message=100_000, max_sockets=1000)
    return Door(chord, authenticate=read_name, authorize=allow, limits=limits)


@pytest.fixture
async def address(door: Door) -> AsyncIterator[str]:
    async with served(Starlette(routes=[Mount("/chord", door)])) as address:
        yield f"ws://{address}/chord/"


def enter(address: str, name: str | None = "ana", **options: Any) -> connect:
    headers = {} if name is None else {"Authorization": name}
    options = {"subprotocols": [JSON], **options}
    return connect(address, additional_headers=headers, proxy=None, **options)


async def hear(socket: ClientConnection) -> dict[str, Any]:
    data = await socket.recv()
    message: dict[str, Any] = (
        json.loads(data) if isinstance(data, str) else msgspec.msgpack.decode(data)
    )
    return message


async def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    message = {"type": kind, **fields}
    packed = socket.subprotocol == MSGPACK
    await socket.send(msgspec.msgpack.encode(message) if packed else json.dumps(message))


async def hear_end(socket: ClientConnection) -> int | None:
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_client_watches_and_writes(address: str, subprotocol: Subprotocol) -> None:
    async with enter(address, subprotocols=[subprotocol]) as socket:
        assert socket.subprotocol == subprotocol
        assert (await hear(socket))["type"] == "hello"
        await say(socket, "watch", context="room:1", ref=1)
        full = await hear(socket)
        assert (full["state"], full["ref"]) == ({"n": 1}, 1)
        await say(socket, "update", context="room:1", changes={"n": 2}, ref=2)
        heard = {message["type"]: message for message in [await hear(socket), await hear(socket)]}
        assert heard["delta"]["changes"] == {"n": ["m", 2]}
        assert heard["done"]["position"] == heard["delta"]["position"]


async def test_who_offers_no_subprotocol_is_told_which_there_are(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with enter(address, subprotocols=None):
            pass
    assert refused.value.response.status_code == 400
    assert b"chord.v1.msgpack" in (refused.value.response.body or b"")


async def test_who_is_not_known_is_closed_with_a_code(address: str) -> None:
    async with enter(address, name=None) as socket:
        assert await hear_end(socket) == 4401


async def test_a_page_of_another_site_is_closed_with_a_code(address: str) -> None:
    async with enter(address, origin="https://evil.test") as socket:
        assert await hear_end(socket) == 4403


async def test_a_message_that_is_too_large_closes_with_a_code(address: str) -> None:
    async with enter(address) as socket:
        await socket.send("x" * 200_000)
        assert await hear_end(socket) == 4413


async def test_a_socket_that_is_dropped_is_forgotten(address: str, door: Door) -> None:
    async with enter(address) as socket:
        await say(socket, "watch", context="room:1")
        await until(lambda: door.statistics()["connections"] == 1)
        socket.transport.abort()
        await until(lambda: door.statistics()["connections"] == 0)


async def test_a_closed_door_tells_to_come_back(address: str, door: Door) -> None:
    async with enter(address) as socket:
        await hear(socket)
        door.close()
        assert await hear_end(socket) == 1012


async def test_many_sockets_see_every_write_in_order(
    address: str, door: Door, chord: StatelessChord
) -> None:
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(enter(address)) for _ in range(20)]
        for socket in sockets:
            await hear(socket)
            await say(socket, "watch", context="room:1")
            await hear(socket)
        for _ in range(50):
            await chord.update_context("room:1", {"n": Increment()})
        for socket in sockets:
            here, count = None, 1
            while count < 51:
                delta = await hear(socket)
                assert here in (None, delta["from"])
                here, count = delta["position"], delta["changes"]["n"][1]
        assert door.statistics()["hits"] > door.statistics()["encodings"]
    door.check()
