"""Hold `StatelessChord`: the runtime that goes straight to the store, and keeps only a cache."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import anyio
import anyio.abc

from chord import archive
from chord.api import Chord, State
from chord.backends.base import Backend
from chord.backends.open import open_backend
from chord.cleanup import MOST, Fate, PeriodicCleaner, check_limit, sweep
from chord.config import Settings, make_settings
from chord.contention import Contention
from chord.errors import (
    ChordClosed,
    ConfigurationError,
    ContextNotFound,
    InvalidArgument,
    OwnedElsewhere,
    VersionConflict,
    VersionGone,
    WrongLoop,
)
from chord.fanout import Fanout, Watch
from chord.formatters.named import find_formatter
from chord.journal import Journal
from chord.live import Live
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
    Restore,
    Set,
    Transform,
    Update,
    check_context_id,
    check_op_id,
    check_prefix,
    check_timeout,
    read_expected,
)
from chord.shelf import Shelf
from chord.state import StateDict, take_in, take_in_changes
from chord.sync import Since, decide, read_since
from chord.telemetry import Span
from chord.turns import Answer


class StatelessChord(Chord):
    """The `Chord` whose truth is in the store: any number of processes may write a context.

    Writes of one context take turns here, and are settled by compare-and-set between processes.
    Use it as an async context manager; the constructor takes an open backend, and leaves it open.
    """

    def __init__(
        self, backend: Backend, *, settings: Settings | None = None, **fields: Any
    ) -> None:
        if isinstance(backend, str):
            raise ConfigurationError("it takes an open backend; for a URL use StatelessChord.open")
        self._settings = make_settings(settings, fields)
        self._backend = backend
        self._formatter = find_formatter(self._settings.formatter)
        self._journal = Journal(self._settings)
        self._shelf = Shelf(backend, self._journal, self._settings.cache_size)
        self._fanout = Fanout()
        self._me = weakref.ref(self)
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._closing = False
        self._scopes: set[anyio.CancelScope] = set()
        self._stopped = False
        self._contention: Contention
        self._cleaner: PeriodicCleaner

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, settings: Settings | None = None, **fields: Any
    ) -> AsyncIterator[StatelessChord]:
        """Open the store that `url` names, and a runtime on it. Fields of `Settings` go by name."""
        settings = make_settings(settings, fields)
        async with open_backend(url, settings) as backend, cls(backend, settings=settings) as chord:
            yield chord

    async def __aenter__(self) -> StatelessChord:
        if self._tasks is not None or self._closing:
            raise ChordClosed("a runtime is entered once; make another")
        self._loop = asyncio.get_running_loop()
        self._contention = Contention(
            self._backend, self._journal, self._shelf, self._settings, self, self._spawn
        )
        self._cleaner = PeriodicCleaner(self._settings, self.cleanup, self._spawn)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        if self._settings.watch_poll is not None:
            poller = Poller(
                self._backend,
                self._shelf,
                self._fanout,
                self._settings.clock,
                self._settings.watch_poll,
            )
            self._spawn(poller.run)
        if self._settings.cleanup_interval is not None:
            await self._cleaner.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._tasks is not None
        self._closing = True
        self._cleaner.close()
        try:
            with anyio.CancelScope(shield=True):
                await self._contention.drain()
        finally:
            self._fanout.close()
            self._stopped = True
            for scope in tuple(self._scopes):  # not the group's: that would raise in here, too
                scope.cancel()
            try:
                await self._tasks.__aexit__(None, None, None)
            finally:
                self._tasks = None

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
            check_op_id(op_id)
            where = read_expected(expected)
            request = Set(state=self._take_in(state), expected=where, op_id=op_id)
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
            check_op_id(op_id)
            request = Update(
                patches=(self._take_in_changes(changes),),
                expected=read_expected(expected),
                op_id=op_id,
                create=None if create is None else self._take_in(create),
                ephemeral=ephemeral,
            )
            return await self._write(span, context_id, request, timeout)

    async def transform_context(
        self,
        context_id: str,
        fn: Callable[[State], State],
        *,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Commit:
        with self._span("transform", context_id) as span:
            check_op_id(op_id)
            if not callable(fn) or inspect.iscoroutinefunction(fn):
                raise InvalidArgument("fn", fn, "a function of the state, and not async")
            request = Transform(fn=_in_context(fn), take_in=self._take_in_changes, op_id=op_id)
            return await self._write(span, context_id, request, timeout)

    async def delete_context(self, context_id: str, *, expected: ExpectedAt = None) -> bool:
        with self._span("delete", context_id) as span:
            request = Delete(expected=read_expected(expected))
            answer = await self._submit(context_id, request, None)
            span.outcome = "ok" if answer.changed else "missing"
            return answer.changed

    async def _write(
        self, span: Span, context_id: str, request: Request, timeout: float | None
    ) -> Commit:
        answer = await self._submit(context_id, request, timeout)
        assert answer.position is not None
        span.outcome = "ok" if answer.changed else "unchanged"
        span.size = answer.size
        return Commit(
            position=answer.position,
            delta=answer.delta,
            changed=answer.changed,
            durable=True,
            context_id=context_id,
            updated_at=answer.updated_at,
            runtime=self._me,
        )

    async def _submit(self, context_id: str, request: Request, timeout: float | None) -> Answer:
        self._check_open()  # a provider, say, may have returned after the runtime was closed
        check_timeout(timeout)
        return await self._contention.submit(context_id, request, timeout)

    def _take_in(self, state: State) -> StateDict:
        settings = self._settings
        return take_in(state, max_depth=settings.max_depth, accepts=settings.codec.accepts)

    def _take_in_changes(self, changes: State) -> StateDict:
        settings = self._settings
        return take_in_changes(
            changes, max_depth=settings.max_depth, accepts=settings.codec.accepts
        )

    # -- reading ---------------------------------------------------------------------------------

    async def get_context(self, context_id: str) -> Context:
        with self._span("get", context_id) as span:
            live = await self._fresh(context_id)
            span.size = live.state_bytes
            return live.context()

    async def sync_context(self, context_id: str, since: Since = None) -> Reply:
        with self._span("sync", context_id) as span:
            known = read_since(since)
            return self._decide(span, await self._fresh(context_id), known)

    def watch_context(
        self, context_id: str, since: Since = None, *, min_interval: float = 0.0
    ) -> Watch:
        self._check(context_id)
        if type(min_interval) not in (int, float) or not min_interval >= 0:
            raise InvalidArgument("min_interval", min_interval, "seconds, 0 or more")

        async def catch_up(position: Position | int | None, first: bool) -> WatchReply:
            return await self._catch_up(context_id, position, first)

        return Watch(
            self._fanout,
            context_id,
            read_since(since),
            catch_up,
            self._settings.clock,
            min_interval,
        )

    async def _catch_up(
        self, context_id: str, since: Position | int | None, first: bool
    ) -> WatchReply:
        if first:
            self._check_open()
        with self._begin("watch", context_id) as span:  # also while closing: it ends by itself
            live = None if first else self._shelf.peek(context_id)
            if live is None or _is_behind(live, since):
                try:
                    live = await self._fresh(context_id)
                except ContextNotFound:
                    if not isinstance(since, Position) or first:
                        raise
                    span.outcome = "deleted"
                    return ContextDeleted(since)
            return self._decide(span, live, since)

    async def _fresh(self, context_id: str) -> Live:
        found = await self._shelf.fresh(context_id)
        if found.live is None:
            raise ContextNotFound(context_id)
        return found.live

    def _decide(self, span: Span, live: Live, since: Position | int | None) -> Reply:
        settings = self._settings
        reply = decide(
            live.context(),
            since,
            live.history,
            live.state_bytes,
            threshold=settings.delta_threshold,
            not_before=settings.clock.time() - settings.delta_ttl,
        )
        match reply:
            case FullContext(_, reason):
                span.outcome, span.size = reason, live.state_bytes
            case DeltaUpdate(delta):
                span.outcome, span.size = "delta", live.history.size_since(delta.from_version)
            case _:
                span.outcome = "no-change"
        return reply

    # -- elsewhere -------------------------------------------------------------------------------

    async def export_context(self, context_id: str) -> Context:
        with self._span("export", context_id):
            live = await self._fresh(context_id)
            context = live.context()
            await archive.hand_over(self._settings, context)
            return context

    async def restore_context(self, context_id: str) -> Commit:
        with self._span("restore", context_id) as span:
            state = await archive.fetch(self._settings, context_id)
            return await self._write(span, context_id, Restore(state=self._take_in(state)), None)

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
                await archive.hand_over(self._settings, live.context())
                exported = "exported"
            request = Delete(expected=summary.position)
            answer = await self._contention.submit(summary.context_id, request, None)
            return exported if answer.changed else "skipped"
        except (VersionConflict, OwnedElsewhere, ContextNotFound):
            return "skipped"
        except Exception:  # the exporter's, too: it keeps this context, and holds up no other
            return "failed"
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            return "failed"  # what the exporter waited for was cancelled, not we

    async def flush(self, context_id: str | None = None) -> None:
        self._check_open()
        if context_id is not None:
            check_context_id(context_id)
        with self._begin("flush", context_id):
            await self._backend.flush()

    @property
    def cleaner(self) -> PeriodicCleaner:
        self._check_open()
        return self._cleaner

    def format_delta(self, delta: Delta) -> Any:
        return self._formatter.format(delta)

    def statistics(self) -> Mapping[str, Any]:
        self._check_open()
        return {
            "cached": len(self._shelf),
            "loads": self._shelf.loads,
            "watchers": len(self._fanout),
            "wakeups": self._fanout.wakeups,
            **self._contention.statistics(),
        }

    # -- what the parts call ---------------------------------------------------------------------

    def committed(self, live: Live) -> None:
        self._fanout.publish(live.context_id)

    def deleted(self, context_id: str, position: Position) -> None:
        self._fanout.end(context_id, position)

    def recall(self, context_id: str, position: Position, updated_at: float) -> Context:
        live = None if self._tasks is None else self._shelf.peek(context_id)
        if live is None:
            raise VersionGone(context_id, position)
        return live.recall(position, updated_at, self._settings.delta_threshold)

    def _spawn(self, run: Callable[[], Any]) -> None:
        if self._tasks is None:
            raise ChordClosed("the runtime is not open")
        self._tasks.start_soon(self._run, run)

    async def _run(self, run: Callable[[], Any]) -> None:
        """Run, and let no cancellation but our own end the task group, and so the runtime."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if not self._stopped:
                    await run()
            except asyncio.CancelledError:
                if _is_being_cancelled():
                    raise
            finally:
                self._scopes.discard(scope)

    def _span(self, operation: str, context_id: str) -> Span:
        self._check(context_id)
        return self._begin(operation, context_id)

    def _span_over_all(self, operation: str) -> Span:
        self._check_open()
        return self._begin(operation, None)

    def _begin(self, operation: str, context_id: str | None) -> Span:
        return Span(self._settings.telemetry, self._settings.clock, operation, context_id)

    def _check(self, context_id: str) -> None:
        self._check_open()
        check_context_id(context_id)

    def _check_open(self) -> None:
        if self._tasks is None or self._closing:
            raise ChordClosed("the runtime is not open: use it in 'async with'")
        if os.getpid() != self._pid:
            raise WrongLoop("opened before a fork; open another in this process")
        if _find_loop() is not self._loop:
            raise WrongLoop("opened in another event loop")

    def check(self) -> None:
        """Assert every invariant of what is in memory."""
        self._shelf.check()
        self._fanout.check()

    def __repr__(self) -> str:
        state = "closed" if self._tasks is None else "closing" if self._closing else "open"
        return f"<StatelessChord {self._backend.address} {state}>"


def _find_loop() -> asyncio.AbstractEventLoop | None:
    """The running loop; None in a thread that has none."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _in_context(fn: Callable[[State], State]) -> Callable[[State], State]:
    """Have a function see its caller's context variables: it runs in a task of ours."""
    context = contextvars.copy_context()
    return lambda state: context.run(fn, state)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_behind(live: Live, since: Position | int | None) -> bool:
    """Whether what is remembered may be older than what a watcher was told."""
    if not isinstance(since, Position):
        return False
    return since.epoch != live.position.epoch or since.version > live.position.version
