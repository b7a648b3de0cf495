"""Hold `Actor`: one context under one owner, and the task that serves it.

The task runs only while there is something to do that takes time: to activate, to commit, to
passivate. It does one thing after the other, so that at most one commit of a context is in flight;
what can be done at once is done at the desk meanwhile. Between a check and its act there is no
`await`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias

import attrs

from actors.agenda import Due
from actors.behavior import Behavior, Step
from actors.desk import Circumstances
from actors.durability import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    TRIES,
    Verdict,
    bears,
    find_pause,
    judge,
)
from actors.known import Known
from actors.lease import Lease, Leases
from actors.messages import Again, Ask, Command, Done, copy_error
from actors.player import Player
from chord.backends.base import Backend
from chord.crew import Crew, Work
from chord.errors import (
    ChordClosed,
    ChordError,
    CorruptData,
    Fenced,
    NotApplied,
    OutcomeUnknown,
    OwnedElsewhere,
    Quarantined,
)
from chord.history import History
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Batch, Stored
from chord.state import EMPTY

Phase: TypeAlias = Literal[
    "empty", "activating", "active", "committing", "resolving", "passivating", "paused"
]

CRASHES_OF_ONE: Final = 2
"""In how many crashes a request may have been in work before it is not worked on again."""


@attrs.frozen
class Surroundings:
    """What all actors of a runtime share. They tell their supervisor what becomes of them.

    `crashed` answers with the seconds to pause. `left` is told of an actor with nothing in memory
    and nobody waiting, `used` of one that was used by its part.
    """

    circumstances: Circumstances
    backend: Backend
    journal: Journal
    leases: Leases
    crew: Crew
    deleted: Callable[[str, Position], None]
    crashed: Callable[[Actor, Exception], float]
    left: Callable[[Actor, Live | None], None]
    used: Callable[[Actor], None]
    lost: Callable[[Actor, int], None]
    dead: Callable[[Actor, Ask], None]
    known: Known
    counts: dict[str, int]


@attrs.define
class Doubt:
    """A commit of which it is not known what became of it, or whether its owner still is."""

    batch: Batch | None
    error: ChordError
    tries: int = 0


class Actor(Player):
    """A context, from its first request until it has left memory."""

    def __init__(self, context_id: str, surroundings: Surroundings) -> None:
        super().__init__(context_id, surroundings.circumstances)
        self._around = surroundings
        self._running = False
        self._phase: Phase = "empty"
        self._pause: Due | None = None
        self._window: Due | None = None
        self._window_is_over = False
        self._wants_flush: list[asyncio.Future[None]] = []
        self._doubt: Doubt | None = None
        self._must_look = False
        self._attempts = 0
        self._closed = False
        self.used_at = 0.0
        self.crashes: list[float] = []

    # -- when there is something to do -----------------------------------------------------------

    def wake(self) -> None:
        if not self._running and self._pause is None:
            self._running = True
            self._around.crew.put(self._serve)

    def start(self, work: Work) -> None:
        self._around.crew.put(work)

    def note_use(self) -> None:
        self._around.used(self)

    def leave(self) -> None:
        """Leave memory once everything is done and stored, unless something comes meanwhile."""
        self.is_leaving = True
        self.wake()

    def flush(self) -> asyncio.Future[None]:
        """Store what is not stored; the future raises what keeps it from being stored."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wants_flush.append(done)
        self.wake()
        return done

    def note_unstored(self, behavior: Behavior) -> None:
        if self._durability.is_due(behavior):
            self.wake()
        elif self._durability.interval is not None:
            if self._window is None and not self._window_is_over:
                interval = self._durability.interval
                self._window = self._all.agenda.call_in(interval, self._end_window)
        else:
            behavior.shed()

    def _end_window(self) -> None:
        self._window = None
        self._window_is_over = True
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
        except BaseException:
            self.stop()
            raise
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

    def _commit_is_due(self, behavior: Behavior) -> bool:
        if behavior.is_settled:
            return False
        if self._window_is_over or self._wants_flush or self.must_settle:
            return True
        if self.is_leaving and self.holder is None and not self.mailbox:
            return True
        return self._durability.is_due(behavior) or self._durability.is_pressing(behavior)

    # -- activation ------------------------------------------------------------------------------

    async def _begin_or_leave(self) -> bool:
        self.finish_returned()
        if not self.mailbox and not self._must_look:
            self._finish_flush(None)
            self._phase = "empty"
            self._around.left(self, None)
            return False
        self._phase, self._must_look = "activating", False
        leases = self._around.leases
        try:
            self.lease, stored = await leases.activate(self.context_id)
            if stored is not None and self._is_behind(stored.position):
                self.lease, stored = await leases.begin_epoch(self.context_id)
        except ChordError as error:
            self.last_error = error
            self._tell_all(self.mailbox.clear(), error)
            self._finish_flush(error)
            return True
        self.behavior = self._load(stored)
        self._phase = "active"
        self.is_leaving = self._closed
        return True

    def _load(self, stored: Stored | None) -> Behavior:
        damage: ChordError | None = None
        live: Live | None = None
        if stored is not None:
            try:
                live = self._around.journal.recover(stored)
            except CorruptData as error:
                damage, live = error, _make_unreadable(stored)
        self._around.known.drop(self.context_id)
        return Behavior(
            self.context_id,
            live,
            stored.operations if stored is not None else {},
            self._around.journal,
            self._all.settings,
            shows_at_once=self._durability.shows_at_once,
            damage=damage,
        )

    def _is_behind(self, position: Position) -> bool:
        """Whether the store has less of a life than was acknowledged: it is not to be continued."""
        return self._around.known.is_ahead_of(self.context_id, position)

    async def _confirm_lease(self, behavior: Behavior) -> bool:
        """See, before anything is answered, that a lease that may have lapsed is still ours."""
        assert self.lease is not None
        try:
            ours = await self._around.leases.confirm(self.context_id, self.lease, behavior.stored)
        except ChordError as error:
            return self._put_off(behavior, error)
        if not ours:
            self._doubt = Doubt(None, Fenced(self.context_id))
        return True

    def _put_off(self, behavior: Behavior, error: ChordError) -> bool:
        """The store could not be asked: nobody is kept waiting; what was shown is stored later."""
        self.last_error = error
        self._refuse(behavior, error)
        self.finish_returned(error)
        self._tell_all(self.mailbox.clear(), error)
        self._finish_flush(error)
        if behavior.is_settled and not self.is_leaving:
            return False
        return self._rest()

    # -- commits ---------------------------------------------------------------------------------

    async def _commit(self, behavior: Behavior) -> bool:
        assert self.lease is not None
        self._phase = "committing"
        self._end_window_early()
        batch = behavior.compose(
            secrets.token_hex(8),
            self._clock.time(),
            fence=self.lease.fence,
            lease_ttl=self._around.leases.ttl,
            most=MAX_BATCH,
            most_bytes=MAX_BATCH_BYTES,
        )
        sent = self._clock.monotonic()
        try:
            await self._around.backend.commit(batch)
        except ChordError as error:
            return self._judge(behavior, batch, error)
        except BaseException as error:
            self._doubt = Doubt(batch, OutcomeUnknown(self.context_id, f"the commit: {error!r}"))
            raise
        finally:
            self._phase = "active"
        self.lease.prolong(sent + self._around.leases.ttl)
        self._take_note(behavior, batch)
        return True

    def _end_window_early(self) -> None:
        self._window_is_over = False
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _take_note(self, behavior: Behavior, batch: Batch) -> None:
        """A batch is stored: show it, and answer those who waited for it."""
        self._doubt = None
        self._attempts = 0
        self._around.counts["commits"] += 1
        shown = behavior.shown
        steps = behavior.confirm(batch)
        if batch.position is None:
            assert shown is not None
            self._around.deleted(self.context_id, shown)
        elif behavior.shown != shown:
            self._all.published(self.context_id)
        if batch.expect is not None and _ends_life(batch):
            self.close_part()
        for step in steps:
            step.acknowledge()

    def _judge(self, behavior: Behavior, batch: Batch, error: ChordError) -> bool:
        self.last_error = error
        verdict = judge(error)
        if verdict is not Verdict.REFUSED:
            self._doubt = Doubt(batch, error)
            return True
        behavior.ground()
        self._refuse(behavior, error)
        self._finish_flush(error)
        if behavior.is_settled:
            return True
        if self.must_settle:
            self._tell_all(self.mailbox.clear(), error)
        self._window_is_over = self._durability.interval is not None
        return self._rest()

    def _refuse(self, behavior: Behavior, error: ChordError) -> None:
        """Undo what was not acknowledged, and tell those who wait for it."""
        asks: list[Ask] = []
        sent = behavior.in_flight
        for number, step in enumerate(behavior.refuse()):
            if number == sent and sent > 0 and error.applied is None:
                error = NotApplied(f"{self.context_id!r}: it rested on another, and {error}")
            for ask, outcome in step.waiters:
                if isinstance(outcome, Again):
                    asks.append(ask)
                else:
                    ask.tell(copy_error(error))
        self.mailbox.put_back(asks)

    def _rest(self) -> bool:
        """Pause before the next attempt, the longer the more there were."""
        self._attempts += 1
        self._rest_for(find_pause(self._attempts, random.random()))
        return False

    def _rest_for(self, seconds: float) -> None:
        self._pause = self._all.agenda.call_in(seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self.wake()

    # -- doubts ----------------------------------------------------------------------------------

    async def _resolve(self, behavior: Behavior, doubt: Doubt) -> bool:
        """Take the lease anew, and see by the way what became of the commit that is in doubt.

        What was sent under the old token and has not arrived yet is refused from then on. Whoever
        went another way meanwhile keeps the lease, though it may have lapsed, where there is no
        such doubt.
        """
        self._phase = "resolving"
        leases, refused = self._around.leases, judge(doubt.error) is Verdict.DISOWNED
        try:
            if refused:
                position = await leases.locate(self.context_id)
                if position != behavior.stored:
                    self._lose(behavior, doubt.error, position)
                    return True
            lease, stored = await leases.reclaim(self.context_id)
        except OwnedElsewhere as error:
            self._lose(behavior, error if refused else doubt.error)
            return True
        except ChordError as error:
            self.last_error = error
            return self._doubt_on(behavior, doubt)
        finally:
            self._phase = "active"
        self.lease = lease
        position = stored.position if stored else None
        batch = doubt.batch
        if batch is not None and position != behavior.stored and bears(stored, batch):
            self._take_note(behavior, batch)
        elif position == behavior.stored:
            return self._go_on(behavior, doubt)
        else:
            self._lose(behavior, doubt.error, position)
        return True

    def _go_on(self, behavior: Behavior, doubt: Doubt) -> bool:
        """Nobody wrote: what is in memory holds, and what was in doubt is not stored."""
        self._doubt = None
        behavior.ground()
        if any(ask.crashes >= CRASHES_OF_ONE for ask in behavior.list_asks()):
            self._put_back_work(behavior.refuse())
            return True
        self._attempts += 1
        if self._attempts <= TRIES:  # each time anew
            return True
        error = NotApplied(f"{self.context_id!r}: {doubt.error}")
        self._refuse(behavior, error)  # those who wait may try again themselves
        self._finish_flush(error)
        if not behavior.is_settled:
            return self._rest()  # what was shown is not given up
        self._attempts = 0
        return True

    def _doubt_on(self, behavior: Behavior, doubt: Doubt) -> bool:
        doubt.tries += 1
        if doubt.tries < TRIES:
            self._rest_for(find_pause(doubt.tries, random.random()))
            return False
        self._finish_flush(doubt.error)
        error = NotApplied(f"{self.context_id!r}: {doubt.error}")
        self.finish_returned(error)
        self._tell_all(self.mailbox.clear(), error)
        if behavior.awaited is None and not behavior.is_settled:
            return self._rest()  # what was shown is not given up
        self._lose(behavior, doubt.error)
        return True

    def _lose(
        self, behavior: Behavior, error: ChordError, position: Position | None = None
    ) -> None:
        """Drop what is in memory: the store has gone another way, or nobody can tell.

        If it is behind what was acknowledged, a new epoch is begun there at once.
        """
        self._doubt = None
        self.last_error = error
        lost = behavior.unstored if behavior.awaited is None else 0
        if behavior.shown is not None:
            self._around.known.put(self.context_id, behavior.shown)
        self._must_look = position is not None and self._is_behind(position)
        told = error if isinstance(error, (NotApplied, OutcomeUnknown)) else Fenced(self.context_id)
        self._refuse(behavior, told)
        if lost:
            self._around.lost(self, lost)
            self._finish_flush(told)
        self._put_down()
        self._all.published(self.context_id)

    def _put_down(self) -> None:
        """Have nothing in memory any more."""
        self.behavior = None
        self.lease = None
        self._phase = "empty"
        self._end_window_early()
        self.end_part()

    # -- crashes ---------------------------------------------------------------------------------

    def _crash(self, error: Exception) -> None:
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

    def _put_back_work(self, steps: Iterable[Step], *, counted: bool = False) -> None:
        asks = [ask for step in steps for ask, _ in step.waiters]
        again: list[Ask] = []
        for ask in asks:
            ask.crashes += counted
            if ask.begun and isinstance(ask.request, Command):  # it may have done more than that
                ask.tell(NotApplied(f"{self.context_id!r} crashed after it: {self.last_error!r}"))
                continue
            if ask.crashes < CRASHES_OF_ONE:
                again.append(ask)
                continue
            self._around.dead(self, ask)
            ask.tell(NotApplied(f"{self.context_id!r} crashed twice with it: {self.last_error!r}"))
        self.mailbox.put_back(again)

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
        held = [] if self.holder is None else [self.holder]
        self._tell_all([*held, *self.mailbox.clear()], ChordClosed("the runtime was stopped"))
        self._finish_flush(ChordClosed("the runtime was stopped"))
        self.end_part()

    def _tell_all(self, asks: Iterable[Ask], error: BaseException) -> None:
        for ask in asks:
            ask.tell(copy_error(error))

    def _tell_flushed(self, behavior: Behavior) -> None:
        if behavior.is_settled:
            self._finish_flush(None)

    def _finish_flush(self, error: BaseException | None) -> None:
        wanted, self._wants_flush = self._wants_flush, []
        for done in wanted:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(copy_error(error))

    # -- passivation -----------------------------------------------------------------------------

    async def _passivate(self, behavior: Behavior) -> bool:
        """Give the lease back, and leave memory, unless something comes before it is given back."""
        if behavior.exists and self.close_part():
            return True
        lease = self.lease
        assert lease is not None
        live = behavior.look()
        self._put_down()
        self._phase = "passivating"
        try:
            await self._around.leases.release(self.context_id, lease)
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


def _ends_life(batch: Batch) -> bool:
    """Whether what there was before is no more: it was deleted, or another life was begun."""
    return batch.position is None or batch.position.version == 1


def _make_unreadable(stored: Stored) -> Live:
    """A context of which only the position can be read: enough to end its life."""
    return Live(
        context_id=stored.context_id,
        state=EMPTY,
        position=stored.position,
        updated_at=stored.updated_at,
        history=History(stored.position.version),
        snapshot_version=stored.position.version,
        snapshot_bytes=0,
    )
