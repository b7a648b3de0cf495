"""Hold the records: what callers are given, and what passes to and from a store. No behaviour.

Those that are made for each operation are `msgspec.Struct`s, for the reason that is given in
`chord.changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import attrs
import msgspec

from chord.changes import Changes
from chord.errors import VersionGone
from chord.position import Position

# -- what callers are given ----------------------------------------------------------------------


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A container of state with an identity, at one position. `state` is read-only."""

    context_id: str
    state: Mapping[str, Any]
    position: Position
    updated_at: float


class Delta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What changed after `from_version`, up to and including `version`, of the life `epoch`."""

    context_id: str
    changes: Changes
    from_version: int
    version: int
    epoch: str
    updated_at: float

    @property
    def position(self) -> Position:
        """Where a client is once it has applied this."""
        return Position(self.epoch, self.version)

    @property
    def conflated(self) -> bool:
        """Whether more than one version is in it."""
        return self.version - self.from_version > 1


class Rememberer(Protocol):
    """Who can still say what a context was at a position: a runtime."""

    def recall(self, context_id: str, position: Position, updated_at: float) -> Context:
        """Return the context as it was; raise `VersionGone` when that is no longer in memory."""


class Commit(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What a write came to.

    `delta` is None where nothing `changed`, and for a repeated operation whose delta is no longer
    served. `durable` says that the backend has it.
    """

    position: Position
    delta: Delta | None
    changed: bool
    durable: bool
    _context_id: str
    _updated_at: float
    _runtime: Callable[[], Rememberer | None]

    @property
    def context(self) -> Context:
        """The context as this very write left it, made when asked for.

        Raises `VersionGone` once the runtime is closed, has dropped the context from memory, or is
        more than `delta_threshold` versions further. The runtime is held weakly.
        """
        runtime = self._runtime()
        if runtime is None:
            raise VersionGone(self._context_id, self.position)
        return runtime.recall(self._context_id, self.position, self._updated_at)

    def _says(self) -> tuple[Position, Delta | None, bool, bool]:
        return self.position, self.delta, self.changed, self.durable

    def __eq__(self, other: object) -> bool:
        return self._says() == other._says() if isinstance(other, Commit) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.position, self.changed, self.durable))

    def __repr__(self) -> str:
        names = ("position", "delta", "changed", "durable")
        return f"Commit({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def __copy__(self) -> Commit:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: object) -> Commit:
        return _revive_commit(self._says(), self._context_id, self._updated_at)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive_commit, (self._says(), self._context_id, self._updated_at)


def _revive_commit(
    says: tuple[Position, Delta | None, bool, bool], context_id: str, updated_at: float
) -> Commit:
    position, delta, changed, durable = says
    return Commit(
        position=position,
        delta=delta,
        changed=changed,
        durable=durable,
        _context_id=context_id,
        _updated_at=updated_at,
        _runtime=_nobody,
    )


def _nobody() -> None:
    return None


Reason: TypeAlias = Literal["requested", "epoch-changed", "ahead", "compacted", "smaller"]
"""Why a client gets the full state: it asked for it, the life it knows is over, it knows more than
the server, the deltas it lacks are not served any more, or they are larger than the state."""


class FullContext(msgspec.Struct, frozen=True, gc=False):
    """A reply: the whole context, and why."""

    context: Context
    reason: Reason

    @property
    def position(self) -> Position:
        return self.context.position


class DeltaUpdate(msgspec.Struct, frozen=True, gc=False):
    """A reply: one delta from what the client knows to now."""

    delta: Delta

    @property
    def position(self) -> Position:
        return self.delta.position


class NoChange(msgspec.Struct, frozen=True, gc=False):
    """A reply: the client knows the latest."""

    position: Position


class ContextDeleted(msgspec.Struct, frozen=True, gc=False):
    """A watcher's last reply: the context is gone; `position` was its last."""

    position: Position


Reply: TypeAlias = FullContext | DeltaUpdate | NoChange
WatchReply: TypeAlias = Reply | ContextDeleted


@attrs.frozen(kw_only=True)
class Summary:
    """A context in a list: everything but its state."""

    context_id: str
    position: Position
    updated_at: float


@attrs.frozen(kw_only=True)
class Report:
    """What a clean-up did, as counts: contexts, but for `trimmed`, which counts log entries."""

    expired: int = 0
    exported: int = 0
    trimmed: int = 0
    skipped: int = 0
    failed: int = 0


# -- what passes to and from a store -------------------------------------------------------------


@attrs.frozen
class Fence:
    """A fencing token: who owns a context, and by which taking of it. Compared for equality."""

    owner: str
    term: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version in a context's log; `changes` is encoded, and empty where an epoch begins."""

    version: int
    commit_id: str
    updated_at: float
    changes: bytes
    op_id: str | None = None


@attrs.frozen
class Snapshot:
    """The encoded state of one version."""

    version: int
    state: bytes


class Operation(msgspec.Struct, frozen=True, gc=False):
    """What a store remembers of an op id: the position it came to, and its entry's `updated_at`."""

    position: Position
    at: float


@attrs.frozen(kw_only=True)
class Batch:
    """One atomic act on one context: from the position `expect` to `position`.

    Either may be None: there must be no context yet, or there is to be none any more. Where the
    epoch is not the expected one a new life begins: a `snapshot` is needed, and the old log goes,
    and with `forget_operations` the old operation ids. Log entries of versions up to `trim_to` are
    dropped, which the snapshot must cover, and op ids from before `forget_before`. `fence` is
    checked in the same act, which prolongs the lease to `lease_ttl` seconds.

    `entries` are all versions behind `expect`. A writer that continues the epoch, but has only the
    newest of them, may leave the others out: with a `snapshot`, and a `trim_to` of the last version
    left out, or more. The whole old log goes then, so that there is no hole in what is stored.
    """

    context_id: str
    expect: Position | None
    position: Position | None
    updated_at: float
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None
    trim_to: int = 0
    forget_operations: bool = False
    forget_before: float = 0.0
    fence: Fence | None = None
    lease_ttl: float = 0.0


@attrs.frozen(kw_only=True)
class Stored:
    """What a store has of a context.

    `snapshot` is None where `entries` continue from the position that the load was asked to
    start after. Entries reach back behind the snapshot as far as the log does. `floor` is the
    version at which the epoch began: nothing up to it is served as a delta. `unclean`: a runtime
    that may have shown more than is stored did not end cleanly. `operations`: the asked-for op ids
    that are known, with the position each came to, and when.
    """

    context_id: str
    position: Position
    updated_at: float
    floor: int
    snapshot: Snapshot | None
    entries: tuple[Entry, ...]
    operations: Mapping[str, Operation]
    unclean: bool = False


@attrs.frozen
class Grant:
    """A lease that was given: its token, and what the store had of the context at that moment."""

    fence: Fence
    stored: Stored | None
