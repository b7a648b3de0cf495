"""Hold `Link`, which keeps a connection to a server: it dials, listens, talks, and dials again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from chord.client.backoff import Backoff
from chord.client.socket import Dialer, Lost, Socket
from chord.clock import Clock, Timer

_log = logging.getLogger("chord.client")

CROWDED: Final = 4
"""How many failed attempts it counts for that a server has too many connections."""


class Party(Protocol):
    """Who speaks through a link. Nothing of it waits."""

    @property
    def patience(self) -> float | None:
        """After how many seconds a silent server is taken for dead; None: never."""

    def hear(self, data: str | bytes) -> None:
        """Take what the server said."""

    def speak(self) -> bytes | None:
        """Return what is to be sent next, None if nothing is."""

    def disconnect(self, why: Lost) -> None:
        """The connection is gone; there will be another."""


class Link:
    """Connects, again and again, until the server refuses for good."""

    def __init__(
        self,
        dialer: Dialer,
        party: Party,
        *,
        clock: Clock,
        backoff: Backoff,
        chance: Callable[[], float],
    ) -> None:
        self._dialer = dialer
        self._party = party
        self._clock = clock
        self._backoff = backoff
        self._chance = chance
        self._attempts = 0
        self._news = asyncio.Event()
        self._heard_at = 0.0

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Carry messages until cancelled. Raises `ConnectionRefused`."""
        pause = 0.0
        while True:
            began = self._clock.monotonic()
            try:
                await self._connect()
            except Lost as lost:
                self._party.disconnect(lost)
                lasted = self._clock.monotonic() - began
                pause = self._plan(lost, lasted > pause)
                _log.info("%s; again in %.3g s", lost, pause)
            await self._sleep(pause)

    def _plan(self, lost: Lost, lasted: bool) -> float:
        """How long to wait: as the first time, if the connection outlasted the pause before it."""
        if lost.crowded:
            self._attempts = max(self._attempts, CROWDED)
        elif lasted:
            self._attempts = 0
        self._attempts += 1
        return self._backoff.pause(self._attempts - 1, chance=self._chance())

    async def _connect(self) -> None:
        socket = await self._dialer.dial()
        self._heard_at = self._clock.monotonic()
        tasks = [
            asyncio.create_task(work(socket)) for work in (self._listen, self._talk, self._guard)
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()
        raise _find_reason(outcomes)

    async def _listen(self, socket: Socket) -> None:
        while True:
            data = await socket.receive()
            self._heard_at = self._clock.monotonic()
            self._party.hear(data)

    async def _talk(self, socket: Socket) -> None:
        while True:
            self._news.clear()
            while (data := self._party.speak()) is not None:
                await socket.send(data)
            await self._news.wait()

    async def _guard(self, socket: Socket) -> None:
        """End when the server has been silent for too long."""
        while True:
            patience = self._party.patience
            silent = self._clock.monotonic() - self._heard_at
            if patience is not None and silent >= patience:
                raise Lost(f"the server was silent for {silent:.3g} s")
            await self._sleep(1.0 if patience is None else patience - silent)

    async def _sleep(self, seconds: float) -> None:
        due = asyncio.Event()
        timer: Timer = self._clock.call_at(self._clock.monotonic() + seconds, due.set)
        try:
            await due.wait()
        finally:
            timer.cancel()

    def __repr__(self) -> str:
        return f"<Link to {self._dialer.url}, attempts={self._attempts}>"


def _find_reason(outcomes: list[Any]) -> BaseException:
    """Why it ended: what says most, a fault of ours first, a mere loss last."""
    found = [each for each in outcomes if isinstance(each, Exception)]
    telling = [each for each in found if not isinstance(each, Lost)]
    return next(iter([*telling, *found]), Lost("the connection ended"))
