"""Hold `Facade`: what every runtime does alike, whoever runs its requests. No runtime by itself."""

from __future__ import annotations

import asyncio
import weakref
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Self

import anyio

from chord.api import Chord, State
from chord.archive import fetch, hand_over
from chord.backends.base import Backend
from chord.backends.open import open_backend
from chord.cleanup import MOST, Fate, PeriodicCleaner, check_limit, sweep
from chord.config import Settings, make_settings
from chord.errors import (
    ConfigurationError,
    ContextNotFound,
    InvalidArgument,
    OwnedElsewhere,
    VersionConflict,
    VersionGone,
)
from chord.fanout import Fanout, Watch
from chord.formatters.named import find_formatter
from chord.intake import Intake
from chord.journal import Journal
from chord.lifetime import Lifetime, is_being_cancelled
from chord.live import Live
from chord.opening import Opening
from chord.poll import Poller
from chord.position import Position
from chord.records import (
    Commit,
    Context,
    ContextDeleted,
    Delta,
    DeltaUpdate,
    FullContext,
    Reply,
    Report,
    Summary,
    WatchReply,
)
from chord.requests import (
    Delete,
    ExpectedAt,
    Request,
    check_context_id,
    check_prefix,
    check_timeout,
)
from chord.shelf import Shelf
from chord.sync import Since, find_reply, read_since
from chord.telemetry import Span, Unwatched
from chord.turns import Answer


class Facade(Chord):
    """A `Chord` on an open backend, which it leaves open; it is used as an async context manager.

    How a request is run is the subclass's to say, and what is fresher than the store; and whether
    its tasks go on when its block is cancelled, until they are drained.
    """

    _shields_tasks: ClassVar[bool] = False

    def __init__(
        self, backend: Backend, *, settings: Settings | None = None, **fields: Any
    ) -> None:
        if isinstance(backend, str):
            name = type(self).__name__
            raise ConfigurationError(f"it takes an open backend; for a URL use {name}.open")
        self._settings = make_settings(settings, fields)
        self._backend = backend
        self._formatter = find_formatter(self._settings.formatter)
        self._intake = Intake(self._settings)
        self._journal = Journal(self._settings)
        self._shelf = Shelf(backend, self._journal, self._settings.cache_size)
        self._fanout = Fanout()
        self._unwatched = Unwatched(None, self._settings.clock, "", None)
        self._lifetime = Lifetime(shielded=self._shields_tasks)
        self._me = weakref.ref(self)
        self._cleaner: PeriodicCleaner

    @classmethod
    def open(cls, url: str, *, settings: Settings | None = None, **fields: Any) -> Opening[Self]:
        """Open the store that `url` names, and a runtime on it. Fields of `Settings` go by name."""
        return Opening(cls.__name__, cls._open(url, make_settings(settings, fields)))

    @classmethod
    @asynccontextmanager
    async def _open(cls, url: str, settings: Settings) -> AsyncIterator[Self]:
        async with open_backend(url, settings) as backend, cls(backend, settings=settings) as chord:
            yield chord

    async def __aenter__(self) -> Self:
        await self._lifetime.begin()
        self._cleaner = PeriodicCleaner(self._settings, self.cleanup, self._lifetime.spawn)
        self._begin_work()
        if self._settings.watch_poll is not None:
            self._lifetime.spawn(self._make_poller(self._settings.watch_poll).run)
        if self._settings.cleanup_interval is not None:
            await self._cleaner.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lifetime.close()
        self._cleaner.close()
        try:
            with anyio.CancelScope(shield=True):
                await self._drain()
        finally:
            self._fanout.close()
            await self._lifetime.end()

    # -- what a runtime says for itself ----------------------------------------------------------

    @abstractmethod
    def _begin_work(self) -> None:
        """Make what runs the requests: tasks can be started from now on. Raises nothing."""

    @abstractmethod
    async def _drain(self) -> None:
        """Return when no request waits or is under way. Nothing new comes, and it is shielded."""

    @abstractmethod
    def _submit(
        self, context_id: str, request: Request, timeout: float | None
    ) -> Answer | Awaitable[Answer]:
        """Run one request in its turn, at once if that is now.

        It comes from the sweep while closing, too.
        """

    @abstractmethod
    def _count(self) -> Mapping[str, Any]:
        """What `statistics` tells beside what is common to all."""

    async def _fresh(self, context_id: str) -> Live:
        """The context at its last acknowledged version; raises `ContextNotFound`."""
        found = await self._shelf.fresh(context_id)
        if found.live is None:
            raise ContextNotFound(context_id)
        return found.live

    def _peek(self, context_id: str) -> Live | None:
        """What is remembered of the context, without a look at the store: it may be out of date."""
        return self._shelf.peek(context_id)

    def _show(self, live: Live) -> Live:
        """What `_fresh` or `_peek` has just returned, with a state that stays as it is."""
        return live

    async def _flush(self, context_id: str | None) -> None:
        """Store what is not stored yet, of one context or of all."""
        await self._backend.flush()

    def _make_poller(self, interval: float) -> Poller:
        """Make what looks for other processes' writes to the contexts that are watched here."""
        clock = self._settings.clock
        return Poller(self._backend, self._shelf, self._fanout, clock, interval)

    # -- writing ---------------------------------------------------------------------------------

    async def set_context(
        self,
        context_id: str,
        state: State,
        *,
        expected: ExpectedAt = None,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Commit:
        with self._span("set", context_id) as span:
            request = self._intake.set(state, expected, op_id)
            return await self._write(span, context_id, request, timeout)

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
        with self._span("update", context_id) as span:
            request = self._intake.update(changes, expected, op_id, create, ephemeral)
            check_timeout(timeout)
            answer = self._submit(context_id, request, timeout)
            if not isinstance(answer, Answer):
                answer = await answer
            return self._tell(span, context_id, answer)

    async def transform_context(
        self,
        context_id: str,
        fn: Callable[[State], State],
        *,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Commit:
        with self._span("transform", context_id) as span:
            request = self._intake.transform(fn, op_id)
            return await self._write(span, context_id, request, timeout)

    async def delete_context(self, context_id: str, *, expected: ExpectedAt = None) -> bool:
        with self._span("delete", context_id) as span:
            answer = await self._perform(context_id, self._intake.delete(expected), None)
            span.outcome = "ok" if answer.changed else "missing"
            return answer.changed

    async def _write(
        self, span: Span, context_id: str, request: Request, timeout: float | None
    ) -> Commit:
        check_timeout(timeout)
        return self._tell(span, context_id, await self._perform(context_id, request, timeout))

    async def _perform(self, context_id: str, request: Request, timeout: float | None) -> Answer:
        answer = self._submit(context_id, request, timeout)
        return answer if isinstance(answer, Answer) else await answer

    def _tell(self, span: Span, context_id: str, answer: Answer) -> Commit:
        """What is told of a write."""
        assert answer.position is not None
        span.outcome = "ok" if answer.changed else "unchanged"
        span.size = answer.size
        return Commit(
            position=answer.position,
            delta=answer.delta,
            changed=answer.changed,
            durable=answer.durable,
            _context_id=context_id,
            _updated_at=answer.updated_at,
            _runtime=self._me,
        )

    # -- reading ---------------------------------------------------------------------------------

    async def get_context(self, context_id: str) -> Context:
        with self._span("get", context_id) as span:
            live = await self._fresh(context_id)
            span.size = live.state_bytes
            return self._show(live).context()

    async def sync_context(self, context_id: str, since: Since = None) -> Reply:
        with self._span("sync", context_id) as span:
            known = read_since(since)
            return self._decide(span, await self._fresh(context_id), known)

    def watch_context(
        self, context_id: str, since: Since = None, *, min_interval: float = 0.0
    ) -> Watch:
        self._lifetime.check()
        check_context_id(context_id)
        if type(min_interval) not in (int, float) or not min_interval >= 0:
            raise InvalidArgument("min_interval", min_interval, "seconds, 0 or more")
        return Watch(
            self._fanout,
            context_id,
            read_since(since),
            partial(self._catch_up, context_id),
            self._settings.clock,
            min_interval,
            glance=partial(self._glance, context_id),
        )

    def _glance(self, context_id: str, since: Position | int | None) -> Reply | None:
        """What a watcher lacks, if memory tells and nobody wants to know of each operation.

        All who are woken at one position are told the same.
        """
        if self._settings.telemetry is not None:
            return None
        now = self._settings.clock.time()
        told = self._fanout.remembered(context_id, since, now)
        if told is not None:
            return told
        cursor = self._fanout.cursor(context_id)
        live = self._peek(context_id)
        if live is None or _is_behind(live, since):
            return None
        reply = self._decide(self._unwatched, live, since)
        if isinstance(reply, DeltaUpdate):
            oldest = live.history.get(reply.delta.from_version + 1)
            assert oldest is not None
            until = oldest.updated_at + self._settings.delta_ttl
            self._fanout.remember(context_id, since, reply, cursor, until)
        return reply

    async def _catch_up(
        self, context_id: str, since: Position | int | None, first: bool
    ) -> WatchReply:
        if first:
            self._lifetime.check()
        with self._begin("watch", context_id) as span:  # also while closing: it ends by itself
            live = None if first else self._peek(context_id)
            if live is None or _is_behind(live, since):
                try:
                    live = await self._fresh(context_id)
                except ContextNotFound:
                    if not isinstance(since, Position) or first:
                        raise
                    span.outcome = "deleted"
                    return ContextDeleted(since)
            return self._decide(span, live, since)

    def _decide(self, span: Span, live: Live, since: Position | int | None) -> Reply:
        settings = self._settings
        found = find_reply(
            live.position,
            since,
            live.history,
            live.state_bytes,
            threshold=settings.delta_threshold,
            not_before=settings.clock.time() - settings.delta_ttl,
        )
        if isinstance(found, str):
            span.outcome, span.size = found, live.state_bytes
            return FullContext(self._show(live).context(), found)
        if isinstance(found, DeltaUpdate):
            span.outcome, span.size = "delta", live.history.size_since(found.delta.from_version)
        else:
            span.outcome = "no-change"
        return found

    # -- elsewhere -------------------------------------------------------------------------------

    async def export_context(self, context_id: str) -> Context:
        with self._span("export", context_id):
            live = await self._fresh(context_id)
            context = self._show(live).context()
            await hand_over(self._settings, context)
            return context

    async def restore_context(self, context_id: str) -> Commit:
        with self._span("restore", context_id) as span:
            state = await fetch(self._settings, context_id)
            self._lifetime.check()  # it may have been closed while the provider was asked
            return await self._write(span, context_id, self._intake.restore(state), None)

    # -- the store as a whole --------------------------------------------------------------------

    async def list_contexts(
        self, prefix: str = "", after: str | None = None, limit: int = 100
    ) -> Sequence[Summary]:
        with self._span_over_all("list"):
            check_prefix(prefix)
            if after is not None:
                check_context_id(after)
            if type(limit) is not int or limit < 1:
                raise InvalidArgument("limit", limit, "a positive int")
            return await self._backend.list(prefix, after, min(limit, MOST))

    async def cleanup(self, limit: int | None = None) -> Report:
        with self._span_over_all("cleanup"):
            check_limit(limit)
            return await sweep(self._backend, self._settings, limit, self._expire)

    async def _expire(self, summary: Summary) -> Fate:
        """Export a due context where it can be, then delete it, unless it has changed meanwhile."""
        exported: Fate = "expired"
        try:
            if self._settings.exporter is not None:
                live = await self._fresh(summary.context_id)
                if live.position != summary.position:
                    return "skipped"
                await hand_over(self._settings, self._show(live).context())
                exported = "exported"
            request = Delete(expected=summary.position)
            answer = await self._perform(summary.context_id, request, None)
            return exported if answer.changed else "skipped"
        except (VersionConflict, OwnedElsewhere, ContextNotFound):
            return "skipped"
        except Exception:  # the exporter's, too: it keeps this context, and holds up no other
            return "failed"
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            return "failed"  # what the exporter waited for was cancelled, not we

    async def flush(self, context_id: str | None = None) -> None:
        self._lifetime.check()
        if context_id is not None:
            check_context_id(context_id)
        with self._begin("flush", context_id):
            await self._flush(context_id)

    @property
    def cleaner(self) -> PeriodicCleaner:
        self._lifetime.check()
        return self._cleaner

    def format_delta(self, delta: Delta) -> Any:
        return self._formatter.format(delta)

    def statistics(self) -> Mapping[str, Any]:
        self._lifetime.check()
        return {
            "cached": len(self._shelf),
            "loads": self._shelf.loads,
            "watchers": len(self._fanout),
            "wakeups": self._fanout.wakeups,
            **self._count(),
        }

    # -- what the parts call ---------------------------------------------------------------------

    def committed(self, live: Live) -> None:
        self._fanout.publish(live.context_id)

    def deleted(self, context_id: str, position: Position) -> None:
        self._fanout.end(context_id, position)

    def recall(self, context_id: str, position: Position, updated_at: float) -> Context:
        live = self._peek(context_id) if self._lifetime.has_tasks else None
        if live is None:
            raise VersionGone(context_id, position)
        return self._show(live).recall(position, updated_at, self._settings.delta_threshold)

    def _span(self, operation: str, context_id: str) -> Span:
        self._lifetime.check()
        check_context_id(context_id)
        return self._begin(operation, context_id)

    def _span_over_all(self, operation: str) -> Span:
        self._lifetime.check()
        return self._begin(operation, None)

    def _begin(self, operation: str, context_id: str | None) -> Span:
        if self._settings.telemetry is None:
            return self._unwatched
        return Span(self._settings.telemetry, self._settings.clock, operation, context_id)

    def check(self) -> None:
        """Assert every invariant of what is in memory."""
        self._shelf.check()
        self._fanout.check()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._backend.address} {self._lifetime.state}>"


def _is_behind(live: Live, since: Position | int | None) -> bool:
    """Whether what is remembered may be older than what a watcher was told."""
    if not isinstance(since, Position):
        return False
    return since.epoch != live.position.epoch or since.version > live.position.version
