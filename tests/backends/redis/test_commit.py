"""Test what the scripts and the layout promise beyond the contract."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from chord.backends.redis import RedisBackend
from chord.backends.redis.commit import Layout, Shard
from chord.backends.redis.connection import Command, Connections, Lane, Reply
from chord.errors import BackendUnavailable, ConfigurationError, CorruptData
from chord.position import Position
from chord.records import Operation, Snapshot
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_death,
    make_rebirth,
    make_step,
    walk,
)
from chord.testing.servers import Server

pytestmark = [pytest.mark.anyio, pytest.mark.server]


# -- scripts -------------------------------------------------------------------------------------


async def test_scripts_that_the_server_forgot_are_sent_again(
    redis_backend: RedisBackend, client: redis.Redis
) -> None:
    await redis_backend.commit(make_birth())
    client.script_flush()
    commits = [redis_backend.commit(make_birth(f"c:{i}")) for i in range(10)]
    await asyncio.gather(*commits, redis_backend.commit(make_step(BORN)))
    client.script_flush()
    grant = await redis_backend.acquire(ROOM, "ana", ttl=9.0, address="", fresh_epoch=None)
    client.script_flush()
    assert await redis_backend.renew({ROOM: grant.fence}, 9.0) == set()
    client.script_flush()
    assert await redis_backend.load(ROOM) == grant.stored
    client.script_flush()
    assert await redis_backend.trim(1e9, 10) == 1


async def test_a_call_that_is_refused_does_not_hurt_its_neighbours(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard
) -> None:
    client.set(shard.key(b"meta", ROOM.encode()), "not a hash")
    commits = [redis_backend.commit(make_birth(key)) for key in ("a", ROOM, "b")]
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), CorruptData, type(None)]


# -- what is large -------------------------------------------------------------------------------


async def test_a_thousand_contexts_are_committed_at_once(redis_backend: RedisBackend) -> None:
    ids = [f"c:{i}" for i in range(1000)]
    await asyncio.gather(*(redis_backend.commit(make_birth(key)) for key in ids))
    await asyncio.gather(*(redis_backend.commit(make_step(BORN, key)) for key in ids))
    assert await redis_backend.heads(ids) == dict.fromkeys(ids, walk(BORN, 1))


async def test_a_large_snapshot_comes_back(redis_backend: RedisBackend) -> None:
    state = bytes(range(256)) * 20_000
    await redis_backend.commit(make_birth(snapshot=Snapshot(1, state)))
    stored = await redis_backend.load(ROOM)
    assert stored
    assert stored.snapshot == Snapshot(1, state)


async def test_a_batch_of_many_entries_is_one_act(redis_backend: RedisBackend) -> None:
    op_ids = [f"op-{i}" for i in range(2500)]
    await redis_backend.commit(make_birth())
    batch = make_step(BORN, count=2500, op_ids=op_ids, snapshot=Snapshot(2400, b"state"))
    await redis_backend.commit(batch)
    stored = await redis_backend.load(ROOM, operations=None)
    assert stored
    assert stored.entries[1:] == batch.entries
    assert sorted(stored.operations) == sorted(op_ids[-1000:])
    assert await redis_backend.trim(1e9, 10) == 2400


async def test_versions_reach_to_two_to_the_53rd(redis_backend: RedisBackend) -> None:
    head = Position("e9", 2**53 - 3)
    await redis_backend.commit(make_birth())
    await redis_backend.commit(make_rebirth(BORN, head))
    await redis_backend.commit(make_step(head, at=250.0, op_ids=("last",)))
    stored = await redis_backend.load(ROOM, after=head, operations=None)
    assert stored
    assert stored.position == walk(head, 1)
    assert [entry.version for entry in stored.entries] == [head.version + 1]
    assert stored.operations == {"last": Operation(walk(head, 1), 250.0)}


# -- names ---------------------------------------------------------------------------------------


async def test_ids_may_be_any_text(redis_backend: RedisBackend) -> None:
    ids = sorted(
        ["}{", "{a}:meta:b", " ", "\n", "%s*?[", "é", "\U0010ffff", "日本" * 80, ":" * 512]
    )
    for key in ids:
        await redis_backend.commit(make_birth(key, op_ids=(f"op {key}",)))
    assert [summary.context_id for summary in await redis_backend.list("", None, 99)] == ids
    for key in ids:
        stored = await redis_backend.load(key, operations=None)
        assert stored
        known = {f"op {key}": Operation(BORN, 101.0)}
        assert (stored.context_id, stored.operations) == (key, known)


async def test_namespaces_are_apart(server: Server, namespace: str) -> None:
    one, other = (RedisBackend(server.url, namespace=namespace + tail) for tail in ("", ":1"))
    await one.open()
    await other.open()
    await one.commit(make_birth())
    assert await other.load(ROOM) is None
    assert not await other.list("", None, 9)
    await other.commit(make_birth(epoch="e2"))
    assert await one.heads([ROOM]) == {ROOM: BORN}
    await one.close()
    await other.close()


def test_a_namespace_with_braces_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Layout("a}b")


def test_a_shard_is_found_by_a_stable_hash() -> None:
    found = [Layout("n").find_shard(key).tag for key in (b"a", b"room:1", b"room:2")]
    assert found == [b"{n:67}", b"{n:144}", b"{n:42}"]


async def test_nothing_but_a_staged_snapshot_ever_expires(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str
) -> None:
    await redis_backend.acquire(ROOM, "ana", ttl=0.0, address="", fresh_epoch="e0")
    await redis_backend.commit(make_birth(count=3, op_ids=("a", "b")))
    await redis_backend.acquire(ROOM, "ana", ttl=9.0, address="", fresh_epoch="e0")
    keys = list(client.scan_iter(f"{{{namespace}:*"))
    assert len(keys) == 10
    assert {client.ttl(key) for key in keys} == {-1}


async def test_a_deleted_context_leaves_nothing(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str
) -> None:
    await redis_backend.commit(make_birth(count=3, op_ids=("a", "b")))
    await redis_backend.commit(make_death(Position("e1", 3)))
    assert not list(client.scan_iter(f"{{{namespace}:*"))


# -- a snapshot on its way -----------------------------------------------------------------------


@pytest.fixture
def evict_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snapshots vanish before their commit comes, as eviction may."""
    write = Connections.write

    async def write_last(self: Connections, shard: int, *commands: Command) -> list[Reply]:
        return [*[None] * (len(commands) - 1), *await write(self, shard, commands[-1])]

    monkeypatch.setattr(Connections, "write", write_last)


@pytest.mark.usefixtures("evict_staged")
async def test_a_creation_whose_snapshot_vanished_is_not_applied(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str
) -> None:
    with pytest.raises(BackendUnavailable, match="snapshot"):
        await redis_backend.commit(make_birth())
    assert not list(client.scan_iter(f"{{{namespace}:*"))


async def test_a_step_whose_snapshot_vanished_is_applied_without(
    redis_backend: RedisBackend, request: pytest.FixtureRequest
) -> None:
    await redis_backend.commit(make_birth(count=3))
    request.getfixturevalue("evict_staged")
    head = Position("e1", 3)
    await redis_backend.commit(make_step(head, snapshot=Snapshot(4, b"gone"), trim_to=4))
    stored = await redis_backend.load(ROOM)
    assert stored
    assert stored.snapshot == Snapshot(1, b"state-1")
    assert [entry.version for entry in stored.entries] == [2, 3, 4]


async def test_left_out_versions_whose_snapshot_vanished_are_not_applied(
    redis_backend: RedisBackend, request: pytest.FixtureRequest
) -> None:
    await redis_backend.commit(make_birth(count=3, op_ids=("a",)))
    before = await redis_backend.load(ROOM, operations=None)
    request.getfixturevalue("evict_staged")
    with pytest.raises(BackendUnavailable, match="snapshot"):
        await redis_backend.commit(make_step(Position("e1", 3), skip=5, count=2))
    assert await redis_backend.load(ROOM, operations=None) == before


async def test_a_snapshot_that_is_replaced_while_it_is_read_is_read_again(
    redis_backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis_backend.commit(make_birth())
    read = Connections.read

    async def read_slowly(self: Connections, shard: int, *commands: Command) -> list[Reply]:
        replies = await read(self, shard, commands[0])
        monkeypatch.setattr(Connections, "read", read)
        await redis_backend.commit(make_step(BORN, snapshot=Snapshot(2, b"state-2"), trim_to=1))
        return replies + await read(self, shard, *commands[1:])

    monkeypatch.setattr(Connections, "read", read_slowly)
    stored = await redis_backend.load(ROOM)
    assert stored
    assert stored.snapshot == Snapshot(2, b"state-2")
    assert [entry.version for entry in stored.entries] == [2]


async def test_a_snapshot_that_was_read_before_its_script_was_known_is_read_again(
    redis_backend: RedisBackend, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis_backend.commit(make_birth())
    client.script_flush()
    call = Lane.call

    async def call_slowly(self: Lane, commands: Sequence[Command]) -> list[Reply]:
        monkeypatch.setattr(Lane, "call", call)
        replies = await call(self, commands[:2])
        await redis_backend.commit(make_step(BORN, snapshot=Snapshot(2, b"state-2"), trim_to=1))
        return replies + await call(self, commands[2:])

    monkeypatch.setattr(Lane, "call", call_slowly)
    stored = await redis_backend.load(ROOM)
    assert stored
    assert stored.snapshot == Snapshot(2, b"state-2")


# -- data that is not ours -----------------------------------------------------------------------


@pytest.fixture
def shard(namespace: str) -> Shard:
    return Layout(namespace).find_shard(ROOM.encode())


KINDS = [b"meta", b"log", b"snapshot", b"operations"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_of_the_wrong_type_is_told_by_name(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard, kind: bytes
) -> None:
    await redis_backend.commit(make_birth(op_ids=("a",)))
    key = shard.key(kind, ROOM.encode())
    client.delete(key)
    client.geoadd(key, (1.0, 1.0, "a place"))
    with pytest.raises(CorruptData) as corrupt:
        await redis_backend.load(ROOM, operations=None)
    assert corrupt.value.where == key.decode()


@pytest.mark.parametrize("kind", ["due", "trim", "leases", "names"])
async def test_an_index_of_the_wrong_type_stops_a_write_before_it_begins(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard, kind: str
) -> None:
    await redis_backend.commit(make_birth())
    key = getattr(shard, kind)
    client.delete(key)
    client.set(key, "a string")
    before = {name: client.dump(name) for name in client.scan_iter(shard.tag.decode() + "*")}
    with pytest.raises(CorruptData) as corrupt:
        await redis_backend.commit(make_death(BORN))
    assert corrupt.value.where == key.decode()
    after = {name: client.dump(name) for name in client.scan_iter(shard.tag.decode() + "*")}
    assert after == before


SPOILED: list[tuple[bytes, Any]] = [
    (b"meta", lambda client, key: client.hset(key, "version", "many")),
    (b"meta", lambda client, key: client.hdel(key, "floor")),
    (b"meta", lambda client, key: client.hdel(key, "epoch")),
    (b"log", lambda client, key: client.lpop(key)),
    (b"log", lambda client, key: client.delete(key)),
    (b"snapshot", lambda client, key: client.delete(key)),
]


@pytest.mark.parametrize(("kind", "spoil"), SPOILED)
async def test_missing_and_spoiled_parts_are_told_by_name(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard, kind: bytes, spoil: Any
) -> None:
    await redis_backend.commit(make_birth(count=3))
    key = shard.key(kind, ROOM.encode())
    spoil(client, key)
    with pytest.raises(CorruptData) as corrupt:
        await redis_backend.load(ROOM)
    assert corrupt.value.where == key.decode()


@pytest.mark.parametrize("packed", [b"", b"12345678", b"12345678\xc1", b"\0" * 8 + b"\x90"])
async def test_an_entry_that_cannot_be_read_is_corrupt(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard, packed: bytes
) -> None:
    await redis_backend.commit(make_birth(count=3))
    client.lset(shard.key(b"log", ROOM.encode()).decode(), 1, packed.decode("latin-1"))
    with pytest.raises(CorruptData, match=ROOM):
        await redis_backend.load(ROOM)


async def test_entries_out_of_order_are_corrupt(
    redis_backend: RedisBackend, client: redis.Redis, shard: Shard
) -> None:
    await redis_backend.commit(make_birth(count=3))
    log = shard.key(b"log", ROOM.encode()).decode()
    client.rpush(log, client.lpop(log))  # type: ignore[arg-type]
    with pytest.raises(CorruptData, match=ROOM):
        await redis_backend.load(ROOM)


# -- several processes ---------------------------------------------------------------------------

WRITER = textwrap.dedent("""
    import asyncio, sys
    from chord.backends.redis import RedisBackend
    from chord.errors import VersionConflict
    from chord.testing.contract_batches import ROOM, make_entry, make_step

    async def main(url, namespace, name):
        backend = RedisBackend(url, namespace=namespace)
        await backend.open()
        for i in range(50):
            while True:
                [head] = (await backend.heads([ROOM])).values()
                entry = make_entry(head.version + 1, commit_id=f"{name}:{i}")
                try:
                    await backend.commit(make_step(head, entries=(entry,)))
                    break
                except VersionConflict:
                    pass
        await backend.close()

    asyncio.run(main(*sys.argv[1:]))
""")


async def test_four_processes_that_compare_and_set_lose_nothing(
    redis_backend: RedisBackend, server: Server, namespace: str
) -> None:
    await redis_backend.commit(make_birth())
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, server.url, namespace, f"writer-{i}"
        )
        for i in range(4)
    ]
    assert [await writer.wait() for writer in writers] == [0] * 4
    stored = await redis_backend.load(ROOM)
    assert stored
    assert stored.position == walk(BORN, 200)
    written = {entry.commit_id for entry in stored.entries[1:]}
    assert written == {f"writer-{i}:{k}" for i in range(4) for k in range(50)}
