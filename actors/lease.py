"""Hold `Leases`: the taking, renewing and giving back of contexts' leases, for one runtime."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs

from chord.backends.base import Backend
from chord.clock import Clock
from chord.config import Settings
from chord.errors import BackendUnavailable, OutcomeUnknown
from chord.position import Position
from chord.records import Fence, Stored


@attrs.define
class Lease:
    """A lease that this runtime was given, and until when, as a monotonic time, it is sure of it.

    That is counted from before the store was asked, so it never lasts longer here than there.
    """

    fence: Fence
    until: float

    def is_sure(self, now: float) -> bool:
        return now < self.until

    def prolong(self, until: float) -> None:
        self.until = max(self.until, until)


class Leases:
    """Talks to the store in the name of one owner. Raises what `Backend` raises."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self._clock: Clock = settings.clock
        self._op_ttl = settings.op_ttl
        self._address = settings.address
        self._marks = settings.durability != "write-through"
        self._releases: dict[str, asyncio.Event] = {}
        self.owner = f"{socket.gethostname()[:64]}/{os.getpid()}/{secrets.token_hex(8)}"
        self.ttl = settings.lease_ttl

    async def activate(self, context_id: str) -> tuple[Lease, Stored | None]:
        """Take a lease and load the context. Past an open mark a new epoch begins in this act.

        A runtime that may show what is not stored marks the context open. A lease of its own that
        it is giving back is waited for: the mark has to be cleared first.
        """
        while (released := self._releases.get(context_id)) is not None:
            await released.wait()
        if self._marks:
            return await self._acquire(context_id, secrets.token_hex(8))
        lease, stored = await self._acquire(context_id, None)
        if stored is not None and stored.unclean:
            return await self._acquire(context_id, secrets.token_hex(8))
        return lease, stored

    async def begin_epoch(self, context_id: str) -> tuple[Lease, Stored | None]:
        """Take the lease anew, and begin a new epoch: what the store has is not to be continued."""
        await self._acquire(context_id, secrets.token_hex(8))  # it marks the context, at the least
        return await self._acquire(context_id, secrets.token_hex(8))

    async def reclaim(self, context_id: str) -> tuple[Lease, Stored | None]:
        """Take the lease anew, for a context that is in memory: nothing is marked or begun.

        Whatever was sent under the old token, and has not arrived yet, is refused from now on.
        """
        return await self._acquire(context_id, None)

    async def _acquire(
        self, context_id: str, fresh_epoch: str | None
    ) -> tuple[Lease, Stored | None]:
        asked = self._clock.monotonic()
        with self._writing_nothing():
            grant = await self._backend.acquire(
                context_id,
                self.owner,
                ttl=self.ttl,
                address=self._address,
                fresh_epoch=fresh_epoch,
                operations_since=self._clock.time() - self._op_ttl,
            )
        return Lease(grant.fence, asked + self.ttl), grant.stored

    async def renew(self, leases: Mapping[str, Lease]) -> set[str]:
        """Prolong leases; return the ids of those that are not ours any more."""
        asked = self._clock.monotonic()
        fences = {context_id: lease.fence for context_id, lease in leases.items()}
        with self._writing_nothing():
            lost = await self._backend.renew(fences, self.ttl)
        for context_id, lease in leases.items():
            if context_id not in lost:
                lease.prolong(asked + self.ttl)
        return lost

    async def confirm(self, context_id: str, lease: Lease, stored: Position | None) -> bool:
        """Prolong a lease that may have lapsed; False unless nothing can have been written since.

        That is so where the token is current, and the store where it was left.
        """
        if await self.renew({context_id: lease}):
            return False
        return await self.locate(context_id) == stored

    async def locate(self, context_id: str) -> Position | None:
        """Where the context is in the store."""
        return (await self._backend.heads([context_id])).get(context_id)

    async def release(self, context_id: str, lease: Lease) -> bool:
        released = self._releases[context_id] = asyncio.Event()
        try:
            return await self._backend.release(context_id, lease.fence)
        finally:
            self._releases.pop(context_id, None)
            released.set()

    @contextmanager
    def _writing_nothing(self) -> Iterator[None]:
        """Whether a lease was taken or not: nobody's write was applied by that."""
        try:
            yield
        except OutcomeUnknown as error:
            raise BackendUnavailable(error.where, error.reason) from error

    def __repr__(self) -> str:
        return f"<Leases owner={self.owner}>"
