"""Turn what a store holds into a live context, and a draft into what a store is to hold.

No I/O. Here it is decided when a snapshot is due, and how far the log may be cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chord.codec import Codec
from chord.config import Settings
from chord.delta.application import apply
from chord.errors import CorruptData, InvalidState
from chord.history import History
from chord.live import Birth, Draft, Live
from chord.records import Batch, Delta, Entry, Fence, Snapshot, Stored
from chord.state import StateDict


class Written(msgspec.Struct, frozen=True, gc=False):
    """A version of a draft, and its entry in the log."""

    birth: Birth
    entry: Entry


class Journal:
    """Reads and writes the stored form of contexts, with one codec and one set of limits."""

    def __init__(self, settings: Settings) -> None:
        self._codec: Codec = settings.codec
        self._settings = settings

    # -- from a store ----------------------------------------------------------------------------

    def recover(self, stored: Stored) -> Live:
        """Make a live context of a whole load. Raises `CorruptData`. O(size of what was stored)."""
        snapshot = stored.snapshot
        if snapshot is None:
            raise CorruptData(f"context {stored.context_id!r}", "no snapshot")
        with _Reading(stored.context_id):
            _check_log(stored, snapshot.version)
            live = Live(
                context_id=stored.context_id,
                state=self._codec.decode_state(snapshot.state),
                position=stored.position,
                updated_at=stored.updated_at,
                history=History(self._first_base(stored)),
                snapshot_version=snapshot.version,
                snapshot_bytes=len(snapshot.state),
                ended=stored.unclean,
            )
            self._replay(live, stored.entries, stored, snapshot.version)
        return live

    def extend(self, live: Live, stored: Stored) -> None:
        """Bring a live context up to a load that continues it; what it has already is passed over.

        Raises `CorruptData`.
        """
        base = live.position.version
        entries = [entry for entry in stored.entries if entry.version > base]
        live.ended = live.ended or stored.unclean
        if stored.position.version <= base:
            return
        with _Reading(stored.context_id):
            if [entry.version for entry in entries] != list(
                range(base + 1, stored.position.version + 1)
            ):
                raise ValueError("the log has a hole")
            self._replay(live, entries, stored, base)
        live.position = stored.position
        live.updated_at = stored.updated_at

    def _replay(
        self, live: Live, entries: Iterable[Entry], stored: Stored, state_version: int
    ) -> None:
        """Put entries into the history, and those behind `state_version` on top of the state.

        If this raises, the live context is as it was.
        """
        state, log_bytes = live.state, live.log_bytes
        recent: list[tuple[Delta, int]] = []
        owner = object()  # nobody sees the states between, so they are written in place
        for entry in entries:
            behind = entry.version > state_version
            served = entry.version > live.history.base
            if not behind and not served:
                continue
            delta = self._decode(entry, stored)
            if behind:
                state = apply(state, delta.changes, owner=owner)
                log_bytes += len(entry.changes)
            if served:
                recent.append((delta, len(entry.changes)))
        for delta, size in recent:
            live.history.append(delta, size)
        live.history.trim(count=self._settings.delta_threshold)
        live.state, live.log_bytes = state, log_bytes

    def _decode(self, entry: Entry, stored: Stored) -> Delta:
        return Delta(
            context_id=stored.context_id,
            changes=self._codec.decode_changes(entry.changes),
            from_version=entry.version - 1,
            version=entry.version,
            epoch=stored.position.epoch,
            updated_at=entry.updated_at,
        )

    def _first_base(self, stored: Stored) -> int:
        oldest = stored.entries[0].version - 1 if stored.entries else stored.position.version
        served = stored.position.version - self._settings.delta_threshold
        return max(oldest, stored.floor, served)

    # -- to a store ------------------------------------------------------------------------------

    def write(self, draft: Draft, commit_id: str) -> Written:
        """Encode the draft's newest version. Raises `InvalidState` if its state is too large.

        What an epoch begins with is told by its snapshot alone.
        """
        birth = draft.births[-1]
        delta = birth.delta
        begins = draft.base is None or draft.base.position.epoch != delta.epoch
        first = begins and len(draft.births) == 1
        assert draft.state is not None
        changes = b"" if first else self.encode(delta, draft.state)
        entry = Entry(
            version=delta.version,
            commit_id=commit_id,
            updated_at=delta.updated_at,
            changes=changes,
            op_id=birth.op_id,
        )
        return Written(birth, entry)

    def compose(
        self, draft: Draft, written: Sequence[Written], now: float, *, fence: Fence | None = None
    ) -> Batch:
        """Make the batch that commits a draft. Raises `InvalidState` if the state is too large."""
        base = draft.base
        snapshot = self._snapshot(draft, written)
        return Batch(
            context_id=draft.context_id,
            expect=base.position if base else None,
            position=draft.position,
            updated_at=draft.births[-1].delta.updated_at if draft.births else now,
            entries=tuple(each.entry for each in written),
            snapshot=snapshot,
            trim_to=max(0, snapshot.version - self._settings.delta_threshold) if snapshot else 0,
            forget_operations=draft.gone or draft.births[0].delta.from_version == 0,
            forget_before=now - self._settings.op_ttl,
            fence=fence,
        )

    def _snapshot(self, draft: Draft, written: Sequence[Written]) -> Snapshot | None:
        if draft.state is None or draft.position is None:
            return None
        if not self._snapshot_is_due(draft, written):
            return None
        return self.take_snapshot(draft.state, draft.position.version)

    def _snapshot_is_due(self, draft: Draft, written: Sequence[Written]) -> bool:
        base, position = draft.base, draft.position
        assert position is not None
        if base is None or base.position.epoch != position.epoch:
            return True
        log_bytes = base.log_bytes + sum(len(each.entry.changes) for each in written)
        behind = position.version - base.snapshot_version
        return self.outweighs(log_bytes, base.snapshot_bytes, behind)

    def outweighs(self, log_bytes: int, snapshot_bytes: int, behind: int) -> bool:
        """Whether a snapshot is due: the last one has that many versions of log behind it."""
        if snapshot_bytes + log_bytes > self._settings.max_state_bytes:
            return True
        return log_bytes > snapshot_bytes and behind >= self._settings.snapshot_every

    def encode(self, delta: Delta, state: StateDict) -> bytes:
        """Encode a delta that led to `state`. Raises `InvalidState` if that is too large."""
        changes = self._codec.encode_changes(delta.changes)
        if len(changes) > self._settings.max_state_bytes:  # old values count in them, too
            self.take_snapshot(state, delta.version)
        return changes

    def take_snapshot(self, state: StateDict, version: int) -> Snapshot:
        """Encode a state. Raises `InvalidState` if it is too large. O(size of the state)."""
        data = self._codec.encode_state(state)
        self._check_size(len(data))
        return Snapshot(version, data)

    def _check_size(self, size: int) -> None:
        limit = self._settings.max_state_bytes
        if size > limit:
            raise InvalidState((), f"{size} bytes when stored, where max_state_bytes is {limit}")

    # -- after a commit --------------------------------------------------------------------------

    def advance(self, draft: Draft, batch: Batch, written: Sequence[Written]) -> Live:
        """Return the live context after its draft was committed: the same object if one life."""
        assert draft.position is not None
        assert draft.state is not None
        live = draft.base
        if live is None or live.position.epoch != draft.position.epoch:
            live = self._begin(draft, batch, draft.state)
            written = written[1:]
        elif live.position != batch.expect:
            return live  # a reader was faster: it found the commit in the store
        for each in written:
            live.history.append(each.birth.delta, len(each.entry.changes))
        live.history.trim(count=self._settings.delta_threshold)
        live.state = draft.state
        live.position = draft.position
        live.updated_at = draft.births[-1].delta.updated_at
        if batch.snapshot:
            live.snapshot_version = batch.snapshot.version
            live.snapshot_bytes = len(batch.snapshot.state)
            live.log_bytes = 0
        else:
            live.log_bytes += sum(len(each.entry.changes) for each in written)
        return live

    @staticmethod
    def _begin(draft: Draft, batch: Batch, state: StateDict) -> Live:
        first = draft.births[0].delta
        return Live(
            context_id=draft.context_id,
            state=state,
            position=first.position,
            updated_at=first.updated_at,
            history=History(first.version),
            snapshot_version=first.version,
            snapshot_bytes=0,
        )


def _check_log(stored: Stored, snapshot_version: int) -> None:
    head = stored.position.version
    versions = [entry.version for entry in stored.entries]
    if versions and versions != list(range(head - len(versions) + 1, head + 1)):
        raise ValueError("the log has a hole")
    first = versions[0] if versions else head + 1
    if not first - 1 <= snapshot_version <= head:
        raise ValueError(f"the log of {first} to {head} does not meet snapshot {snapshot_version}")


class _Reading:
    """Turn whatever goes wrong while stored bytes are read into `CorruptData`."""

    def __init__(self, context_id: str) -> None:
        self._context_id = context_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise CorruptData(f"context {self._context_id!r}", str(error)) from error
