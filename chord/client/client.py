"""Hold `Client` and `connect`: a server's contexts, read, watched and written over a WebSocket."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from chord.client.backoff import Backoff
from chord.client.exchange import Exchange
from chord.client.faults import explain
from chord.client.link import Link
from chord.client.outbox import ALWAYS, NEVER, Waiting
from chord.client.room import Room
from chord.client.socket import Dialer, Headers, MakeHeaders
from chord.client.subscription import Subscription
from chord.clock import Clock, SystemClock
from chord.codec import Codec
from chord.errors import ChordClosed, ChordError, DeadlineExceeded, OutcomeTimeout, OutcomeUnknown
from chord.requests import check_context_id
from chord.state import adopt, take_in, take_in_changes
from chord.web.leaves import Other, Types, lower, lower_partial, raise_value
from chord.web.wire import (
    Call,
    Current,
    Delete,
    DeltaMessage,
    Done,
    Encoding,
    ExpectedOnWire,
    Fault,
    Full,
    ReplyMessage,
    RequestMessage,
    Result,
    Set,
    Sync,
    Update,
)

_log = logging.getLogger("chord.client")

State: TypeAlias = Mapping[str, Any]
SyncReply: TypeAlias = Full | DeltaMessage | Current

RESEND_FOR: Final = 240.0
"""Seconds for which a write with an op id is sent again: servers forget op ids after a while."""

MAX_DEPTH: Final = 200
"""How deep what is sent may be nested; a server may want less."""

WAITING_LIMIT: Final = 1000
"""How many requests may wait for their answers."""


@attrs.frozen
class Written:
    """What a write came to: the position of the context, and whether anything changed."""

    position: str | None
    changed: bool


@attrs.frozen
class Seen:
    """A context as it was read. `state` is read-only."""

    context_id: str
    state: State
    position: str


class Client:
    """The contexts of a server. Make one with `connect`.

    What is asked while there is no connection waits for one. When a connection is lost, reads and
    writes with an `op_id` are sent again until they are answered; another write that was under way
    raises `OutcomeUnknown`. Positions are text that means nothing here; `expected=0` means that
    there must be no context yet. Errors are those of `chord.errors`, where there is one, and of
    `chord.client`. `timeout` is in seconds: `DeadlineExceeded` before the request was sent,
    `OutcomeTimeout` after.
    """

    def __init__(
        self,
        dialer: Dialer,
        *,
        clock: Clock,
        backoff: Backoff,
        chance: Callable[[], float],
        limit: int,
        resend_for: float,
        codec: Codec | None,
    ) -> None:
        self._encoding = dialer.encoding
        self._clock = clock
        self._codec = codec
        self._resend_for = resend_for
        self._ended: ChordError | None = None
        parts: Any = {"clock": clock, "backoff": backoff, "chance": chance}
        self._exchange = Exchange(
            dialer.encoding, lambda: self._link.wake(), limit=limit, codec=codec, **parts
        )
        self._link = Link(dialer, self._exchange, **parts)

    @property
    def connected(self) -> bool:
        return self._exchange.connected

    def statistics(self) -> Mapping[str, Any]:
        """Return counts of what is in memory."""
        return self._exchange.statistics()

    # -- reading ---------------------------------------------------------------------------------

    async def get(self, context_id: str, *, timeout: float | None = None) -> Seen:
        """Return the context; raise `ContextNotFound`."""
        full = await self.sync(context_id, timeout=timeout)
        assert isinstance(full, Full)
        state = raise_value(full.state, full.types, codec=self._codec)
        return Seen(context_id, adopt(state), full.position)

    async def sync(
        self, context_id: str, since: str | None = None, *, timeout: float | None = None
    ) -> SyncReply:
        """Return what a client that knows `since` lacks, as a message for a `Replica`."""
        message = Sync(ref=self._exchange.next_ref(), context=context_id, since=since)
        reply: Any = await self._request(message, again_for=ALWAYS, timeout=timeout)
        found: SyncReply = _expect(reply, Full | DeltaMessage | Current)
        return found

    def watch(self, context_id: str, *, interval: float = 0.0) -> Room:
        """Keep a copy of the context up to date, whatever happens to the connection meanwhile.

        Enter the room by `async with`. Changes are told at least `interval` seconds apart.
        """

        def subscribe() -> Subscription:
            self._check(context_id)
            return self._exchange.subscribe(context_id, interval)

        return Room(context_id, subscribe, self._exchange.unsubscribe)

    # -- writing ---------------------------------------------------------------------------------

    async def set(
        self,
        context_id: str,
        state: State,
        *,
        expected: ExpectedOnWire = None,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Written:
        """Create the context, or replace its whole state. Raises `VersionConflict`."""
        plain, types = self._lower(self._take(state))
        message = Set(
            ref=self._exchange.next_ref(),
            context=context_id,
            state=plain,
            types=types,
            expected=expected,
            op=op_id,
        )
        return await self._write(message, expected, op_id, timeout)

    async def update(
        self,
        context_id: str,
        changes: State,
        *,
        expected: ExpectedOnWire = None,
        op_id: str | None = None,
        create: State | None = None,
        ephemeral: bool = False,
        timeout: float | None = None,
    ) -> Written:
        """Change the state in part: dicts merge, anything else replaces, operators operate.

        Where there is no context it begins with the state `create`, or `ContextNotFound` is raised.
        An `op_id` names the write: sent again, it is not done again.
        """
        taken = take_in_changes(changes, max_depth=MAX_DEPTH, accepts=self._accepts)
        native = self._encoding.is_native
        plain, types = lower_partial(taken, native_bytes=native, codec=self._codec)
        begun, begun_types = self._lower(None if create is None else self._take(create))
        message = Update(
            ref=self._exchange.next_ref(),
            context=context_id,
            changes=plain,
            types=types,
            expected=expected,
            op=op_id,
            create=begun,
            create_types=begun_types,
            ephemeral=ephemeral,
        )
        return await self._write(message, expected, op_id, timeout)

    async def delete(
        self,
        context_id: str,
        *,
        expected: ExpectedOnWire = None,
        timeout: float | None = None,
    ) -> bool:
        """End this life of the context. Returns whether there was one."""
        message = Delete(ref=self._exchange.next_ref(), context=context_id, expected=expected)
        reply = await self._request(message, timeout=timeout, expected=expected)
        return bool(_expect(reply, Done).changed)

    async def call(
        self, context_id: str, name: str, *arguments: Any, timeout: float | None = None
    ) -> Any:
        """Have the server's application carry out a command of its own; return what it returns."""
        plain, types = self._lower(list(arguments))
        message = Call(
            ref=self._exchange.next_ref(),
            context=context_id,
            name=name,
            arguments=plain,
            types=types,
        )
        result = _expect(await self._request(message, timeout=timeout), Result)
        return raise_value(result.value, result.types, codec=self._codec)

    def _take(self, state: State) -> State:
        """Check a state, and copy it: it may wait for long."""
        return take_in(state, max_depth=MAX_DEPTH, accepts=self._accepts)

    def _accepts(self, value: Any) -> bool:
        return type(value) is Other or (self._codec is not None and self._codec.accepts(value))

    def _lower(self, value: Any) -> tuple[Any, Types]:
        return lower(value, native_bytes=self._encoding.is_native, codec=self._codec)

    async def _write(
        self,
        message: Set | Update,
        expected: ExpectedOnWire,
        op_id: str | None,
        timeout: float | None,
    ) -> Written:
        again_for = NEVER if op_id is None else self._resend_for
        reply = await self._request(
            message, again_for=again_for, timeout=timeout, expected=expected
        )
        done = _expect(reply, Done)
        return Written(done.position, done.changed)

    async def _request(
        self,
        message: RequestMessage,
        *,
        again_for: float = NEVER,
        timeout: float | None = None,
        expected: ExpectedOnWire = None,
    ) -> ReplyMessage:
        asked: Any = message
        self._check(asked.context)
        waiting = Waiting(
            ref=asked.ref,
            context_id=asked.context,
            message=message,
            answer=asyncio.get_running_loop().create_future(),
            again_for=again_for,
        )
        reply = await self._wait(waiting, timeout)
        if isinstance(reply, Fault):
            if waiting.unsure and reply.applied is False and reply.code != "conflict":
                raise OutcomeUnknown(waiting.context_id, f"sent before, and now: {reply.message}")
            raise explain(reply, waiting.context_id, expected=expected)
        return reply

    async def _wait(self, waiting: Waiting, timeout: float | None) -> ReplyMessage:
        self._exchange.request(waiting)
        timer = None
        if timeout is not None:
            due = self._clock.monotonic() + timeout
            waiting.deadline = due if hasattr(waiting.message, "timeout") else None
            timer = self._clock.call_at(due, partial(_run_out, waiting))
        try:
            return await waiting.answer
        finally:
            self._exchange.drop(waiting.ref)
            if timer is not None:
                timer.cancel()

    def _check(self, context_id: str) -> None:
        check_context_id(context_id)
        if self._ended is not None:
            raise self._ended

    # -- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a connection until cancelled, or until the server refuses for good."""
        try:
            await self._link.run()
        except ChordError as refusal:
            self._ended = refusal
        except Exception as error:
            _log.exception("the client has failed")
            self._ended = ChordClosed(f"the client has failed: {error!r:.200}")
        finally:
            self.end()

    def end(self) -> None:
        """Refuse everything from now on, and tell who waits."""
        self._ended = self._ended or ChordClosed("the client is closed")
        self._exchange.end(self._ended)

    def __repr__(self) -> str:
        return f"<Client {self._link!r} {self._exchange!r}>"


def _run_out(waiting: Waiting) -> None:
    if waiting.sent_at is None or waiting.reads:
        waiting.fail(DeadlineExceeded(waiting.context_id))
    else:
        waiting.fail(OutcomeTimeout(waiting.context_id))


def _expect(reply: Any, kind: Any) -> Any:
    if not isinstance(reply, kind):
        raise TypeError(f"the server answered with {type(reply).__name__}")
    return reply


@asynccontextmanager
async def connect(
    url: str,
    *,
    encoding: Encoding = Encoding.MSGPACK,
    headers: Headers | MakeHeaders | None = None,
    codec: Codec | None = None,
    backoff: Backoff | None = None,
    waiting_limit: int = WAITING_LIMIT,
    resend_for: float = RESEND_FOR,
    clock: Clock | None = None,
    chance: Callable[[], float] = random.random,
    **options: Any,
) -> AsyncIterator[Client]:
    """Keep a connection to the server at ``ws://...`` or ``wss://...``; connect again when lost.

    Entering does not wait for the connection: what is asked does. Where the server refuses the
    client for good, everything raises `ConnectionRefused` from then on. `headers` go with each
    handshake; a function, plain or async, makes them anew. `resend_for` must be less than the
    server's `op_ttl`. `options` are those of websockets' `connect`.
    """
    client = Client(
        Dialer(url=url, encoding=encoding, headers=headers, options=options),
        clock=clock or SystemClock(),
        backoff=backoff or Backoff(),
        chance=chance,
        limit=waiting_limit,
        resend_for=resend_for,
        codec=codec,
    )
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        client.end()  # a task that never began ends nothing
