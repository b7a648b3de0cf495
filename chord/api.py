"""Hold `Chord`, the protocol that every runtime fulfils."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

from chord.records import Commit, Context, Delta, Reply, Report, Summary, WatchReply
from chord.requests import ExpectedAt
from chord.sync import Since

State: TypeAlias = Mapping[str, Any]


class Cleaner(Protocol):
    """Cleans up periodically while its runtime is open."""

    async def start(self, interval: float | None = None, limit: int | None = None) -> None:
        """Clean up every `interval` seconds; None: `Settings.cleanup_interval`, or 60."""

    async def update(self, interval: float | None = None, limit: int | None = None) -> None:
        """Change what is given; the next clean-up is `interval` seconds from now."""

    async def stop(self) -> None:
        """Clean up no more; one that is under way is finished first."""


class Chord(Protocol):
    """Contexts of state, each change numbered, and what a client lacks of them.

    Every method that takes an id may raise `InvalidContextId`; one that writes, any `NotApplied`
    or `OutcomeUnknown`; each, `ChordClosed` and `WrongLoop`. `timeout` is in seconds, and raises
    `DeadlineExceeded` before the work began and `OutcomeTimeout` after.
    """

    async def set_context(
        self,
        context_id: str,
        state: State,
        *,
        expected: ExpectedAt = None,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Commit:
        """Create the context, or replace its whole state. The same state makes no version.

        Raises `VersionConflict` where it is not at `expected`, and `InvalidState`.
        """

    async def update_context(
        self,
        context_id: str,
        changes: State,
        *,
        expected: ExpectedAt = None,
        op_id: str | None = None,
        create: State | None = None,
        ephemeral: bool = False,
        timeout: float | None = None,
    ) -> Commit:
        """Change the state in part: dicts merge, anything else replaces, operators operate.

        Where there is no context it begins with the state `create`, or `ContextNotFound` is raised.
        `expected` is a position, or a version, which does not notice a new life; 0: there is none.

        An `op_id` names the write: sent again, it is not done again, and answered by the first
        position. It is remembered per context, for `Settings.op_ttl` seconds and among the newest
        1,000; a delete forgets it. What else the call says is not compared.

        `ephemeral` updates that wait may be coalesced: they share one version and one `Commit`.
        Raises `VersionConflict` and `InvalidState`.
        """

    async def transform_context(
        self,
        context_id: str,
        fn: Callable[[State], State],
        *,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Commit:
        """Change the state by ``fn(state) -> changes``, with no other write in between.

        `fn` may be run again, so it must be pure. What it raises is raised, and nothing written.
        """

    async def get_context(self, context_id: str) -> Context:
        """Return the context; raise `ContextNotFound`."""

    async def delete_context(self, context_id: str, *, expected: ExpectedAt = None) -> bool:
        """End this life of the context. Returns whether there was one."""

    async def sync_context(self, context_id: str, since: Since = None) -> Reply:
        """Return what a client that knows `since` lacks: nothing, one merged delta, or all."""

    def watch_context(
        self, context_id: str, since: Since = None, *, min_interval: float = 0.0
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchReply]]:
        """Iterate over what `sync_context` would say, then over every change, as it comes.

        A slow reader gets several versions in one delta, or the full state. Replies are at least
        `min_interval` seconds apart. Where the context is deleted, `ContextDeleted` is the last;
        where the runtime closes, the iterator ends without it. Entering may raise
        `ContextNotFound`.
        """

    async def export_context(self, context_id: str) -> Context:
        """Hand the context to `Settings.exporter`, and return it."""

    async def restore_context(self, context_id: str) -> Commit:
        """Begin a new life with the state that `Settings.provider` finds."""

    async def list_contexts(
        self, prefix: str = "", after: str | None = None, limit: int = 100
    ) -> Sequence[Summary]:
        """Return a page of contexts, in order of their ids: those greater than `after`."""

    async def cleanup(self, limit: int | None = None) -> Report:
        """Delete contexts that are due, at most `limit`, and drop old deltas from their logs."""

    async def flush(self, context_id: str | None = None) -> None:
        """Store what is not stored yet."""

    def format_delta(self, delta: Delta) -> Any:
        """Say a delta in `Settings.formatter`'s format."""

    def statistics(self) -> Mapping[str, Any]:
        """Return counts of what is in memory and of what happened."""

    @property
    def cleaner(self) -> Cleaner: ...
