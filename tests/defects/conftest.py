"""Hold the fixtures of these tests: every kind of runtime, on every kind of store."""

from __future__ import annotations

from tests.runtime.conftest import chord as chord
from tests.runtime.conftest import clock as clock
from tests.runtime.conftest import connect as connect
from tests.runtime.conftest import connect_memory as connect_memory
from tests.runtime.conftest import connect_redis as connect_redis
from tests.runtime.conftest import connect_sqlite as connect_sqlite
from tests.runtime.conftest import connect_valkey as connect_valkey
from tests.runtime.conftest import make_runtime as make_runtime
from tests.runtime.conftest import stage as stage
from tests.servers import namespace as namespace
from tests.servers import own_server as own_server
from tests.servers import redis_server as redis_server
from tests.servers import valkey_server as valkey_server
