"""Hold the part of the backend contract that is about many contexts: lists, due ones, trimming."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from chord.backends.base import Backend
from chord.position import Position
from chord.records import Operation, Snapshot, Summary
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_death,
    make_entry,
    make_rebirth,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import ContractFixtures, Elapse

LAST = "\U0010ffff"
IDS = [
    "a",
    "a ",
    "a b",
    "a%",
    "a/",
    "a/b",
    "a/b/c",
    "a_b",
    "a*",
    "A",
    "ab",
    "aB",
    "b:1",
    "b:10",
    "b:2",
    "{b}",
    "[b]",
    "\\",
    "'\"",
    "\x01",
    "line\nbreak",
    "\u00e9",
    "e\u0301",
    "\u65e5\u672c",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U0001f600",
    LAST,
    LAST + "x",
    "x" * 512,
    "x" * 511,
    "\u20ac" * 170,
]


def list_ids(page: Iterable[Summary]) -> list[str]:
    return [summary.context_id for summary in page]


async def give_birth(backend: Backend, *names: str) -> None:
    for i, name in enumerate(names):
        await backend.commit(make_birth(name, at=1000.0 + i))


class IndexContract(ContractFixtures):
    # -- heads -------------------------------------------------------------------------------

    async def test_heads_tells_those_that_there_are(self, backend: Backend) -> None:
        await backend.commit(make_birth("one"))
        await backend.commit(make_birth("two", epoch="e2", count=3))
        heads = await backend.heads(["one", "two", "three", ""])
        assert heads == {"one": BORN, "two": Position("e2", 3)}
        assert await backend.heads([]) == {}

    async def test_heads_takes_many_ids(self, backend: Backend) -> None:
        await backend.commit(make_birth("x:1999"))
        heads = await backend.heads([f"x:{i}" for i in range(2000)])
        assert heads == {"x:1999": BORN}

    @pytest.mark.parametrize("name", IDS, ids=ascii)
    async def test_every_id_is_kept_as_it_is(self, backend: Backend, name: str) -> None:
        await backend.commit(make_birth(name, op_ids=("op",)))
        await backend.commit(make_step(BORN, name))
        stored = await backend.load(name, operations=["op"])
        assert stored
        assert (stored.context_id, stored.position) == (name, walk(BORN, 1))
        assert list_ids(await backend.list("", None, 5)) == [name]

    # -- list --------------------------------------------------------------------------------

    async def test_a_list_is_in_order_of_code_points(self, backend: Backend) -> None:
        await give_birth(backend, *IDS)
        assert list_ids(await backend.list("", None, 100)) == sorted(IDS)

    async def test_a_list_tells_position_and_time(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=2, at=77.25))
        summary = Summary(context_id=ROOM, position=Position("e1", 2), updated_at=77.25)
        assert [*await backend.list("", None, 5)] == [summary]

    async def test_an_empty_store_lists_nothing(self, backend: Backend) -> None:
        assert not await backend.list("", None, 5)
        assert not await backend.list("a", "ab", 5)

    async def test_a_prefix_is_taken_literally(self, backend: Backend) -> None:
        await give_birth(backend, *IDS)
        prefixes = ["a", "a/", "a%", "a_", "a*", "b:1", "{", "[", "\\", "\u00e9", "\u20ac", "x"]
        for prefix in [*prefixes, "\ud7ff", "\uffff", LAST, "x" * 512, "nothing"]:
            expected = sorted(name for name in IDS if name.startswith(prefix))
            assert list_ids(await backend.list(prefix, None, 100)) == expected

    async def test_a_page_goes_on_after_an_id(self, backend: Backend) -> None:
        await give_birth(backend, *IDS)
        for after in [*IDS, "", "aa", "~"]:
            expected = sorted(name for name in IDS if name > after)
            assert list_ids(await backend.list("", after, 100)) == expected

    @pytest.mark.parametrize("limit", [1, 3, 7])
    async def test_paging_shows_each_id_once(self, backend: Backend, limit: int) -> None:
        await give_birth(backend, *IDS)
        seen: list[str] = []
        while page := list_ids(await backend.list("", seen[-1] if seen else None, limit)):
            assert len(page) <= limit
            seen += page
        assert seen == sorted(IDS)

    async def test_prefix_and_after_hold_together(self, backend: Backend) -> None:
        await give_birth(backend, "a:1", "a:2", "a:3", "b:1")
        assert list_ids(await backend.list("a:", "a:1", 5)) == ["a:2", "a:3"]
        assert list_ids(await backend.list("a:", "a:1", 1)) == ["a:2"]
        assert list_ids(await backend.list("a:", "A", 5)) == ["a:1", "a:2", "a:3"]
        assert list_ids(await backend.list("a:", "a:", 5)) == ["a:1", "a:2", "a:3"]
        assert list_ids(await backend.list("a:", "a:3", 5)) == []
        assert list_ids(await backend.list("a:", "b", 5)) == []

    async def test_a_limit_of_nothing_lists_nothing(self, backend: Backend) -> None:
        await give_birth(backend, "a")
        assert not await backend.list("", None, 0)
        assert not await backend.due(1e9, 0)

    # -- due ---------------------------------------------------------------------------------

    async def test_due_contexts_come_oldest_first(self, backend: Backend) -> None:
        ages = {"a": 300.0, "b": 100.0, "c": 200.0, "d": 400.0}
        for name, at in ages.items():
            await backend.commit(make_birth(name, at=at))
        assert [*await backend.due(300.0, 10)] == [
            Summary(context_id=name, position=BORN, updated_at=ages[name]) for name in "bca"
        ]

    async def test_due_includes_the_moment_itself(self, backend: Backend) -> None:
        await backend.commit(make_birth(at=100.5))
        assert not await backend.due(100.25, 10)
        assert list_ids(await backend.due(100.5, 10)) == [ROOM]

    async def test_a_limit_keeps_the_oldest(self, backend: Backend) -> None:
        for i in range(20):
            await backend.commit(make_birth(f"c:{i}", at=500.0 - i))
        assert list_ids(await backend.due(1e9, 3)) == ["c:19", "c:18", "c:17"]

    async def test_times_around_zero_are_in_order(self, backend: Backend) -> None:
        for i, at in enumerate((0.5, -1.5, 0.0, 1e9)):
            await backend.commit(make_birth(f"c:{i}", at=at))
        assert list_ids(await backend.due(0.5, 10)) == ["c:1", "c:2", "c:0"]

    async def test_an_update_makes_a_context_young(self, backend: Backend) -> None:
        await backend.commit(make_birth("a", at=100.0))
        await backend.commit(make_birth("b", at=110.0))
        await backend.commit(make_step(BORN, "a", at=120.0))
        assert list_ids(await backend.due(119.0, 10)) == ["b"]
        assert list_ids(await backend.due(120.0, 10)) == ["b", "a"]

    async def test_due_follows_lives(self, backend: Backend) -> None:
        await backend.commit(make_birth("a", at=100.0))
        await backend.commit(make_birth("b", at=110.0))
        await backend.commit(make_death(BORN, "b"))
        await backend.commit(make_rebirth(BORN, Position("e2", 1), "a"))
        assert not await backend.due(150.0, 10)
        assert [summary.position for summary in await backend.due(1e9, 10)] == [Position("e2", 1)]

    async def test_lists_tell_the_epoch_that_a_lease_began(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        for epoch in ("e2", "e3"):
            await backend.acquire(ROOM, "ana", ttl=10.0, address="", fresh_epoch=epoch)
            await elapse(10.0, ROOM)
        fresh = Summary(context_id=ROOM, position=Position("e3", 1), updated_at=101.0)
        assert [*await backend.list("", None, 5)] == [*await backend.due(1e9, 5)] == [fresh]

    # -- trim --------------------------------------------------------------------------------

    async def _age(self, backend: Backend, name: str, ages: list[float], covered: int) -> None:
        entries = tuple(make_entry(i + 1, updated_at=at) for i, at in enumerate(ages))
        snapshot = Snapshot(covered, b"state")
        await backend.commit(
            make_birth(name, count=len(ages), entries=entries, snapshot=snapshot, at=1e6)
        )

    async def _list_versions(self, backend: Backend, name: str = ROOM) -> list[int]:
        stored = await backend.load(name)
        return [entry.version for entry in stored.entries] if stored else []

    async def test_trim_drops_old_entries_and_counts_them(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0, 30.0, 40.0], covered=4)
        assert await backend.trim(20.0, 10) == 2
        assert await self._list_versions(backend) == [3, 4]
        assert await backend.trim(20.0, 10) == 0

    async def test_trim_keeps_what_no_snapshot_covers(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0, 30.0, 40.0], covered=2)
        assert await backend.trim(1e9, 10) == 2
        assert await self._list_versions(backend) == [3, 4]
        stored = await backend.load(ROOM)
        assert stored
        assert stored.snapshot == Snapshot(2, b"state")

    async def test_trim_keeps_the_newest_entry(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0], covered=2)
        assert await backend.trim(1e9, 10) == 1
        assert await self._list_versions(backend) == [2]
        await backend.commit(make_step(Position("e1", 2), at=30.0))
        assert await backend.trim(1e9, 10) == 1
        assert await self._list_versions(backend) == [3]

    async def test_trim_leaves_no_hole_where_time_went_back(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 30.0, 20.0, 40.0], covered=4)
        assert await backend.trim(25.0, 10) == 1
        assert await self._list_versions(backend) == [2, 3, 4]
        assert await backend.trim(30.0, 10) == 2
        assert await self._list_versions(backend) == [4]

    async def test_trim_visits_the_oldest_first(self, backend: Backend) -> None:
        for i in range(6):
            await self._age(backend, f"c:{i}", [100.0 - i, 200.0, 300.0], covered=3)
        assert await backend.trim(150.0, 2) == 2
        kept = [len(await self._list_versions(backend, f"c:{i}")) for i in range(6)]
        assert kept == [3, 3, 3, 3, 2, 2]
        assert await backend.trim(150.0, 10) == 4

    async def test_trim_sees_entries_that_a_later_snapshot_covers(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0], covered=1)
        assert await backend.trim(1e9, 10) == 1
        head = Position("e1", 2)
        await backend.commit(make_step(head, at=30.0))
        assert await backend.trim(1e9, 10) == 0
        await backend.commit(make_step(walk(head, 1), at=40.0, snapshot=Snapshot(4, b"state")))
        assert await backend.trim(25.0, 10) == 1
        assert await self._list_versions(backend) == [3, 4]

    async def test_trim_follows_what_a_commit_trimmed(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0, 30.0, 40.0], covered=4)
        await backend.commit(make_step(Position("e1", 4), at=50.0, trim_to=2))
        assert await backend.trim(25.0, 10) == 0
        assert await backend.trim(30.0, 10) == 1
        assert await self._list_versions(backend) == [4, 5]

    async def test_trim_changes_nothing_but_the_log(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a",), snapshot=Snapshot(3, b"state-3")))
        before = await backend.load(ROOM, operations=None)
        await backend.trim(1e9, 10)
        after = await backend.load(ROOM, operations=None)
        assert before
        assert after
        assert (after.position, after.updated_at) == (before.position, before.updated_at)
        assert (after.floor, after.snapshot) == (before.floor, before.snapshot)
        assert after.operations == before.operations == {"a": Operation(BORN, 101.0)}

    async def test_after_what_trim_dropped_is_as_if_none_were_given(self, backend: Backend) -> None:
        await self._age(backend, ROOM, [10.0, 20.0, 30.0], covered=3)
        await backend.trim(15.0, 10)
        behind = await backend.load(ROOM, after=BORN)
        assert behind
        assert (behind.snapshot, len(behind.entries)) == (None, 2)
        await backend.trim(25.0, 10)
        assert await backend.load(ROOM, after=BORN) == await backend.load(ROOM)
