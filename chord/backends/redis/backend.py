"""Hold `RedisBackend`: contexts on a Redis or Valkey server, version 6.2 or later."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

from chord.backends.redis import commit, index, lease
from chord.backends.redis.connection import Connections, Refusal
from chord.errors import BackendUnavailable, ConfigurationError
from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary


class EvictionWarning(RuntimeWarning):
    """The server is set to drop keys when its memory is full: parts of contexts would vanish."""


class RedisBackend:
    """A store on one server, named by the URL as the driver reads it: redis, rediss or unix.

    What is acknowledged is in the server's memory; what its restart keeps is told by its own
    settings (`appendonly`, `save`), which `flush` does not override. `timeout` is how long a reply
    may take to come whole, the largest state's included; `connect_timeout` how long a greeting may.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "chord",
        timeout: float = 2.0,
        connect_timeout: float = 1.0,
    ) -> None:
        self._layout = commit.Layout(namespace)
        self._server = Connections(url, timeout=timeout, connect_timeout=connect_timeout)

    @property
    def address(self) -> str:
        return self._server.address

    async def open(self) -> None:
        """Attach to the running loop, and look whether the server will do.

        Warns with `EvictionWarning` where keys without an expiry may be evicted (`allkeys-*`). The
        `volatile-*` policies can only take a snapshot on its way, which is noticed.
        """
        self._server.attach()
        try:
            await self._examine()
        except BaseException:
            await self._server.close()
            raise

    async def _examine(self) -> None:
        [pong] = await self._server.read(0, (b"PING",))
        if isinstance(pong, Refusal):
            raise BackendUnavailable(self.address, pong.words)
        facts = await self._read_facts()
        version = facts.get("redis_version", "")
        if version and tuple(map(int, version.split(".")[:2])) < (6, 2):
            raise ConfigurationError(f"{self.address} runs version {version}; 6.2 is needed")
        if facts.get("maxmemory_policy", "").startswith("allkeys"):
            warnings.warn(
                f"{self.address} evicts keys when its memory is full "
                f"(maxmemory-policy {facts['maxmemory_policy']}): contexts will be lost; "
                "set it to noeviction",
                EvictionWarning,
                stacklevel=4,
            )

    async def _read_facts(self) -> dict[str, str]:
        """What INFO tells; nothing where it is forbidden."""
        [info] = await self._server.read(0, (b"INFO",))
        if isinstance(info, Refusal):
            return {}
        lines = info.decode(errors="replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def close(self) -> None:
        await self._server.close()

    async def flush(self) -> None:
        self._server.check()

    # -- one context ---------------------------------------------------------------------------

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        return await commit.load(
            self._server, self._layout, context_id, after, operations, operations_since
        )

    async def commit(self, batch: Batch) -> None:
        await commit.commit(self._server, self._layout, batch)

    async def acquire(
        self,
        context_id: str,
        owner: str,
        *,
        ttl: float,
        address: str,
        fresh_epoch: str | None,
        operations_since: float = 0.0,
    ) -> Grant:
        return await lease.acquire(
            self._server,
            self._layout,
            context_id,
            owner,
            ttl,
            address,
            fresh_epoch,
            operations_since,
        )

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        return await lease.renew(self._server, self._layout, fences, ttl)

    async def release(self, context_id: str, fence: Fence) -> bool:
        return await lease.release(self._server, self._layout, context_id, fence)

    # -- many contexts -------------------------------------------------------------------------

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        return await index.read_heads(self._server, self._layout, context_ids)

    async def due(self, before: float, limit: int) -> list[Summary]:
        return await index.find_due(self._server, self._layout, before, limit)

    async def trim(self, before: float, limit: int) -> int:
        return await index.trim(self._server, self._layout, before, limit)

    async def list(self, prefix: str, after: str | None, limit: int) -> list[Summary]:
        return await index.list_page(self._server, self._layout, prefix, after, limit)

    def statistics(self) -> dict[str, dict[str, int]]:
        """Count the calls of each lane, the flushes that they shared, and connections made."""
        return self._server.statistics()

    def __repr__(self) -> str:
        return f"<RedisBackend {self.address}>"
