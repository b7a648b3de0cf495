"""Test the client against the real server: what it shows is what the server has, come what may."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from chord.changes import REMOVE, Append, Increment, Modified
from chord.client import (
    Backoff,
    Client,
    ConnectionRefused,
    Encoding,
    Forbidden,
    Invalid,
    Room,
    connect,
)
from chord.delta import equal
from chord.errors import ContextNotFound, VersionConflict
from chord.stateless import StatelessChord
from chord.web.door import Door
from tests.client.cable import cable_to
from tests.waiting import until
from tests.web.samples import LEAVES
from tests.web.served import served

pytestmark = pytest.mark.anyio

SOON = Backoff(first=0.001, longest=0.01)


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room:1", {"n": 1, "log": []})
        yield chord


def read_name(connection: HTTPConnection) -> str | None:
    return connection.headers.get("Authorization")


def allow(principal: Any, action: str, context_id: str) -> bool:
    return context_id != "secret"


async def shout(principal: Any, context_id: str, name: str, arguments: list[Any]) -> Any:
    return [principal, context_id, name, arguments]


def hide(state: Mapping[str, Any], principal: Any) -> dict[str, Any]:
    return {key: value for key, value in state.items() if not key.startswith("secret")}


@pytest.fixture
def door(chord: StatelessChord) -> Door:
    return Door(chord, authenticate=read_name, authorize=allow, call=shout)


@pytest.fixture(params=Encoding, ids=lambda encoding: str(encoding.value))
async def client(door: Door, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    async with served(door) as address, enter(f"ws://{address}/", request.param) as client:
        yield client


def enter(url: str, encoding: Encoding = Encoding.MSGPACK, name: str = "ana") -> Any:
    headers = {"Authorization": name}
    options: Any = {"proxy": None, "compression": None}
    return connect(url, encoding=encoding, headers=headers, backoff=SOON, **options)


# -- one client ----------------------------------------------------------------------------------


async def test_it_writes_and_reads_states_of_every_leaf(
    client: Client, chord: StatelessChord
) -> None:
    written = await client.set("room:2", LEAVES, expected=0)
    stored = await chord.get_context("room:2")
    assert equal(stored.state, dict(LEAVES))
    assert (written.position, written.changed) == (str(stored.position), True)
    seen = await client.get("room:2")
    assert equal(seen.state, stored.state)
    assert (await client.set("room:2", LEAVES)).changed is False


async def test_it_updates_by_every_operator(client: Client, chord: StatelessChord) -> None:
    await client.set("room:2", {"old": 1, "log": [b"a"], "sum": Decimal("1.0"), "d": {"e": {}}})
    changes = {
        "old": REMOVE,
        "log": Append([date(2030, 1, 2)]),
        "sum": Increment(Decimal("0.10")),
        "d": {"e": {"f": 1}},
    }
    await client.update("room:2", changes)
    stored = await chord.get_context("room:2")
    expected = {"log": [b"a", date(2030, 1, 2)], "sum": Decimal("1.10"), "d": {"e": {"f": 1}}}
    assert equal(stored.state, expected)


async def test_it_watches_what_others_do(client: Client, chord: StatelessChord) -> None:
    async with client.watch("room:1") as room:
        assert room.state == {"n": 1, "log": []}
        await chord.update_context("room:1", {"n": 2, "log": Append([b"x"])})
        change = await anext(room)
        assert change.changes["n"] == Modified(1, 2)
        assert change.state == {"n": 2, "log": [b"x"]}
        assert await chord.delete_context("room:1")
        assert [change async for change in room] == []
        assert room.deleted


async def test_what_is_not_allowed_or_not_there_is_raised(client: Client) -> None:
    with pytest.raises(ContextNotFound):
        await client.get("nowhere")
    with pytest.raises(ContextNotFound):
        async with client.watch("nowhere"):
            pass
    with pytest.raises(Forbidden):
        await client.update("secret", {})
    with pytest.raises(Forbidden):
        async with client.watch("secret"):
            pass
    with pytest.raises(Invalid, match=r"at \['log'\]: Increment of a"):
        await client.update("room:1", {"log": Increment()})


async def test_a_write_expects_a_position(client: Client, chord: StatelessChord) -> None:
    seen = await client.get("room:1")
    await client.update("room:1", {"n": 2}, expected=seen.position)
    with pytest.raises(VersionConflict) as conflict:
        await client.update("room:1", {"n": 3}, expected=seen.position)
    assert str(conflict.value.actual) == str((await chord.get_context("room:1")).position)
    with pytest.raises(VersionConflict):
        await client.set("room:1", {}, expected=0)


async def test_an_op_id_is_done_once(client: Client, chord: StatelessChord) -> None:
    for _ in range(3):
        await client.update("room:1", {"n": Increment()}, op_id="op-1")
    assert (await chord.get_context("room:1")).state["n"] == 2


async def test_it_calls_and_deletes(client: Client) -> None:
    assert await client.call("room:1", "shout", b"x", {"n": 2**70}) == [
        "ana",
        "room:1",
        "shout",
        [b"x", {"n": 2**70}],
    ]
    assert await client.delete("room:1") is True
    assert await client.delete("room:1") is False


async def test_a_room_that_was_made_again_is_entered_again(
    client: Client, chord: StatelessChord
) -> None:
    async with client.watch("room:1") as room:
        await chord.delete_context("room:1")
        await chord.set_context("room:1", {"n": 100})
        async for _ in room:
            break
        async with client.watch("room:1") as again:
            assert again.state == {"n": 100}


async def test_who_is_nobody_is_refused_for_good(door: Door) -> None:
    async with served(door) as address, connect(f"ws://{address}/", proxy=None) as client:
        with pytest.raises(ConnectionRefused):
            await client.get("room:1")


async def test_who_is_thrown_out_does_not_come_back(door: Door) -> None:
    async with (
        served(door) as address,
        enter(f"ws://{address}/") as client,
        client.watch("room:1") as room,
    ):
        await door.disconnect("ana")
        with pytest.raises(ConnectionRefused):
            await anext(room)


# -- a bad line ----------------------------------------------------------------------------------


async def work(client: Client, name: str, times: int) -> None:
    """Count up; each time is done once, and known to be done."""
    for number in range(times):
        changes = {"n": Increment(), "people": {name: number}, "log": Append([f"{name}{number}"])}
        await client.update("room:1", changes, op_id=f"{name}-{number}")


async def follow(client: Client, seen: list[Room]) -> None:
    async with client.watch("room:1") as room:
        seen.append(room)
        async for _ in room:
            pass


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("views", [False, True], ids=["plain", "views"])
async def test_on_a_line_that_breaks_all_the_time_nothing_is_lost_or_done_twice(
    chord: StatelessChord, encoding: Encoding, views: bool
) -> None:
    dice = random.Random(1)
    door = Door(chord, authenticate=read_name, authorize=allow, project=hide if views else None)
    rooms: list[Room] = []
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(door))
        cable = await stack.enter_async_context(cable_to(address, lambda: dice.randrange(4000)))
        clients = {
            name: await stack.enter_async_context(enter(cable.url, encoding, name))
            for name in ("ana", "bor")
        }
        following = [asyncio.create_task(follow(client, rooms)) for client in clients.values()]
        await asyncio.gather(*(work(client, name, 25) for name, client in clients.items()))
        head = await chord.get_context("room:1")
        assert head.state["n"] == 1 + 2 * 25
        assert len(head.state["log"]) == 2 * 25
        await until(lambda: len(rooms) == 2)
        await until(lambda: all(equal(room.state, head.state) for room in rooms))
        assert cable.breaks > 3
        for task in following:
            task.cancel()
        await asyncio.wait(following)
