"""Test what is remembered of contexts, and what a store is asked for to bring it up to date."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from msgspec.structs import replace

from chord.backends.memory import MemoryBackend
from chord.errors import CorruptData
from chord.live import Live
from chord.position import Position
from chord.records import Stored
from chord.shelf import Found, Shelf
from chord.testing.contract_batches import make_birth, make_step
from tests.by_hand import ByHand
from tests.paper import make_journal
from tests.scribe import Scribe

pytestmark = pytest.mark.anyio


class Store(MemoryBackend):
    """Notes what loads start after."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Position | None] = []

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        self.asked.append(after)
        return await super().load(
            context_id,
            after=after,
            operations=operations,
            operations_since=operations_since,
        )


class Room:
    """A shelf, its store, whose answers may be given by hand, and another process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.journal = make_journal()
        self.backend = ByHand(store)
        self.scribe = Scribe(store, self.journal)

    def shelf(self, size: int = 10) -> Shelf:
        return Shelf(self.backend, self.journal, size)


async def open_room() -> Room:
    store = Store()
    await store.open()
    return Room(store)


@pytest.fixture
async def room() -> Room:
    return await open_room()


async def load(shelf: Shelf, context_id: str = "a") -> Live:
    live = (await shelf.fresh(context_id)).live
    assert live is not None
    shelf.check()
    return live


# -- what is remembered --------------------------------------------------------------------------


async def test_the_one_seen_longest_ago_makes_room(room: Room) -> None:
    shelf = room.shelf(size=2)
    for context_id in "abc":
        await room.scribe.create(context_id)
        await load(shelf, context_id)
        shelf.peek("a")
    assert [context_id for context_id in "abc" if shelf.peek(context_id)] == ["a", "c"]


async def test_a_shelf_of_size_0_remembers_nothing(room: Room) -> None:
    shelf = room.shelf(size=0)
    await room.scribe.create("a")
    assert (await load(shelf)).state == {"n": 1}
    assert (len(shelf), shelf.peek("a")) == (0, None)


async def test_a_fresh_one_is_asked_only_for_what_came_after(room: Room) -> None:
    shelf = room.shelf()
    known = await room.scribe.create("a")
    live = await load(shelf)
    await room.scribe.update("a", 2)
    room.store.asked.clear()
    assert await load(shelf) is live
    assert live.state == {"n": 2}
    assert room.store.asked == [known]


async def test_what_is_put_takes_the_place_of_less_of_the_same_life(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    older = await load(room.shelf())
    await room.scribe.update("a", 2)
    newer = await load(room.shelf())
    for live in (older, newer, older):
        shelf.put(live)
    assert shelf.peek("a") is newer


async def test_another_life_takes_the_place_of_the_last(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    await room.scribe.update("a", 2)
    await load(shelf)
    await room.scribe.delete("a")
    await room.scribe.create("a", epoch="next")
    assert (await load(shelf)).position == Position("next", 1)
    assert shelf.peek("a") is await load(shelf)


async def test_one_that_is_gone_is_dropped(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    await load(shelf)
    await room.scribe.delete("a")
    assert await shelf.fresh("a") == Found(None, {})
    assert shelf.peek("a") is None


async def test_one_that_the_store_lost_a_part_of_is_not_continued(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    restored = await load(room.shelf())
    await room.scribe.update("a", 2)
    ahead = await load(shelf)
    ahead.position = replace(ahead.position, version=3)
    live = await load(shelf)
    assert (live.ended, live.position.version) == (True, 2)
    assert not restored.ended


async def test_what_cannot_be_read_is_forgotten(room: Room) -> None:
    shelf = room.shelf()
    head = await room.scribe.create("a")
    await load(shelf)
    await room.store.commit(make_step(head, "a"))
    with pytest.raises(CorruptData):
        await shelf.fresh("a")
    assert shelf.peek("a") is None


async def test_what_could_never_be_read_is_not_remembered(room: Room) -> None:
    await room.store.commit(make_birth("a"))
    shelf = room.shelf()
    with pytest.raises(CorruptData):
        await shelf.fresh("a")
    assert len(shelf) == 0


# -- invariants ----------------------------------------------------------------------------------


async def test_check_finds_a_context_under_another_name(room: Room) -> None:
    shelf = room.shelf()
    await room.scribe.create("a")
    (await load(shelf)).context_id = "b"
    with pytest.raises(AssertionError):
        shelf.check()
