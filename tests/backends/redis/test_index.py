"""Test that what is merged from all shards is what one sorted set would tell."""

from __future__ import annotations

import asyncio

import pytest
import redis

from chord.backends.redis import RedisBackend
from chord.backends.redis.commit import Layout
from chord.backends.redis.connection import Command, Connections, Reply
from chord.errors import CorruptData
from chord.testing.contract_batches import BORN, make_birth, make_death, make_step

pytestmark = [pytest.mark.anyio, pytest.mark.server]


def find_ids_of_one_shard(count: int) -> list[str]:
    layout = Layout("any")
    wanted = layout.find_shard(b"c:0").number
    ids = (f"c:{i}" for i in range(1_000_000))
    found = (key for key in ids if layout.find_shard(key.encode()).number == wanted)
    return sorted(next(found) for _ in range(count))


async def test_a_page_that_lies_in_one_shard_is_whole(redis_backend: RedisBackend) -> None:
    ids = find_ids_of_one_shard(40)
    await asyncio.gather(*(redis_backend.commit(make_birth(key)) for key in ids))
    page = await redis_backend.list("", None, 30)
    assert [summary.context_id for summary in page] == ids[:30]
    due = await redis_backend.due(101.0, 30)
    assert [summary.context_id for summary in due] == ids[:30]


async def test_a_page_stays_full_though_contexts_go_meanwhile(
    redis_backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"c:{i:02}" for i in range(20)]
    await asyncio.gather(*(redis_backend.commit(make_birth(key)) for key in ids))
    read_each = Connections.read_each

    async def read_late(self: Connections, commands: list[tuple[int, Command]]) -> list[Reply]:
        replies = await read_each(self, commands)
        monkeypatch.setattr(Connections, "read_each", read_each)
        await asyncio.gather(*(redis_backend.commit(make_death(BORN, key)) for key in ids[:4]))
        return replies

    monkeypatch.setattr(Connections, "read_each", read_late)
    page = await redis_backend.list("c:", None, 10)
    assert [summary.context_id for summary in page] == ids[4:14]


async def test_a_context_renewed_meanwhile_is_not_due(
    redis_backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(redis_backend.commit(make_birth(key)) for key in ("a", "b")))
    read_each = Connections.read_each

    async def read_late(self: Connections, commands: list[tuple[int, Command]]) -> list[Reply]:
        replies = await read_each(self, commands)
        monkeypatch.setattr(Connections, "read_each", read_each)
        await redis_backend.commit(make_step(BORN, "a", at=500.0))
        return replies

    monkeypatch.setattr(Connections, "read_each", read_late)
    assert [summary.context_id for summary in await redis_backend.due(101.0, 9)] == ["b"]


async def test_an_index_of_the_wrong_type_is_told_by_name(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str
) -> None:
    key = Layout(namespace).shards[7].names
    client.set(key, "a string")
    with pytest.raises(CorruptData) as corrupt:
        await redis_backend.list("", None, 10)
    assert corrupt.value.where == key.decode()


@pytest.mark.parametrize("field", ["epoch", "version"])
async def test_a_head_that_cannot_be_read_is_told_by_name(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str, field: str
) -> None:
    await redis_backend.commit(make_birth("c"))
    key = Layout(namespace).find_shard(b"c").key(b"meta", b"c")
    client.hset(key.decode(), field, b"\xff")
    for call in (redis_backend.heads(["c"]), redis_backend.list("", None, 1)):
        with pytest.raises(CorruptData) as corrupt:
            await call
        assert corrupt.value.where == key.decode()


async def test_a_head_without_its_time_is_told_by_name(
    redis_backend: RedisBackend, client: redis.Redis, namespace: str
) -> None:
    await redis_backend.commit(make_birth("c"))
    key = Layout(namespace).find_shard(b"c").key(b"meta", b"c")
    client.hdel(key.decode(), "updated_at")
    with pytest.raises(CorruptData) as corrupt:
        await redis_backend.list("", None, 1)
    assert corrupt.value.where == key.decode()
