"""Hold `Line`, which sends the frames of one socket in turn, and closes it once. No messages."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import anyio
from starlette.types import Send

from chord.clock import Clock
from chord.web.sharing import Data

_log = logging.getLogger("chord.web")

CLOSE_PATIENCE: Final = 1.0
"""Seconds that a peer is given to take the last frame."""

LONGEST_REASON: Final = 123
"""Bytes of text that a close frame has room for (RFC 6455)."""


class Turn:
    """One sender's: whether it is on the line just now, and whether it is to send no more."""

    __slots__ = ("sending", "stopped")

    def __init__(self) -> None:
        self.sending = self.stopped = False


class Line:
    """The way to a peer. Frames wait for each other, in order; after the end none is sent.

    `over` is set at the end. `silence` counts the seconds since the peer was heard of: by what it
    says, or by taking a frame that took it a `heartbeat` or longer, as it could say nothing then.
    """

    def __init__(self, transmit: Send, clock: Clock, heartbeat: float) -> None:
        self._transmit = transmit
        self._clock = clock
        self._heartbeat = heartbeat
        self._heard = clock.monotonic()
        self._turn = asyncio.Lock()
        self._close: tuple[int, str] | None = None
        self.over = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether a frame is being sent."""
        return self._turn.locked()

    @property
    def silence(self) -> float:
        return self._clock.monotonic() - self._heard

    def hear(self) -> None:
        """Take note that the peer is there."""
        self._heard = self._clock.monotonic()

    async def send(self, data: Data, turn: Turn | None = None) -> bool:
        """Send a frame when it has its turn. False: it is over, or its sender was stopped."""
        turn = turn or Turn()
        async with self._turn:
            if self.over.is_set() or turn.stopped:
                return False
            turn.sending = True
            try:
                await self._put(data)
            finally:
                turn.sending = False
        return True

    async def _put(self, data: Data) -> None:
        began = self._clock.monotonic()
        kind = "text" if isinstance(data, str) else "bytes"
        try:
            await self._transmit({"type": "websocket.send", kind: data})
        except Exception:  # of whatever kind: each server has its own for a peer that has gone
            self.give_up()
        if self._clock.monotonic() - began >= self._heartbeat:
            self.hear()

    def end(self, code: int, reason: str) -> None:
        """Let no other frame be sent but the one that closes, with this code."""
        if not self.over.is_set():
            self._close = (code, reason)
            self.over.set()

    def give_up(self) -> None:
        """Let no other frame be sent: there is nobody to take it."""
        self.over.set()

    async def shut(self) -> None:
        """Send the frame that closes, if there is one to send. Raises nothing, and ends soon."""
        if self._close is None:
            return
        code, reason = self._close
        reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        with anyio.move_on_after(CLOSE_PATIENCE, shield=True):
            try:
                event = {"type": "websocket.close", "code": code, "reason": reason}
                await self._transmit(event)
            except Exception:
                _log.debug("a peer has gone before it could be closed", exc_info=True)

    def __repr__(self) -> str:
        return f"<Line {'over' if self.over.is_set() else 'open'}>"


async def rest(clock: Clock, seconds: float) -> None:
    """Wait, as the clock counts."""
    due = asyncio.Event()
    timer = clock.call_at(clock.monotonic() + seconds, due.set)
    try:
        await due.wait()
    finally:
        timer.cancel()
