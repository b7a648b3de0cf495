"""Hold what the conformance suite runs over: every kind of runtime, on every kind of store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.backends.redis import RedisBackend
from chord.backends.sqlite import SqliteBackend
from chord.clock import ManualClock
from chord.testing.servers import Server
from tests.runtime.kinds import RELAXED, RUNTIMES
from tests.runtime.stage import Connect, MakeRuntime, Runtime, Stage
from tests.servers import namespace as namespace
from tests.servers import redis_server as redis_server
from tests.servers import valkey_server as valkey_server
from tests.waiting import PatientClock, running

STORES = [
    "memory",
    "sqlite",
    pytest.param("redis", marks=pytest.mark.server),
    pytest.param("valkey", marks=pytest.mark.server),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is acknowledged before it is stored differs on no store: run that on one."""
    items[:] = [item for item in items if not _is_needless(item)]


def _is_needless(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    relaxed = [param.values[0] for param in RELAXED]
    return params.get("make_runtime") in relaxed and params.get("connect", "memory") != "memory"


@pytest.fixture
def clock() -> PatientClock:
    return PatientClock()


@pytest.fixture(params=STORES)
def connect(request: pytest.FixtureRequest, clock: ManualClock) -> Connect:
    """How a store is opened, once more each time: each store in turn."""
    make: Connect = request.getfixturevalue(f"connect_{request.param}")
    return make


@pytest.fixture
def connect_memory(clock: ManualClock) -> Connect:
    backend = MemoryBackend(clock=clock)

    async def connect() -> Backend:
        await backend.open()
        return backend

    return connect


@pytest.fixture
def connect_sqlite(tmp_path: Path, clock: PatientClock) -> Connect:
    async def connect() -> Backend:
        backend = clock.attend(SqliteBackend(tmp_path / "store.db", clock=clock))
        await backend.open()
        return backend

    return connect


@pytest.fixture
def connect_redis(redis_server: Server, namespace: str, clock: PatientClock) -> Connect:
    return _connect_to(redis_server, namespace, clock)


@pytest.fixture
def connect_valkey(valkey_server: Server, namespace: str, clock: PatientClock) -> Connect:
    return _connect_to(valkey_server, namespace, clock)


def _connect_to(server: Server, namespace: str, clock: PatientClock) -> Connect:
    async def connect() -> Backend:
        backend = clock.attend(RedisBackend(server.url, namespace=namespace))
        await backend.open()
        return backend

    return connect


@pytest.fixture(params=RUNTIMES)
def make_runtime(request: pytest.FixtureRequest) -> MakeRuntime:
    make: MakeRuntime = request.param
    return make


@pytest.fixture
async def stage(
    make_runtime: MakeRuntime, connect: Connect, clock: ManualClock
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(make_runtime, connect, clock, stack)
        async with running(clock):
            await stack.aclose()


@pytest.fixture
async def chord(stage: Stage) -> Runtime:
    """A runtime with the default settings."""
    return await stage.open()
