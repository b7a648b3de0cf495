"""Test that an answer of the store which comes late turns nothing back that is remembered."""

from __future__ import annotations

import asyncio

import pytest

from chord.live import Live
from chord.shelf import Found, Shelf
from tests.by_hand import Call
from tests.test_shelf import Room, load, open_room

pytestmark = pytest.mark.anyio


@pytest.fixture
async def room() -> Room:
    return await open_room()


async def begin(room: Room, shelf: Shelf) -> tuple[asyncio.Task[Found], Call]:
    """Begin a load that was carried out and whose answer is held; later ones are not."""
    room.backend.hold("load")
    loading = asyncio.create_task(shelf.fresh("a"))
    call = await room.backend.next("load")
    await call.carry_out()
    room.backend.hold()
    return loading, call


async def finish(begun: tuple[asyncio.Task[Found], Call]) -> Live | None:
    loading, call = begun
    call.answer()
    return (await loading).live


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
async def test_it_does_not_take_the_place_of_a_newer_one(room: Room, known: bool) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    if known:
        await load(shelf)
    begun = await begin(room, shelf)
    head = await room.scribe.update("a", 2)
    newer = await load(room.shelf())
    shelf.put(newer)
    assert await finish(begun) is newer
    assert shelf.peek("a") is newer
    assert newer.position == head


async def test_that_of_an_older_life_is_given_but_not_remembered(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    begun = await begin(room, shelf)
    await room.scribe.delete("a")
    await room.scribe.create("a", epoch="next")
    newer = await load(shelf)
    late = await finish(begun)
    assert late is not None
    assert late.position.epoch == "k"
    assert shelf.peek("a") is newer


async def test_that_there_was_none_does_not_drop_a_newer_one(room: Room) -> None:
    shelf = room.shelf()
    begun = await begin(room, shelf)
    await room.scribe.create("a")
    newer = await load(shelf)
    assert await finish(begun) is None
    assert shelf.peek("a") is newer


async def test_it_continues_what_was_evicted_meanwhile(room: Room) -> None:
    shelf = room.shelf(size=1)
    await room.scribe.create("a")
    known = await load(shelf)
    await room.scribe.create("b")
    await room.scribe.update("a", 2)
    begun = await begin(room, shelf)
    await load(shelf, "b")
    assert await finish(begun) is known
    known.check()
    assert known.state == {"n": 2}


async def test_it_adds_only_what_a_faster_one_did_not(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    live = await load(shelf)
    await room.scribe.update("a", 2)
    first, second = await begin(room, shelf), await begin(room, shelf)
    assert await finish(second) is live
    assert await finish(first) is live
    shelf.check()
    assert live.state == {"n": 2}
