"""Hold `StatefulChord`: the runtime that keeps live contexts in memory, one actor for each."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from actors.application import A, Casting
from actors.inspection import DeadLetter, Inspection
from actors.messages import Command, Done
from actors.player import name_operation
from actors.supervisor import Supervisor
from chord.errors import NotStored
from chord.facade import Facade
from chord.live import Live
from chord.poll import Poller
from chord.position import Position
from chord.records import Context
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
        self._casting = Casting(self, self._intake, self._ask)

    async def _drain(self) -> None:
        left = await self._supervisor.drain()
        if left:
            raise NotStored(left)

    def _submit(
        self, context_id: str, request: Request, timeout: float | None
    ) -> Answer | Awaitable[Answer]:
        return self._supervisor.submit(context_id, request, timeout)  # type: ignore[return-value]

    # -- the application's own actors ------------------------------------------------------------

    def actor(self, kind: type[A], context_id: str, *, timeout: float | None = None) -> A:
        """Return a proxy: what is awaited of its commands is run by the actor of this id.

        A proxy costs nothing to make, and outlives the actor's leaving memory. `timeout`, in
        seconds, holds for each of its commands.
        """
        self._lifetime.check()
        return self._casting.make_proxy(kind, context_id, timeout)

    async def _ask(self, context_id: str, command: Command, timeout: float | None) -> Any:
        with self._span(name_operation(command), context_id) as span:
            done: Any = self._supervisor.submit(context_id, command, timeout)
            if not isinstance(done, Done):
                done = await done
            span.outcome = "ok" if done.changed else "unchanged"
            span.size = done.size
            return done.value

    # -- reading ---------------------------------------------------------------------------------

    async def _fresh(self, context_id: str) -> Live:
        live = self._supervisor.peek(context_id)
        if live is None and await self._supervisor.secure(context_id):
            live = self._supervisor.peek(context_id)
        return live or await super()._fresh(context_id)

    def _peek(self, context_id: str) -> Live | None:
        live = self._supervisor.peek(context_id)
        if live is None and self._supervisor.recall(context_id) is None:
            return super()._peek(context_id)  # else the shelf may have less than is known here
        return live

    def _show(self, live: Live) -> Live:
        shown = self._supervisor.recall(live.context_id)  # whoever gave it was sure of the lease
        return shown if shown is live else live

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

    # -- what the parts call ---------------------------------------------------------------------

    def recall(self, context_id: str, position: Position, updated_at: float) -> Context:
        live = self._supervisor.recall(context_id) if self._lifetime.has_tasks else None
        if live is None:
            return super().recall(context_id, position, updated_at)
        return live.recall(position, updated_at, self._settings.delta_threshold)

    # -- what the supervisor tells ---------------------------------------------------------------

    def published(self, context_id: str) -> None:
        self._fanout.publish(context_id)

    def passivated(self, live: Live) -> None:
        self._shelf.put(live)
