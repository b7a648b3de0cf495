"""Hand the fixtures of real servers to the tests of the examples."""

from __future__ import annotations

from tests.servers import redis_server as redis_server
