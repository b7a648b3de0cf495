"""Hold `Session`: one WebSocket, from the first frame to the last. The handshake is the door's.

One task listens, and asks the gate in the order in which the messages came; each request is then
worked on in a task of its own, each watch in another. A watch takes its next frame only when the
last one was sent: a slow socket holds nothing back but itself, and is told what it missed in one
frame. What a client has under way is bounded; beyond that it is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio
import attrs
import msgspec
from starlette.types import Message, Receive, Send

from chord.clock import Clock
from chord.errors import ChordClosed
from chord.web.desk import Desk
from chord.web.errands import Errand, actions_of, carry_out
from chord.web.faults import CLOSE_CODES, RateLimited, Refusal, TooLarge, TooMany
from chord.web.gate import Action, Permit, Principal, key_of
from chord.web.leaves import WireError
from chord.web.limits import TokenBucket
from chord.web.line import Line, Turn, rest
from chord.web.sharing import Data, pack, splice
from chord.web.wire import (
    Done,
    Encoding,
    Fault,
    Hello,
    Ping,
    Pong,
    Ref,
    ReplyMessage,
    Sync,
    Unwatch,
    Watch,
    decode_request,
    read_plain,
)

PATIENCE: Final = 10.0
"""Seconds in which what was asked for before the end is finished; then it is given up."""

TOKEN: Final = 16 * 1024
"""Characters, or bytes, of a message that one token of the rate pays for."""

LONGEST_INTERVAL: Final = 3600.0
"""Seconds; a watch that is to be told less often than that is told that often."""


class Watching:
    """A watch under way. It can be stopped at any time, but in the middle of a frame."""

    def __init__(self, request: Watch, permit: Permit, key: object) -> None:
        self.request = request
        self.permit = permit
        self.key = key
        self.ref = request.ref
        self.position = request.since
        self.scope = anyio.CancelScope()
        self.turn = Turn()
        self.ended = asyncio.Event()

    def stop(self) -> None:
        """Let no other frame of it be sent."""
        self.turn.stopped = True
        if not self.turn.sending:
            self.scope.cancel()


class Session:
    """Serves one socket of a principal, that was accepted, until either side ends it."""

    def __init__(
        self,
        desk: Desk,
        principal: Principal,
        encoding: Encoding,
        receive: Receive,
        send: Send,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._limits = limits = desk.limits
        self._principal = principal
        self._encoding = encoding
        self._receive = receive
        self._line = Line(send, clock, limits.heartbeat)
        self._clock = clock
        now = clock.monotonic()
        self._bucket = TokenBucket(rate=limits.rate, burst=limits.burst, now=now)
        self._excess = TokenBucket(rate=limits.rate, burst=limits.burst, now=now)
        self._malformed = self._pending = 0
        self._watching: dict[str, Watching] = {}
        self._slots = asyncio.Semaphore(limits.max_pending)
        self._reads = Turn()  # of all that is read until the next recheck
        self._errands = anyio.create_task_group()
        self._attendance = anyio.create_task_group()

    async def run(self) -> None:
        """Serve until it is over. What was asked for before is finished, if there is time."""
        try:
            async with self._errands:
                async with self._attendance:
                    self._attend(self._listen)
                    self._attend(self._beat)
                    await self._line.over.wait()
                    self._attendance.cancel_scope.cancel()
                self._errands.cancel_scope.deadline = anyio.current_time() + PATIENCE
                await self._line.shut()
        finally:
            self._line.give_up()

    def end(self, code: int, reason: str) -> None:
        """Begin to close: nothing more is read, nor sent but the close frame."""
        self._line.end(code, reason)

    def _attend(self, work: Callable[[], Awaitable[None]]) -> None:
        self._attendance.start_soon(self._guard, work)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Let what fails in one task end this session, and nobody else's."""
        try:
            await work()
        except Exception as error:
            refusal = self._desk.refuse(error, self._principal)
            self.end(CLOSE_CODES.get(refusal.code, 1011), refusal.message)

    # -- listening -------------------------------------------------------------------------------

    async def _listen(self) -> None:
        limits = self._limits
        await self._say(Hello(heartbeat=limits.heartbeat, limits=limits.describe()))
        while not self._line.over.is_set():
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return self._line.give_up()
            self._line.hear()
            await self._take(event)
            await asyncio.sleep(0)  # what is there already is got without a wait: others go first

    async def _take(self, event: Message) -> None:
        """Take one message. Whatever it is, it is answered, or ends this session only."""
        data = event.get("text" if self._encoding is Encoding.JSON else "bytes")
        try:
            if data is None:
                raise WireError(f"a frame of {self._encoding.subprotocol} is of the other kind")
            self._check_size(data)
            await self._check_rate(data)
            request = decode_request(data, self._encoding, max_depth=self._limits.max_depth)
        except Exception as error:
            return await self._refuse_message(error, data)
        if not isinstance(request, Pong):
            await self._accept(request)

    def _check_size(self, data: Data) -> None:
        limit = self._limits.max_message
        size = len(data)
        if size <= limit and isinstance(data, str) and not data.isascii():
            size = len(data.encode(errors="replace"))
        if size > limit:
            raise TooLarge(size, limit)

    async def _check_rate(self, data: Data) -> None:
        """Refuse what is one too many; let what is long wait until its tokens are there."""
        tokens = len(data) / TOKEN
        while wait := self._bucket.take(self._clock.monotonic(), max(1.0, tokens)):
            if tokens <= 1:
                raise RateLimited(wait)
            await rest(self._clock, min(wait, self._limits.heartbeat))
            self._line.hear()  # it may have spoken, but nobody listened

    async def _refuse_message(self, error: Exception, data: Data | None) -> None:
        """Answer what was not even read; too much of that ends the session."""
        refusal = self._desk.refuse(error, self._principal)
        ref = None if isinstance(error, TooLarge) else self._find_ref(data)
        await self._say(_fault(refusal, ref=ref))
        if self._is_too_much(error):
            self.end(CLOSE_CODES.get(refusal.code, 1011), refusal.message)

    def _is_too_much(self, error: Exception) -> bool:
        if isinstance(error, RateLimited):
            return self._excess.take(self._clock.monotonic()) > 0
        if isinstance(error, WireError):
            self._malformed += 1
            return self._malformed > self._limits.max_malformed
        return True

    def _find_ref(self, data: Data | None) -> Ref | None:
        """What the client may call a message that is none, so that it knows which was refused."""
        try:
            ref = read_plain(data or "", self._encoding)["ref"]
        except Exception:
            return None
        return ref if type(ref) in (int, str) and abs(len(str(ref))) <= 512 else None

    async def _accept(self, request: Errand | Watch | Unwatch) -> None:
        try:
            match request:
                case Watch():
                    await self._begin_watch(request)
                case Unwatch():
                    await self._end_watch(request)
                case _:
                    await self._begin_errand(request)
        except Exception as error:
            await self._refuse(error, request)

    async def _beat(self) -> None:
        """Ask the peer from time to time whether it is there."""
        heartbeat = self._limits.heartbeat
        ping = pack(Ping(), self._encoding)
        while True:
            await rest(self._clock, heartbeat)
            if self._line.silence >= 2 * heartbeat:
                return self.end(4408, "silent for two heartbeats")
            if not self._line.busy:  # else it is told something else just now
                await self._line.send(ping)

    # -- requests --------------------------------------------------------------------------------

    async def _begin_errand(self, errand: Errand) -> None:
        await self._slots.acquire()
        self._pending += 1
        try:
            reads = self._reads
            permit = await self._permit(errand.context, *actions_of(errand))
        except BaseException:
            self._leave_slot()
            raise
        self._errands.start_soon(self._run_errand, errand, permit, reads)

    async def _permit(self, context_id: str, *actions: Action) -> Permit:
        return await self._desk.gate.permit(self._principal, context_id, *actions)

    async def _run_errand(self, errand: Errand, permit: Permit, reads: Turn) -> None:
        try:
            data = await carry_out(self._desk, permit, errand, self._encoding)
            if isinstance(errand, Sync):
                await self._tell(data, errand, reads)
            else:
                await self._line.send(data)
        except Exception as error:
            await self._refuse(error, errand)
        finally:
            self._leave_slot()

    async def _tell(self, data: Data, errand: Sync, reads: Turn) -> None:
        """Send what was read; what was read before a recheck is asked for, and read, again."""
        while not await self._line.send(data, reads) and not self._line.over.is_set():
            reads = self._reads
            permit = await self._permit(errand.context, "read")
            data = await carry_out(self._desk, permit, errand, self._encoding)

    def _leave_slot(self) -> None:
        self._pending -= 1
        self._slots.release()

    # -- watches ---------------------------------------------------------------------------------

    async def _begin_watch(self, request: Watch) -> None:
        await self._stop(self._watching.get(request.context))
        if len(self._watching) >= self._limits.max_contexts:
            raise TooMany("contexts on one connection", self._limits.max_contexts)
        reads = None
        while reads is not self._reads:  # it was rechecked meanwhile: what was said is stale
            reads = self._reads
            permit = await self._permit(request.context, "read")
        key = key_of(self._desk.gate.hooks, self._principal)
        watching = self._watching[request.context] = Watching(request, permit, key)
        self._attend(partial(self._watch, watching))

    async def _end_watch(self, request: Unwatch) -> None:
        await self._stop(self._watching.get(request.context))
        if request.ref is not None:
            await self._say(Done(ref=request.ref, position=None, changed=False))

    async def _stop(self, watching: Watching | None) -> None:
        if watching is not None:
            watching.stop()
            await watching.ended.wait()

    async def _watch(self, watching: Watching) -> None:
        try:
            with watching.scope:
                await self._deliver(watching)
        except Exception as error:
            self._forget(watching)
            if not watching.turn.stopped:
                await self._end_by(error, watching)
        finally:
            self._forget(watching)

    def _forget(self, watching: Watching) -> None:
        context_id = watching.permit.context_id
        if self._watching.get(context_id) is watching:
            del self._watching[context_id]
        watching.ended.set()

    async def _deliver(self, watching: Watching) -> None:
        request = watching.request
        interval = min(request.interval, LONGEST_INTERVAL)
        async with self._desk.reading.watch(
            watching.permit, request.since, interval, self._encoding
        ) as frames:
            async for frame in frames:
                await self._line.send(splice(frame.data, watching.ref), watching.turn)
                watching.ref = None
                watching.position = frame.position
                if watching.turn.stopped:
                    return

    async def _end_by(self, error: Exception, watching: Watching) -> None:
        refusal = self._desk.refuse(error, self._principal)
        await self._say(_fault(refusal, ref=watching.ref, context=watching.permit.context_id))
        if isinstance(error, ChordClosed):
            self.end(1012, refusal.message)

    async def recheck(self) -> None:
        """Ask again for each watch whether it may be; end it, or begin it anew in another view."""
        self._reads.stopped = True
        self._reads = Turn()
        for context_id, watching in list(self._watching.items()):
            try:
                await self._permit(context_id, "read")
                key = key_of(self._desk.gate.hooks, self._principal)
            except Exception as error:
                self._replace(watching, partial(self._end_by, error, watching))
            else:
                if key != watching.key:
                    self._replace(watching, partial(self._begin_again, watching))

    def _replace(self, watching: Watching, work: Callable[[], Awaitable[None]]) -> None:
        """Stop a watch, and do this then, unless there is another by now, or it is over."""
        current = self._watching.get(watching.permit.context_id)
        if current is watching and not self._line.over.is_set():
            watching.stop()
            self._attend(work)

    async def _begin_again(self, watching: Watching) -> None:
        await watching.ended.wait()
        if watching.permit.context_id not in self._watching:
            since = watching.position
            await self._accept(msgspec.structs.replace(watching.request, since=since, ref=None))

    # -- speaking --------------------------------------------------------------------------------

    async def _say(self, message: ReplyMessage) -> None:
        await self._line.send(pack(message, self._encoding))

    async def _refuse(self, error: Exception, request: Errand | Watch | Unwatch) -> None:
        refusal = self._desk.refuse(error, self._principal)
        await self._say(_fault(refusal, ref=request.ref, context=request.context))

    # -- in numbers ------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        return {
            "watches": len(self._watching),
            "pending": self._pending,
            "malformed": self._malformed,
        }

    def check(self) -> None:
        """Assert every invariant."""
        self._bucket.check()
        self._excess.check()
        assert 0 <= self._pending <= self._limits.max_pending
        assert len(self._watching) <= self._limits.max_contexts
        for context_id, watching in self._watching.items():
            assert watching.permit.context_id == context_id
            assert not watching.ended.is_set()

    def __repr__(self) -> str:
        state = "closed" if self._line.over.is_set() else "open"
        return f"<Session of {self._principal!r}, {len(self._watching)} watches, {state}>"


def _fault(refusal: Refusal, *, ref: Ref | None = None, context: str | None = None) -> Fault:
    applied = False if refusal.applied is False else None
    told = attrs.asdict(refusal) | {"applied": applied}
    return Fault(ref=ref, context=context, **told)
