"""Hold `Actor`: one context under one owner, and the task that serves it.

The task runs only while there is something to do that takes time: to activate, to commit, to
passivate. It does one thing after the other, so that at most one commit of a context is in flight;
what can be done at once is done at the desk meanwhile. Between a check and its act there is no
`await`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from actors.behavior import Behavior
from actors.keeper import Doubt, Keeper, Phase, Resources
from actors.lease import Lease
from actors.messages import Done
from actors.steps import Step
from chord.errors import (
    ChordClosed,
    ChordError,
    CorruptData,
    Fenced,
    OutcomeUnknown,
    Quarantined,
)
from chord.lifetime import is_being_cancelled
from chord.live import Live, make_unreadable
from chord.records import Stored
from chord.turns import contain


@attrs.frozen
class Surroundings:
    """Who an actor tells what it does: its supervisor.

    `crashed` answers with the seconds to pause. `left` is told of an actor with nothing in memory
    and nobody waiting, `used` of one that was used by its part.
    """

    resources: Resources
    crashed: Callable[[Actor, BaseException], float]
    left: Callable[[Actor, Live | None], None]
    used: Callable[[Actor], None]


class Actor(Keeper):
    """A context, from its first request until it has left memory."""

    __slots__ = (
        "_around",
        "crashes",
        "used_at",
    )

    def __init__(self, context_id: str, surroundings: Surroundings) -> None:
        super().__init__(context_id, surroundings.resources)
        self._around = surroundings
        self.used_at = 0.0
        self.crashes: list[float] = []

    # -- when there is something to do -----------------------------------------------------------

    def note_use(self) -> None:
        self._around.used(self)

    def leave(self) -> None:
        """Leave memory once everything is done and stored, unless something comes meanwhile."""
        self.is_leaving = True
        self.wake()

    @property
    def is_busy(self) -> bool:
        """Whether it is doing something, or has something to do."""
        return (
            self._running
            or self._pause is not None
            or self.holder is not None
            or bool(self.mailbox)
            or (self.behavior is not None and not self.behavior.is_settled)
        )

    @property
    def phase(self) -> Phase:
        return "paused" if self._pause is not None else self._phase

    # -- the task --------------------------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while await self._advance():
                pass
        except Exception as error:
            self._crash(error)
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                self.stop()
                raise
            self._crash(contain(error))  # what it waited for was cancelled, not it
        finally:
            self._running = False

    async def _advance(self) -> bool:
        """Do the next thing that takes time; False if there is none, or it has to wait."""
        behavior = self.behavior
        if self._pause is not None:
            return False
        if behavior is None:
            return await self._begin_or_leave()
        if self._doubt is not None:
            return await self._resolve(behavior, self._doubt)
        if not self.is_sure and (self.mailbox or self.has_returned or not behavior.is_settled):
            return await self._confirm_lease(behavior)
        self.finish_returned()
        self.pump()
        if self._commit_is_due(behavior):
            return await self._commit(behavior)
        self._tell_flushed(behavior)
        if not behavior.exists and not self.mailbox and self.holder is None:
            self.is_leaving = True
        if self.is_leaving and not self.mailbox and self.holder is None and behavior.is_settled:
            return await self._passivate(behavior)
        return False

    # -- activation ------------------------------------------------------------------------------

    async def _begin_or_leave(self) -> bool:
        self.finish_returned()
        if not self.mailbox and not self._must_look:
            self._finish_flush(None)
            self._phase = "empty"
            self._around.left(self, None)
            return False
        self._phase = "activating"
        leases = self._resources.leases
        try:
            self.lease, stored = await leases.activate(self.context_id)
            if stored is not None and self._is_behind(stored.position):
                self.lease, stored = await leases.begin_epoch(self.context_id)
        except ChordError as error:
            self._must_look = False
            self.last_error = error
            self._tell_all(self.mailbox.clear(), error)
            self._finish_flush(error)
            return True
        self._must_look = False
        self.behavior = self._load(stored)
        self._phase = "active"
        self.is_leaving = self.is_leaving or self._closed
        return True

    def _load(self, stored: Stored | None) -> Behavior:
        damage: ChordError | None = None
        live: Live | None = None
        if stored is not None:
            try:
                live = self._resources.journal.recover(stored)
            except CorruptData as error:
                damage, live = (
                    error,
                    make_unreadable(self.context_id, stored.position, stored.updated_at),
                )
        self._resources.known.drop(self.context_id)
        return Behavior(
            self.context_id,
            live,
            stored.operations if stored is not None else {},
            self._resources.journal,
            self._all.settings,
            shows_at_once=self._durability.shows_at_once,
            damage=damage,
        )

    # -- crashes ---------------------------------------------------------------------------------

    def _crash(self, error: BaseException) -> None:
        """Something went wrong that no request is to blame for: go on from what was acknowledged.

        What was in work is worked on again; whoever was in work twice is not, nor is a command.
        """
        self.last_error = error
        behavior = self.behavior
        if behavior is None:
            self._put_back_work(
                [Step(None, None, b"", None, ask, Done(None)) for ask in self.mailbox.clear()],
                counted=True,
            )
        elif self._doubt is None:
            self._put_back_work(behavior.refuse(), counted=True)
        else:
            for ask in behavior.list_asks():
                ask.crashes += 1
        self._rest_for(self._around.crashed(self, error))

    def refuse_until(self, moment: float, now: float) -> None:
        """Take no requests before that moment; those that wait are told so."""
        self.refused_until = moment
        self._tell_all(self.mailbox.clear(), Quarantined(self.context_id, moment - now))

    def disown(self, lease: Lease) -> None:
        """The lease is not ours any more, if it is still this one."""
        if self.lease is lease and self._doubt is None and self.behavior is not None:
            lease.until = 0.0
            if not self._running:
                self._doubt = Doubt(None, Fenced(self.context_id))
            self.wake()

    def close(self) -> None:
        """Leave memory for good once everything is done."""
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.leave()

    def stop(self) -> None:
        """The runtime ends now, whatever is under way: all who wait are answered."""
        if self.behavior is not None:
            error = OutcomeUnknown(self.context_id, "the runtime was stopped meanwhile")
            self._refuse(self.behavior, error)
        self._doubt = None
        held = [] if self.holder is None else [self.holder]
        self._tell_all([*held, *self.mailbox.clear()], ChordClosed("the runtime was stopped"))
        self._finish_flush(ChordClosed("the runtime was stopped"))
        self.end_part()

    # -- passivation -----------------------------------------------------------------------------

    async def _passivate(self, behavior: Behavior) -> bool:
        """Give the lease back, and leave memory, unless something comes before it is given back."""
        if behavior.exists and self.close_part():
            return True
        lease = self.lease
        assert lease is not None
        live = behavior.look()
        if live is not None:
            self._resources.known.put(self.context_id, live.position)
        self._put_down()
        self._phase = "passivating"
        try:
            await self._resources.leases.release(self.context_id, lease)
        except ChordError as error:
            self.last_error = error  # it lapses by itself
        self._phase = "empty"
        self._finish_flush(None)
        if self.mailbox:
            return True
        self._around.left(self, live)
        return False

    def check(self) -> None:
        """Assert every invariant."""
        self.mailbox.check()
        if self.behavior is not None:
            self.behavior.check()
            assert self.lease is not None
        if not self.is_busy and self.behavior is not None:
            assert self.behavior.is_settled
            assert self._doubt is None

    def __repr__(self) -> str:
        return (
            f"<Actor {self.context_id!r} {self.phase} {self.behavior!r} mail={len(self.mailbox)}>"
        )
