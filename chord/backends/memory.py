"""Hold `MemoryBackend`: contexts in this process's memory, and the reference of what a store does.

It keeps bytes like the others. Each act is one step without `await`, so nothing comes between.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Final

import attrs
from sortedcontainers import SortedList, SortedSet

from chord.backends.base import MAX_OPERATIONS, check_batch
from chord.clock import Clock, SystemClock
from chord.errors import (
    BackendUnavailable,
    DuplicateOperation,
    Fenced,
    OwnedElsewhere,
    VersionConflict,
)
from chord.expiry import Expiry
from chord.position import Position
from chord.records import (
    Batch,
    Entry,
    Fence,
    Grant,
    Operation,
    Snapshot,
    Stored,
    Summary,
)

ADDRESS: Final = "memory://"


class MemoryBackend:
    """A store that lives as long as this object; `close` keeps what it holds, for the next `open`.

    Facades share one by being given the same object. Leases are timed by `clock.monotonic()`.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._open = False
        self._slots: dict[str, _Slot] = {}
        self._ids: SortedSet[str] = SortedSet()
        self._aging = Expiry()
        self._covered = Expiry()
        self._terms = itertools.count(1)

    @property
    def address(self) -> str:
        return ADDRESS

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def flush(self) -> None:
        self._check_open()

    # -- one context ---------------------------------------------------------------------------

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        self._check_open()
        slot = self._slots.get(context_id)
        if slot is None:
            return None
        known = slot.operations.find(operations, operations_since)
        return slot.read(after, known, unclean=slot.marked and not slot.is_leased(self._now()))

    async def commit(self, batch: Batch) -> None:
        check_batch(batch)
        self._check_open()
        slot = self._slots.get(batch.context_id) or _Slot(batch.context_id)
        slot.admit(batch, self._now())
        slot.write(batch, self._now())
        self._file(slot)

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
        self._check_open()
        slot = self._slots.get(context_id) or _Slot(context_id)
        lease = slot.lease
        if lease and lease.fence.owner != owner and slot.is_leased(self._now()):
            raise OwnedElsewhere(context_id, lease.fence.owner, lease.address)
        fence = Fence(owner, next(self._terms))
        slot.lease = _Lease(fence, address, self._now() + ttl)
        if fresh_epoch is not None:
            slot.mark(fresh_epoch)
        self._file(slot)
        known = slot.operations.find(None, operations_since)
        return Grant(fence, slot.read(None, known, unclean=slot.marked and fresh_epoch is None))

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        self._check_open()
        return {key for key, fence in fences.items() if not self._renew(key, fence, ttl)}

    async def release(self, context_id: str, fence: Fence) -> bool:
        self._check_open()
        slot = self._slots.get(context_id)
        if slot is None or not slot.is_held_by(fence):
            return False
        slot.lease, slot.marked = None, False
        self._file(slot)
        return True

    # -- many contexts -------------------------------------------------------------------------

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        self._check_open()
        slots = (self._slots.get(key) for key in context_ids)
        return {slot.context_id: slot.position for slot in slots if slot and slot.position}

    async def due(self, before: float, limit: int) -> list[Summary]:
        self._check_open()
        return [self._slots[key].summarize() for key in self._aging.due(before, limit)]

    async def trim(self, before: float, limit: int) -> int:
        self._check_open()
        return sum(self._trim(self._slots[key], before) for key in self._covered.due(before, limit))

    async def list(self, prefix: str, after: str | None, limit: int) -> list[Summary]:
        self._check_open()
        begin = prefix if after is None else max(prefix, after)
        ids = self._ids.irange(begin, inclusive=(begin != after, True))
        page = itertools.takewhile(lambda key: key.startswith(prefix), ids)
        return [self._slots[key].summarize() for key in itertools.islice(page, max(limit, 0))]

    # -- within --------------------------------------------------------------------------------

    def _trim(self, slot: _Slot, before: float) -> int:
        dropped = slot.drop_older(before)
        self._file(slot)
        return dropped

    def _renew(self, context_id: str, fence: Fence, ttl: float) -> bool:
        slot = self._slots.get(context_id)
        if slot is None or not slot.is_held_by(fence):
            return False
        slot.prolong(self._now() + ttl)
        return True

    def _file(self, slot: _Slot) -> None:
        """Bring the indexes in line with what became of the slot."""
        key = slot.context_id
        self._slots[key] = slot
        if slot.position is None:
            self._ids.discard(key)
            self._aging.discard(key)
        else:
            self._ids.add(key)
            self._aging.set(key, slot.updated_at)
        oldest = slot.find_covered()
        if oldest is None:
            self._covered.discard(key)
        else:
            self._covered.set(key, oldest.updated_at)
        if slot.is_empty():
            del self._slots[key]

    def _now(self) -> float:
        return self._clock.monotonic()

    def _check_open(self) -> None:
        if not self._open:
            raise BackendUnavailable(ADDRESS, "not open")

    def check(self) -> None:
        """Assert that indexes and contexts tell the same, and that no log has a hole."""
        held = {key for key, slot in self._slots.items() if slot.position}
        assert held == set(self._ids)
        assert len(held) == len(self._aging)
        for index in (self._aging, self._covered):
            index.check()
        for slot in self._slots.values():
            slot.check()

    def statistics(self) -> dict[str, int]:
        """Count what is held, and its bytes."""
        slots = self._slots.values()
        return {
            "contexts": len(self._ids),
            "entries": sum(len(slot.log) for slot in slots),
            "leases": sum(slot.lease is not None for slot in slots),
            "bytes": sum(slot.count_bytes() for slot in slots),
        }

    def __repr__(self) -> str:
        return f"<MemoryBackend open={self._open} contexts={len(self._ids)}>"


class _Operations:
    """The recent op ids of one context: by id, and by age."""

    __slots__ = ("_ages", "_known")

    def __init__(self) -> None:
        self._known: dict[str, Operation] = {}
        self._ages: SortedList[tuple[float, int, str]] = SortedList()

    def find(self, wanted: Collection[str] | None, since: float) -> dict[str, Operation]:
        ids = self._known.keys() if wanted is None else self._known.keys() & set(wanted)
        return {op_id: self._known[op_id] for op_id in ids if self.knows(op_id, since)}

    def knows(self, op_id: str, since: float) -> bool:
        return op_id in self._known and self._known[op_id].at >= since

    def add(self, op_id: str, operation: Operation) -> None:
        self._known[op_id] = operation
        self._ages.add((operation.at, operation.position.version, op_id))

    def forget(self, before: float) -> None:
        while self._ages and self._ages[0][0] < before:
            del self._known[self._ages.pop(0)[2]]

    def limit(self, most: int) -> None:
        while len(self._ages) > most:
            del self._known[self._ages.pop(0)[2]]

    def __len__(self) -> int:
        return len(self._known)


@attrs.define
class _Lease:
    fence: Fence
    address: str
    deadline: float


@attrs.define
class _Slot:
    """What there is under one id: a context, a lease, or both."""

    context_id: str
    position: Position | None = None
    updated_at: float = 0.0
    floor: int = 0
    snapshot: Snapshot | None = None
    log: list[Entry] = attrs.Factory(list)
    operations: _Operations = attrs.Factory(_Operations)
    lease: _Lease | None = None
    marked: bool = False

    # -- the lease -----------------------------------------------------------------------------

    def is_leased(self, now: float) -> bool:
        return self.lease is not None and self.lease.deadline > now

    def is_held_by(self, fence: Fence) -> bool:
        return self.lease is not None and self.lease.fence == fence

    def prolong(self, deadline: float) -> None:
        assert self.lease
        self.lease.deadline = max(self.lease.deadline, deadline)

    def mark(self, fresh_epoch: str) -> None:
        if self.marked and self.position:
            self.position = Position(fresh_epoch, self.position.version)
            self.floor = self.position.version
        self.marked = True

    # -- a commit ------------------------------------------------------------------------------

    def admit(self, batch: Batch, now: float) -> None:
        """Raise what speaks against the batch; nothing is changed."""
        self._check_owner(batch, now)
        for entry in batch.entries:
            if entry.op_id and self.operations.knows(entry.op_id, batch.forget_before):
                raise DuplicateOperation(batch.context_id, entry.op_id)
        past_mark = self.marked and batch.fence is None and continues(batch)
        if self.position != batch.expect or past_mark:
            raise VersionConflict(batch.context_id, batch.expect, self.position)

    def _check_owner(self, batch: Batch, now: float) -> None:
        if batch.fence:
            if not self.is_held_by(batch.fence):
                raise Fenced(batch.context_id)
        elif self.lease and self.is_leased(now):
            raise OwnedElsewhere(batch.context_id, self.lease.fence.owner, self.lease.address)

    def write(self, batch: Batch, now: float) -> None:
        """Carry the batch out; it was admitted."""
        if batch.fence:
            self.prolong(now + batch.lease_ttl)
        else:
            self.lease, self.marked = None, False
        if not continues(batch):
            self._end_life(batch)
        self.position = batch.position
        self.updated_at = batch.updated_at
        self.snapshot = batch.snapshot or self.snapshot
        self.log.extend(batch.entries)
        self._drop_to(batch.trim_to)
        self._remember(batch)

    def _end_life(self, batch: Batch) -> None:
        self.log.clear()
        self.snapshot = None
        self.floor = batch.entries[0].version if batch.entries else 0
        if batch.position is None or batch.forget_operations:
            self.operations = _Operations()

    def _remember(self, batch: Batch) -> None:
        self.operations.forget(batch.forget_before)
        for entry in batch.entries:
            if entry.op_id and batch.position:
                position = Position(batch.position.epoch, entry.version)
                self.operations.add(entry.op_id, Operation(position, entry.updated_at))
        self.operations.limit(MAX_OPERATIONS)

    # -- the log -------------------------------------------------------------------------------

    def find_covered(self) -> Entry | None:
        """The oldest entry, if a snapshot covers it and it is not the newest."""
        if len(self.log) < 2 or self.snapshot is None:
            return None
        return self.log[0] if self.log[0].version <= self.snapshot.version else None

    def drop_older(self, before: float) -> int:
        dropped = 0
        while (oldest := self.find_covered()) and oldest.updated_at <= before:
            del self.log[0]
            dropped += 1
        return dropped

    def _drop_to(self, version: int) -> None:
        covered = min(version, self.snapshot.version) if self.snapshot else 0
        del self.log[: bisect.bisect_right(self.log, covered, key=attrgetter("version"))]

    # -- reading -------------------------------------------------------------------------------

    def read(
        self, after: Position | None, operations: Mapping[str, Operation], *, unclean: bool
    ) -> Stored | None:
        if self.position is None:
            return None
        tail = self._find_tail(after)
        return Stored(
            context_id=self.context_id,
            position=self.position,
            updated_at=self.updated_at,
            floor=self.floor,
            snapshot=self.snapshot if tail is None else None,
            entries=tuple(self.log if tail is None else self.log[tail:]),
            operations=operations,
            unclean=unclean,
        )

    def _find_tail(self, after: Position | None) -> int | None:
        """Where in the log the entries behind `after` begin; None if they do not reach so far."""
        if after is None or self.position is None or after.epoch != self.position.epoch:
            return None
        missing = self.position.version - after.version
        reaches = 0 <= missing <= len(self.log) and after.version >= self.floor
        return len(self.log) - missing if reaches else None

    def summarize(self) -> Summary:
        assert self.position
        return Summary(
            context_id=self.context_id, position=self.position, updated_at=self.updated_at
        )

    def is_empty(self) -> bool:
        return self.position is None and self.lease is None and not self.marked

    def count_bytes(self) -> int:
        state = len(self.snapshot.state) if self.snapshot else 0
        return state + sum(len(entry.changes) for entry in self.log)

    def check(self) -> None:
        assert not self.is_empty()
        versions = [entry.version for entry in self.log]
        head = self.position.version if self.position else 0
        assert versions == list(range(head - len(versions) + 1, head + 1))
        assert len(self.operations) <= MAX_OPERATIONS
        if self.position:
            assert self.snapshot
            assert self.snapshot.version <= head
            assert not versions or versions[0] <= self.snapshot.version + 1


def continues(batch: Batch) -> bool:
    """Whether the batch goes on with the life that it expects."""
    return bool(batch.expect and batch.position and batch.expect.epoch == batch.position.epoch)
