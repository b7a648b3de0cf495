"""Hold the fixtures that start real servers, once for all tests of a run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from chord.testing.servers import Server, ServerMissing, find_redis, find_valkey


def find_program(find: Callable[[], str]) -> str:
    """The path of a server's program; without it tests are skipped, but fail under CI."""
    try:
        return find()
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"this run is to test with real servers: {missing}")
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    with Server(find_program(find_redis)) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    with Server(find_program(find_valkey)) as server:
        yield server


@pytest.fixture(params=["redis_server", "valkey_server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers in turn. They are shared: use a `namespace`, and kill none."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=[find_redis, find_valkey], ids=["redis", "valkey"])
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of the test's own, to be killed or frozen."""
    with Server(find_program(request.param)) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """One that no other test uses."""
    return f"test-{uuid.uuid4().hex}"
