"""Hold what the tests of backends share: real servers, and the Redis backend on one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from chord.backends.redis import RedisBackend
from chord.testing.servers import Server
from tests.servers import namespace as namespace
from tests.servers import own_server as own_server
from tests.servers import redis_server as redis_server
from tests.servers import server as server
from tests.servers import valkey_server as valkey_server


@pytest.fixture
async def redis_backend(server: Server, namespace: str) -> AsyncIterator[RedisBackend]:
    backend = RedisBackend(server.url, namespace=namespace)
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """The driver's own client, to see and to spoil what is stored."""
    with redis.Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def own_client(own_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_server.url) as client:
        yield client
