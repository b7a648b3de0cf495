"""Test what taking a lease promises on Redis beyond the contract."""

from __future__ import annotations

import pytest
import redis

from chord.backends.redis import RedisBackend
from chord.backends.redis.connection import Command, Connections, Reply
from chord.position import Position
from chord.records import Grant, Snapshot
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_step, walk

pytestmark = [pytest.mark.anyio, pytest.mark.server]

HEAD = walk(BORN, 500)


async def take(
    backend: RedisBackend, *, owner: str = "ana", ttl: float = 9.0, fresh_epoch: str = "fresh"
) -> Grant:
    return await backend.acquire(ROOM, owner, ttl=ttl, address="", fresh_epoch=fresh_epoch)


def count_round_trips(backend: RedisBackend) -> int:
    return sum(lane["flushes"] for lane in backend.statistics().values())


@pytest.fixture
async def full_backend(redis_backend: RedisBackend) -> RedisBackend:
    """A store of a context that has a snapshot, a log and op ids; its scripts are known."""
    op_ids = [f"op-{i}" for i in range(500)]
    await redis_backend.commit(make_birth())
    await redis_backend.commit(
        make_step(BORN, count=500, op_ids=op_ids, snapshot=Snapshot(401, b"state"), trim_to=400)
    )
    await redis_backend.acquire("other", "ana", ttl=9.0, address="", fresh_epoch=None)
    return redis_backend


async def test_a_lease_and_all_that_it_covers_come_in_one_round_trip(
    full_backend: RedisBackend,
) -> None:
    before = count_round_trips(full_backend)
    grant = await take(full_backend)
    assert count_round_trips(full_backend) == before + 1
    assert grant.stored
    assert (grant.stored.position, grant.stored.snapshot) == (HEAD, Snapshot(401, b"state"))
    assert [entry.version for entry in grant.stored.entries] == list(range(401, 502))
    assert len(grant.stored.operations) == 500


async def test_so_they_do_past_a_mark(full_backend: RedisBackend) -> None:
    await take(full_backend, ttl=0.0)
    before = count_round_trips(full_backend)
    grant = await take(full_backend, owner="bob", fresh_epoch="e2")
    assert count_round_trips(full_backend) == before + 1
    assert grant.stored
    assert (grant.stored.position, grant.stored.floor) == (Position("e2", 501), 501)
    assert grant.stored.snapshot == Snapshot(401, b"state")


async def test_a_lease_that_is_taken_by_a_script_in_full_brings_the_same(
    full_backend: RedisBackend, client: redis.Redis
) -> None:
    client.script_flush()
    grant = await take(full_backend)
    assert grant.stored == await full_backend.load(ROOM, operations=None)


async def test_what_was_replaced_before_its_snapshot_was_read_is_read_again(
    full_backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Connections.write

    async def write_slowly(self: Connections, shard: int, *commands: Command) -> list[Reply]:
        monkeypatch.setattr(Connections, "write", write)
        replies = await write(self, shard, commands[0])
        bob = await take(full_backend, owner="bob", fresh_epoch="e2")
        step = make_step(Position("e2", 501), snapshot=Snapshot(502, b"new"), fence=bob.fence)
        await full_backend.commit(step)
        return replies + await write(self, shard, *commands[1:])

    monkeypatch.setattr(Connections, "write", write_slowly)
    grant = await take(full_backend, ttl=0.0)
    assert grant.stored == await full_backend.load(ROOM, operations=None)
    assert grant.stored
    assert grant.stored.snapshot == Snapshot(502, b"new")
