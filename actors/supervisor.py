"""Hold `Supervisor`: it makes, finds, hibernates and ends the actors of a runtime, keeps their
leases, and decides what becomes of one that crashes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, Protocol

from actors.actor import Actor, Surroundings
from actors.agenda import Agenda
from actors.chain import Frame, find_asker, has_asker
from actors.desk import Circumstances
from actors.durability import Durability, find_pause
from actors.inspection import DeadLetter, Inspection, inspect, inspect_dormant
from actors.keeper import Resources
from actors.known import Known
from actors.lease import Lease, Leases
from actors.messages import Ask, Done, Order, name_of
from actors.passivation import Dormant, hibernate, rouse
from actors.registry import Registry
from chord.backends.base import Backend
from chord.config import Settings
from chord.crew import Crew, Spawn
from chord.errors import BackendUnavailable, ChordError
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.turns import Answer

_log = logging.getLogger("chord")

REMEMBERED: Final = 16
"""How many of the last dead letters are kept to be looked at."""

AT_ONCE: Final = 256
"""How many leases are given back at once."""


class Observer(Protocol):
    """Who is told of what is to be seen."""

    def published(self, context_id: str) -> None: ...

    def deleted(self, context_id: str, position: Position) -> None: ...

    def passivated(self, live: Live) -> None: ...


class Supervisor:
    """Owns the actors. `spawn` starts a task that ends with the runtime."""

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        settings: Settings,
        observer: Observer,
        spawn: Spawn,
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._clock = settings.clock
        self._journal = journal
        self._observer = observer
        self._agenda = Agenda(settings.clock)
        self._leases = Leases(backend, settings)
        self._crew = Crew(spawn)
        self._durability = Durability.from_settings(settings)
        self._registry = Registry()
        self._known = Known()
        self._counts = dict.fromkeys(
            (
                *("activations", "passivations", "hibernations", "crashes", "quarantines"),
                *("dead_letters", "lost", "commits"),
            ),
            0,
        )
        self._circumstances = Circumstances(
            settings=settings,
            clock=settings.clock,
            agenda=self._agenda,
            durability=self._durability,
            published=observer.published,
        )
        resources = Resources(
            circumstances=self._circumstances,
            backend=backend,
            journal=journal,
            leases=self._leases,
            crew=self._crew,
            known=self._known,
            counts=self._counts,
            deleted=observer.deleted,
            lost=self._take_loss,
            dead=self._take_dead_letter,
        )
        self._around = Surroundings(
            resources=resources,
            crashed=self._take_crash,
            left=self._take_leave,
            used=self._take_use,
        )
        self._lost_in_the_end: set[str] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._releasing = 0
        self._patrol_is_due = False
        self._closing = False
        self.dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)

    # -- requests --------------------------------------------------------------------------------

    def submit(
        self, context_id: str, order: Order, timeout: float | None
    ) -> Answer | Done | Awaitable[Any]:
        """Run a request in its turn. A caller that is cancelled before then takes it back.

        Returns an `Answer`, or of a command, what is `Done`; awaitable, if it takes time. Raises
        `AskCycle`, and what comes of the request.
        """
        if has_asker():
            return self._submit_for_asker(context_id, order, timeout)
        return self._submit(context_id, order, timeout)

    async def _submit_for_asker(self, context_id: str, order: Order, timeout: float | None) -> Any:
        asked = (context_id, name_of(order))
        asker = find_asker(self._circumstances, asked, self._find_holder)
        with nullcontext() if asker is None else asker.waiting_for(asked):
            answer = self._submit(context_id, order, timeout)
            return await answer if isinstance(answer, Ask) else answer

    def _find_holder(self, context_id: str) -> Frame | None:
        actor = self._registry.find(context_id)
        return actor.frame if actor else None

    def _submit(
        self, context_id: str, order: Order, timeout: float | None
    ) -> Answer | Done | Ask:
        now = self._clock.monotonic()
        actor = self._registry.use(context_id, now) or self._make(context_id, now)
        actor.is_leaving = self._closing
        answer = actor.begin(order, now)
        if timeout is not None and isinstance(answer, Ask):
            answer.deadline = now + timeout
            answer.timer = self._agenda.call_at(answer.deadline, partial(actor.expire, answer))
        return answer

    def look(self, context_id: str) -> Live | None:
        """A live context as it is shown, if its lease is sure; None if the store must be asked."""
        actor, now = self._use(context_id)
        return actor.look(now) if actor else None

    def peek(self, context_id: str) -> Live | None:
        """The same without its state."""
        actor, now = self._use(context_id)
        return actor.peek(now) if actor else None

    def recall(self, context_id: str) -> Live | None:
        """A live context as it was last shown, though its lease may not be sure any more."""
        actor, _ = self._use(context_id)
        behavior = actor.behavior if actor else None
        return behavior.look() if behavior and behavior.damage is None else None

    def _use(self, context_id: str) -> tuple[Actor | None, float]:
        now = self._clock.monotonic()
        actor = self._registry.use(context_id, now)
        if actor is None and self._registry.find_dormant(context_id) is not None:
            actor = self._make(context_id, now)
        return actor, now

    def _make(self, context_id: str, now: float) -> Actor:
        """Make an actor, of what hibernates or of nothing."""
        actor = Actor(context_id, self._around)
        dormant = self._registry.find_dormant(context_id)
        if dormant is not None:
            actor.lease = dormant.lease
            actor.behavior = rouse(context_id, dormant, self._journal, self._settings)
        else:
            self._counts["activations"] += 1
        self._registry.add(actor, now)
        self._empty.clear()
        self._make_room(actor)
        self._watch_over()
        return actor

    # -- leaving memory --------------------------------------------------------------------------

    def _make_room(self, newest: Actor) -> None:
        """Have those leave that were used longest ago, if there are too many.

        One that has something to do leaves when that is done.
        """
        excess = len(self._registry) - self._settings.max_live_contexts
        while excess > 0 and (oldest := self._registry.oldest_dormant()) is not None:
            self._release(*oldest)
            excess -= 1
        if excess <= 0:
            return
        excess -= sum(actor.is_leaving for actor in self._registry.restless)
        while excess > 0 and (actor := self._registry.oldest()) not in (None, newest):
            assert actor is not None
            self._registry.set_aside(actor)
            actor.leave()
            excess -= 1

    def _watch_over(self) -> None:
        """See after leases and idle contexts before long."""
        if self._patrol_is_due:
            return
        self._patrol_is_due = True
        settings = self._settings
        rest = min(settings.lease_ttl / 3, settings.hibernate_after / 2, settings.idle_ttl / 2)
        self._agenda.call_in(rest, self._patrol)

    def _patrol(self) -> None:
        self._patrol_is_due = False
        now = self._clock.monotonic()
        self._hibernate_idle(now)
        self._passivate_idle(now)
        self._renew_leases(now)
        if len(self._registry) > 0:
            self._watch_over()

    def _hibernate_idle(self, now: float) -> None:
        before = now - self._settings.hibernate_after
        while (actor := self._registry.oldest()) is not None and actor.used_at <= before:
            dormant = self._make_dormant(actor)
            if dormant is None:
                self._registry.set_aside(actor)
            else:
                self._registry.put_to_sleep(actor, dormant)
                self._counts["hibernations"] += 1

    def _make_dormant(self, actor: Actor) -> Dormant | None:
        behavior, lease = actor.behavior, actor.lease
        if behavior is None or lease is None or actor.is_busy or actor.part is not None:
            return None
        try:
            return hibernate(behavior, lease, self._settings.codec, actor.used_at)
        except Exception as error:  # an application's codec: then it stays as it is
            actor.last_error = error
            return None

    def _passivate_idle(self, now: float) -> None:
        before = now - self._settings.idle_ttl
        while (oldest := self._registry.oldest_dormant()) and oldest[1].since <= before:
            self._release(*oldest)
        for actor in self._registry.restless:
            if actor.used_at <= before and actor.holder is None and not actor.mailbox:
                actor.leave()

    def _release(self, context_id: str, dormant: Dormant) -> None:
        """Let a dormant context go. Whoever asks for it meanwhile takes the lease anew."""
        self._registry.pop_dormant(context_id)
        self._known.put(context_id, dormant.position)
        self._counts["passivations"] += 1
        self._releasing += 1
        self._empty.clear()
        self._crew.put(partial(self._give_back, context_id, dormant.lease))

    async def _give_back(self, context_id: str, lease: Lease) -> None:
        try:
            await self._leases.release(context_id, lease)
        except Exception:
            return  # it lapses by itself
        finally:
            self._releasing -= 1
            self._tell_if_empty()

    def _take_leave(self, actor: Actor, live: Live | None) -> None:
        self._registry.remove(actor)
        if live is not None:
            self._counts["passivations"] += 1
            self._observer.passivated(live)
        self._tell_if_empty()

    def _take_use(self, actor: Actor) -> None:
        if self._registry.find(actor.context_id) is actor:
            self._registry.use(actor.context_id, self._clock.monotonic())

    def _tell_if_empty(self) -> None:
        if len(self._registry) == 0 and self._releasing == 0:
            self._empty.set()

    # -- leases ----------------------------------------------------------------------------------

    def _renew_leases(self, now: float) -> None:
        """Prolong the leases of contexts in use, where their commits do not do it."""
        soon = now + self._leases.ttl * 2 / 3
        wanted: dict[str, Lease] = {}
        for actor in self._registry.latest():
            if actor.used_at <= now - self._leases.ttl and not actor.is_busy:
                continue
            if actor.lease is not None and now < actor.lease.until <= soon:
                wanted[actor.context_id] = actor.lease
        if wanted:
            self._crew.put(partial(self._renew, wanted))

    async def _renew(self, wanted: Mapping[str, Lease]) -> None:
        try:
            lost = await self._leases.renew(wanted)
        except Exception:
            return  # each is confirmed, or taken anew, before it answers anything once it lapsed
        for context_id in lost:
            actor = self._registry.find(context_id)
            if actor is not None:
                actor.disown(wanted[context_id])

    # -- what goes wrong -------------------------------------------------------------------------

    def _take_crash(self, actor: Actor, error: BaseException) -> float:
        """Say how long an actor is to pause after a crash; too many, and it takes no requests."""
        settings, now = self._settings, self._clock.monotonic()
        self._counts["crashes"] += 1
        _log.error("the actor of %r crashed", actor.context_id, exc_info=error)
        actor.crashes = [at for at in actor.crashes if at > now - settings.crash_window]
        actor.crashes.append(now)
        if len(actor.crashes) < settings.crash_limit:
            return find_pause(len(actor.crashes), random.random())
        actor.crashes.clear()
        self._counts["quarantines"] += 1
        actor.refuse_until(now + settings.quarantine, now)
        return settings.quarantine

    def _take_loss(self, context_id: str, versions: int) -> None:
        self._counts["lost"] += versions
        if self._closing:
            self._lost_in_the_end.add(context_id)

    def _take_dead_letter(self, context_id: str, ask: Ask, error: BaseException | None) -> None:
        self._counts["dead_letters"] += 1
        letter = DeadLetter(
            context_id=context_id,
            request=name_of(ask.request),
            error=repr(error),
            at=self._clock.time(),
        )
        self.dead_letters.append(letter)

    # -- all of them -----------------------------------------------------------------------------

    async def flush(self, context_id: str | None) -> None:
        """Store what is not stored, of one context or of all. Raises the first error there was."""
        actors = list(self._registry.latest())
        if context_id is not None:
            actors = [actor for actor in actors if actor.context_id == context_id]
        waits = [
            actor.flush()
            for actor in actors
            if actor.behavior is not None and not actor.behavior.is_settled
        ]
        if waits:
            done = await asyncio.gather(*waits, return_exceptions=True)
            for outcome in done:
                if isinstance(outcome, BaseException):
                    raise outcome

    async def secure(self, context_id: str) -> bool:
        """Where the store is behind what was acknowledged: be sure of the lease, and store it.

        False if the store has it all anyway. Raises `BackendUnavailable` if it cannot be stored.
        """
        actor = self._registry.find(context_id)
        if actor is None or not _holds_back(actor):
            return False
        try:
            await actor.flush()
        except ChordError as error:
            if _holds_back(actor):  # else it is lost, and the store has what there is
                raise BackendUnavailable(self._backend.address, str(error)) from error
        return True

    async def drain(self) -> list[str]:
        """Finish, store and give back everything; return the ids of what could not be stored."""
        self._closing = True
        for actor in list(self._registry.latest()):
            actor.close()
        while (oldest := self._registry.oldest_dormant()) is not None:
            self._release(*oldest)
        self._tell_if_empty()
        limit = self._agenda.call_in(self._settings.drain_timeout, self._empty.set)
        await self._empty.wait()
        limit.cancel()
        self._agenda.close()
        left = list(self._registry.latest())
        not_stored = {actor.context_id for actor in left if _holds_back(actor)}
        for actor in left:
            actor.stop()
        return sorted(not_stored | self._lost_in_the_end)

    def inspect(self, context_id: str, watchers: int) -> Inspection | None:
        """Tell what a live context does; None where it is not live here."""
        now = self._clock.monotonic()
        actor = self._registry.find(context_id)
        if actor is not None:
            return inspect(actor, now, watchers)
        dormant = self._registry.find_dormant(context_id)
        return inspect_dormant(context_id, dormant, now, watchers) if dormant else None

    def is_live(self, context_id: str) -> bool:
        """Whether it is in memory under a lease that is sure."""
        now = self._clock.monotonic()
        actor = self._registry.find(context_id)
        if actor is not None:
            return actor.peek(now) is not None
        dormant = self._registry.find_dormant(context_id)
        return dormant is not None and dormant.lease.is_sure(now)

    def statistics(self) -> dict[str, Any]:
        actors = list(self._registry.latest())
        behaviors = [actor.behavior for actor in actors if actor.behavior is not None]
        return {
            "live": len(self._registry),
            "dormant": self._registry.dormant,
            "waiting": sum(len(actor.mailbox) for actor in actors),
            "busy": sum(actor.is_busy for actor in actors),
            "unstored": sum(behavior.unstored for behavior in behaviors),
            "unstored_bytes": sum(behavior.unstored_bytes for behavior in behaviors),
            **self._counts,
        }

    def check(self) -> None:
        """Assert every invariant of what is in memory."""
        self._registry.check()
        self._agenda.check()
        for actor in self._registry.latest():
            actor.check()

    def __repr__(self) -> str:
        return f"<Supervisor {self._registry!r}>"


def _holds_back(actor: Actor) -> bool:
    """Whether there is something that was acknowledged and is not stored."""
    behavior = actor.behavior
    return behavior is not None and not behavior.is_settled and behavior.awaited is None
