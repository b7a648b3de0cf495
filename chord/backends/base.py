"""Hold `Backend`, the contract that every store fulfils. What is in it is bytes to a store.

A backend knows nothing of states or deltas: it keeps, for each context, a head (position, time),
a snapshot, a log of entries, recent operation ids and a lease, and changes them in atomic acts.

Every method may raise `BackendUnavailable` (nothing was done) and `CorruptData`; one that changes
something may raise `OutcomeUnknown`. Nothing else leaves a backend: no driver's exception does.
A call that is cancelled may or may not have been carried out, and never disturbs another call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from chord.position import Position
from chord.records import Batch, Fence, Grant, Stored, Summary

MAX_OPERATIONS: Final = 1000
"""How many op ids a store remembers of one context."""


class Backend(Protocol):
    """A store of contexts. One object serves any number of runtimes in one event loop."""

    @property
    def address(self) -> str:
        """Where the store is, for messages; without a password."""

    async def open(self) -> None:
        """Make ready. Raise `BackendUnavailable` when the store cannot be used."""

    async def close(self) -> None:
        """Finish what is under way, then let go of everything. Closing twice is harmless."""

    async def load(
        self,
        context_id: str,
        *,
        after: Position | None = None,
        operations: Collection[str] | None = (),
        operations_since: float = 0.0,
    ) -> Stored | None:
        """Return what the store has, read at one moment; None where there is no context.

        With `after`, a position of the current epoch from which the log reaches to the head
        without a hole, only the entries behind it are returned, and no snapshot; any other `after`
        is as if none were given. `operations` names the op ids to look up, None all of them; those
        from before `operations_since` are not told.
        """

    async def commit(self, batch: Batch) -> None:
        """Carry out one batch, whole or not at all, and return when it is stored.

        In this order, all in the one act:

        1. With a fence: it must be the current token, lapsed or not (`Fenced`); the lease is then
           prolonged to `lease_ttl`. Without: no lease may be live (`OwnedElsewhere`); one that has
           lapsed is cleared.
        2. None of the entries' op ids may be known already, and not from before `forget_before`
           (`DuplicateOperation`).
        3. The head must be `expect` (`VersionConflict`, with the actual one). If the context is
           marked unclean and there is no fence, the batch must begin a new epoch or delete
           (`VersionConflict` too): what goes past the mark clears it.
        4. Head, entries, operation ids and snapshot are written, the log is trimmed. Op ids from
           before `forget_before`, and beyond the newest `MAX_OPERATIONS`, are forgotten.

        A batch that continues the epoch may leave versions out (`Batch` says how): the old log goes
        in the same act, the floor and the op ids stay.

        Calls made at the same time may share a transaction or a round trip; one that is refused
        does not hurt the others. Raises `ValueError` for a batch that contradicts itself.
        """

    async def heads(self, context_ids: Collection[str]) -> Mapping[str, Position]:
        """Return the positions of those contexts that there are."""

    async def list(self, prefix: str, after: str | None, limit: int) -> Sequence[Summary]:
        """Return contexts whose id begins with `prefix` and is greater than `after`, in order."""

    async def due(self, before: float, limit: int) -> Sequence[Summary]:
        """Return contexts last updated at `before` or earlier, the oldest first.

        The cost follows what is returned, not what is stored.
        """

    async def trim(self, before: float, limit: int) -> int:
        """Drop log entries from `before` or earlier that a snapshot covers; return how many.

        The newest entry of a log stays. At most about `limit` contexts are visited, those with the
        oldest such entries first. The cost follows what is dropped.
        """

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
        """Take the lease for `ttl` seconds, and load the context, in one act.

        Raises `OwnedElsewhere` while another owner's lease is live. The term differs from that of
        every earlier taking. A context that does not exist can be leased. With `fresh_epoch` the
        context is marked open (unclean, should the lease ever lapse) in this act; and if it was so
        marked before, the epoch becomes `fresh_epoch`: the version stays, the floor becomes that
        version. `fresh_epoch=None` leaves the mark alone, and what is granted tells by `unclean`
        whether there is one. Snapshot, log and all op ids are loaded, but those from before
        `operations_since` are not told.
        """

    async def renew(self, fences: Mapping[str, Fence], ttl: float) -> set[str]:
        """Prolong leases, by context id; return the ids of those that are not held any more."""

    async def release(self, context_id: str, fence: Fence) -> bool:
        """Give the lease back and clear the open mark; False if the token was not current.

        Nothing of the lease is left behind.
        """

    async def flush(self) -> None:
        """Return when everything that was acknowledged is where a restart finds it."""


def check_batch(batch: Batch) -> None:
    """Raise `ValueError` if the batch contradicts itself. For backends to call first."""
    problem = _find_problem(batch)
    if problem:
        raise ValueError(f"batch for {batch.context_id!r}: {problem}")


def _find_problem(batch: Batch) -> str | None:
    if batch.position is None:
        return _find_problem_of_delete(batch)
    if not batch.entries:
        return "no entries"
    versions = [entry.version for entry in batch.entries]
    head = batch.position.version
    if len(versions) > 1 and _repeats_operation(batch):
        return "an op id twice"
    if versions != list(range(head - len(versions) + 1, head + 1)) or versions[0] < 1:
        return f"entries {versions} do not lead to version {head}"
    if batch.snapshot and not versions[0] <= batch.snapshot.version <= head:
        return f"the snapshot's version {batch.snapshot.version} is not among the entries'"
    if batch.expect is None or batch.expect.epoch != batch.position.epoch:
        return None if batch.snapshot else "a new epoch without a snapshot"
    left_out = versions[0] - 1
    if batch.expect.version == left_out:
        return None
    if batch.expect.version > left_out or not batch.snapshot or batch.trim_to < left_out:
        return f"entries begin at {versions[0]}, after {batch.expect.version}"
    return None


def _repeats_operation(batch: Batch) -> bool:
    op_ids = [entry.op_id for entry in batch.entries if entry.op_id]
    return len(set(op_ids)) < len(op_ids)


def _find_problem_of_delete(batch: Batch) -> str | None:
    if batch.expect is None:
        return "nothing to delete"
    return "a delete with entries" if batch.entries or batch.snapshot else None
