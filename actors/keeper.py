"""Hold `Keeper`: the side of an actor that faces the store. It commits what was applied, and sees
what became of it: shown, undone, in doubt, or lost.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias

import attrs

from actors.agenda import Due
from actors.behavior import Behavior
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
from actors.lease import Leases
from actors.messages import Again, Ask, Command
from actors.player import Player
from actors.steps import Step
from chord.backends.base import Backend
from chord.crew import Crew, Work
from chord.errors import ChordError, Fenced, NotApplied, OutcomeUnknown, OwnedElsewhere
from chord.journal import Journal
from chord.position import Position
from chord.records import Batch
from chord.turns import copy_error

Phase: TypeAlias = Literal[
    "empty", "activating", "active", "committing", "resolving", "passivating", "paused"
]

CRASHES_OF_ONE: Final = 2
"""In how many crashes a request may have been in work before it is not worked on again."""


@attrs.frozen
class Resources:
    """What all actors of a runtime work with, and who is told of what becomes of a context.

    `deleted`: it is gone, after that position. `lost`: so many versions that were acknowledged are
    not in the store, and never will be. `dead`: a request was given up, because of that error.
    """

    circumstances: Circumstances
    backend: Backend
    journal: Journal
    leases: Leases
    crew: Crew
    known: Known
    counts: dict[str, int]
    deleted: Callable[[str, Position], None]
    lost: Callable[[str, int], None]
    dead: Callable[[str, Ask, BaseException | None], None]


@attrs.define
class Doubt:
    """A commit of which it is not known what became of it, or whether its owner still is."""

    batch: Batch | None
    error: ChordError
    tries: int = 0


class Keeper(Player):
    """Stores what is to be stored, when it is due. Its methods that await are the task's."""

    __slots__ = (
        "_attempts",
        "_closed",
        "_doubt",
        "_must_look",
        "_pause",
        "_phase",
        "_resources",
        "_running",
        "_wants_flush",
        "_window",
        "_window_is_over",
    )

    def __init__(self, context_id: str, resources: Resources) -> None:
        super().__init__(context_id, resources.circumstances)
        self._resources = resources
        self._running = False
        self._phase: Phase = "empty"
        self._pause: Due | None = None
        self._window: Due | None = None
        self._window_is_over = False
        self._wants_flush: list[tuple[asyncio.Future[None], Position | None]] = []
        self._doubt: Doubt | None = None
        self._must_look = False
        self._attempts = 0
        self._closed = False

    def wake(self) -> None:
        if not self._running and self._pause is None:
            self._running = True
            self._resources.crew.put(self._serve)

    @abstractmethod
    async def _serve(self) -> None:
        """Do what there is to do: the task."""

    def start(self, work: Work) -> None:
        self._resources.crew.put(work)

    def flush(self) -> asyncio.Future[None]:
        """Store what is applied by now; the future raises what keeps it from being stored."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        position = self.behavior.position if self.behavior is not None else None
        self._wants_flush = [each for each in self._wants_flush if not each[0].done()]
        self._wants_flush.append((done, position))
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

    def _commit_is_due(self, behavior: Behavior) -> bool:
        if behavior.is_settled:
            return False
        if self._window_is_over or self.must_settle or self._is_flushing():
            return True
        if self.is_leaving and self.holder is None and not self.mailbox:
            return True
        return self._durability.is_due(behavior) or self._durability.is_pressing(behavior)

    async def _confirm_lease(self, behavior: Behavior) -> bool:
        """See, before anything is answered, that a lease that may have lapsed is still ours."""
        assert self.lease is not None
        try:
            ours = await self._resources.leases.confirm(
                self.context_id, self.lease, behavior.stored
            )
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

    def _is_behind(self, position: Position) -> bool:
        """Whether the store has less of a life than was acknowledged: it is not to be continued."""
        return self._resources.known.is_ahead_of(self.context_id, position)

    # -- commits ---------------------------------------------------------------------------------

    async def _commit(self, behavior: Behavior) -> bool:
        assert self.lease is not None
        self._phase = "committing"
        self._end_window_early()
        batch = behavior.compose(
            secrets.token_hex(8),
            self._clock.time(),
            fence=self.lease.fence,
            lease_ttl=self._resources.leases.ttl,
            most=MAX_BATCH,
            most_bytes=MAX_BATCH_BYTES,
        )
        sent = self._clock.monotonic()
        try:
            await self._resources.backend.commit(batch)
        except ChordError as error:
            return self._judge(behavior, batch, error)
        except BaseException as error:
            self._doubt = Doubt(batch, OutcomeUnknown(self.context_id, f"the commit: {error!r}"))
            raise
        finally:
            self._phase = "active"
        self.lease.prolong(sent + self._resources.leases.ttl)
        self._take_note(behavior, batch)
        return True

    def _end_window_early(self) -> None:
        self._window_is_over = False
        if self._window is not None:
            self._window.cancel()
            self._window = None

    def _take_note(self, behavior: Behavior, batch: Batch) -> None:
        """A batch is stored: answer those who waited for it, then wake who watches.

        Who wrote is not to wait until a thousand watchers have run.
        """
        self._doubt = None
        self._attempts = 0
        self._resources.counts["commits"] += 1
        shown = behavior.shown
        steps = behavior.confirm(batch)
        if batch.expect is not None and _ends_life(batch) and not self.close_part():
            self.end_part()
        for step in steps:
            step.acknowledge()
        if batch.position is None:
            assert shown is not None
            self._resources.deleted(self.context_id, shown)
        elif behavior.shown != shown:
            self._all.published(self.context_id)
        if self._wants_flush:
            self._tell_flushed(behavior)

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
        leases, refused = self._resources.leases, judge(doubt.error) is Verdict.DISOWNED
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
            self._resources.known.put(self.context_id, behavior.shown)
        self._must_look = position is not None and self._is_behind(position)
        told = error if isinstance(error, (NotApplied, OutcomeUnknown)) else Fenced(self.context_id)
        self._refuse(behavior, told)
        if lost:
            self._resources.lost(self.context_id, lost)
            self._finish_flush(told)
        self._put_down()
        self._all.published(self.context_id)

    def _put_down(self) -> None:
        """Have nothing in memory any more."""
        self.behavior = None
        self.lease = None
        self._phase = "empty"
        self._end_window_early()
        self.take_turn_back()
        self.end_part()

    # -- those who wait -------------------------------------------------------------------------

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
            self._resources.dead(self.context_id, ask, self.last_error)
            ask.tell(NotApplied(f"{self.context_id!r} crashed twice with it: {self.last_error!r}"))
        self.mailbox.put_back(again)

    def _tell_all(self, asks: Iterable[Ask], error: BaseException) -> None:
        for ask in asks:
            ask.tell(copy_error(error))

    def _tell_flushed(self, behavior: Behavior) -> None:
        """Answer those flushes of which everything is stored."""
        if behavior.is_settled:
            return self._finish_flush(None)
        wanted, self._wants_flush = self._wants_flush, []
        for done, position in wanted:
            if position is None or not behavior.has_stored(position):
                self._wants_flush.append((done, position))
            elif not done.done():
                done.set_result(None)

    def _finish_flush(self, error: BaseException | None) -> None:
        wanted, self._wants_flush = self._wants_flush, []
        for done, _ in wanted:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(copy_error(error))

    def _is_flushing(self) -> bool:
        """Whether somebody still waits for what is applied to be stored."""
        return any(not done.done() for done, _ in self._wants_flush)


def _ends_life(batch: Batch) -> bool:
    """Whether what there was before is no more: it was deleted, or another life was begun."""
    return batch.position is None or batch.position.version == 1
