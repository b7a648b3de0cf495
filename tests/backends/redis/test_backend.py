"""Test what opening the backend looks at."""

from __future__ import annotations

import warnings

import pytest
import redis

from chord.backends.redis import EvictionWarning, RedisBackend
from chord.errors import BackendUnavailable, ConfigurationError
from chord.testing.contract_batches import ROOM
from chord.testing.servers import Server

pytestmark = [pytest.mark.anyio, pytest.mark.server]


async def test_a_server_that_evicts_keys_is_warned_of(
    own_server: Server, own_client: redis.Redis
) -> None:
    own_client.config_set("maxmemory-policy", "allkeys-lru")
    backend = RedisBackend(own_server.url)
    with pytest.warns(EvictionWarning, match="allkeys-lru"):
        await backend.open()
    await backend.close()


async def test_a_server_that_evicts_only_what_expires_is_not(
    own_server: Server, own_client: redis.Redis
) -> None:
    own_client.config_set("maxmemory-policy", "volatile-lru")
    backend = RedisBackend(own_server.url)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await backend.open()
    await backend.close()


async def test_a_user_who_may_not_look_can_work(
    own_server: Server, own_client: redis.Redis
) -> None:
    own_client.acl_setuser(
        "ana", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all"], commands=["-info"]
    )
    backend = RedisBackend(own_server.url.replace("//", "//ana:pw@"))
    await backend.open()
    assert await backend.load(ROOM) is None
    await backend.close()


async def test_an_old_server_is_refused(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_facts(self: RedisBackend) -> dict[str, str]:
        return {"redis_version": "6.0.16"}

    monkeypatch.setattr(RedisBackend, "_read_facts", read_facts)
    backend = RedisBackend(redis_server.url)
    with pytest.raises(ConfigurationError, match=r"6\.0\.16"):
        await backend.open()
    with pytest.raises(BackendUnavailable, match="not open"):
        await backend.load(ROOM)


def test_its_repr_tells_the_address_and_no_password() -> None:
    assert repr(RedisBackend("redis://:secret@host")) == "<RedisBackend host:6379/0>"
