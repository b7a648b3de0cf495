"""Hold `StatefulChord`: the runtime that keeps live contexts in memory, one actor for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.supervisor import DeadLetter, Inspection, Supervisor
from chord.errors import NotStored
from chord.facade import Facade
from chord.live import Live
from chord.poll import Poller
from chord.requests import Request, check_context_id
from chord.turns import Answer


class StatefulChord(Facade):
    """The `Chord` whose truth is in memory while a context is live: one actor orders its writes.

    What an acknowledgement means is `Settings.durability`. One runtime owns a context at a time;
    the writes of another raise `OwnedElsewhere`. Use it as an async context manager; the
    constructor takes an open backend, and leaves it open. Leaving stores everything, and raises
    `NotStored` if it could not.
    """

    _shields_tasks = True

    def _begin_work(self) -> None:
        self._supervisor = Supervisor(
            self._backend, self._journal, self._settings, self, self._lifetime.spawn
        )

    async def _drain(self) -> None:
        left = await self._supervisor.drain()
        if left:
            raise NotStored(left)

    async def _submit(self, context_id: str, request: Request, timeout: float | None) -> Answer:
        answer: Answer = await self._supervisor.submit(context_id, request, timeout)
        return answer

    # -- reading ---------------------------------------------------------------------------------

    async def _fresh(self, context_id: str) -> Live:
        return self._supervisor.look(context_id) or await super()._fresh(context_id)

    def _peek(self, context_id: str) -> Live | None:
        return self._supervisor.look(context_id) or super()._peek(context_id)

    def _make_poller(self, interval: float) -> Poller:
        return Poller(
            self._backend,
            self._shelf,
            self._fanout,
            self._settings.clock,
            interval,
            skip=self._supervisor.is_live,
        )

    # -- what there is to see --------------------------------------------------------------------

    def inspect(self, context_id: str) -> Inspection | None:
        """Tell what a live context does; None where it is not live in this runtime."""
        self._lifetime.check()
        check_context_id(context_id)
        return self._supervisor.inspect(context_id, self._fanout.count(context_id))

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """The last requests that were given up because their context crashed with them twice."""
        return tuple(self._supervisor.dead_letters)

    def _count(self) -> Mapping[str, Any]:
        return self._supervisor.statistics()

    async def _flush(self, context_id: str | None) -> None:
        await self._supervisor.flush(context_id)
        await super()._flush(context_id)

    def check(self) -> None:
        super().check()
        self._supervisor.check()

    # -- what the supervisor tells ---------------------------------------------------------------

    def published(self, context_id: str) -> None:
        self._fanout.publish(context_id)

    def passivated(self, live: Live) -> None:
        self._shelf.put(live)
