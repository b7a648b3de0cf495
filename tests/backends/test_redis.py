"""Test the backend on real Redis and Valkey servers against the contract."""

from __future__ import annotations

import struct

import pytest
import redis

from chord.backends.base import Backend
from chord.backends.redis import RedisBackend
from chord.backends.redis.commit import Layout
from chord.testing.contract import BackendContract
from chord.testing.contract_fixtures import Elapse, Reopen


@pytest.mark.server
class TestRedisBackend(BackendContract):
    @pytest.fixture
    def backend(self, redis_backend: RedisBackend) -> RedisBackend:
        return redis_backend

    @pytest.fixture
    def elapse(self, client: redis.Redis, namespace: str) -> Elapse:
        layout = Layout(namespace)

        async def elapse(seconds: float, *context_ids: str) -> None:
            for context_id in context_ids:
                age_lease(client, layout, context_id.encode(), seconds)

        return elapse

    @pytest.fixture
    def reopen(self) -> Reopen:
        async def reopen(backend: Backend) -> Backend:
            await backend.close()
            await backend.open()
            return backend

        return reopen


def age_lease(client: redis.Redis, layout: Layout, context_id: bytes, seconds: float) -> None:
    """Move the time at which a lease lapses: the server's clock cannot be."""
    leases = layout.find_shard(context_id).leases
    packed = client.hget(leases, context_id)
    if isinstance(packed, bytes):
        (lapses,) = struct.unpack_from(">Q", packed)
        aged = struct.pack(">Q", lapses - int(seconds * 1_000_000)) + packed[8:]
        client.hset(leases, context_id, aged)
