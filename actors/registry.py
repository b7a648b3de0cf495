"""Hold `Registry`: which contexts are live, and which of them was used when. No I/O, no clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from actors.actor import Actor
from actors.passivation import Dormant


class Registry:
    """The actors, and the contexts that hibernate, each in order of their last use.

    A context is at one place only. Everything is O(1) but for the lists.
    """

    def __init__(self) -> None:
        self._awake: OrderedDict[str, Actor] = OrderedDict()
        self._restless: dict[str, Actor] = {}
        self._dormant: OrderedDict[str, Dormant] = OrderedDict()

    def use(self, context_id: str, now: float) -> Actor | None:
        """Return the actor of this context, if it has one, as the one used last."""
        actor = self._awake.get(context_id)
        if actor is None:
            actor = self._restless.pop(context_id, None)
            if actor is None:
                return None
            self._awake[context_id] = actor
        else:
            self._awake.move_to_end(context_id)
        actor.used_at = now
        return actor

    def find(self, context_id: str) -> Actor | None:
        """Return the actor without using it."""
        return self._awake.get(context_id) or self._restless.get(context_id)

    def find_dormant(self, context_id: str) -> Dormant | None:
        return self._dormant.get(context_id)

    def add(self, actor: Actor, now: float) -> None:
        """Take an actor in, as the one used last."""
        actor.used_at = now
        self._dormant.pop(actor.context_id, None)
        self._awake[actor.context_id] = actor

    def remove(self, actor: Actor) -> None:
        """Let go of an actor."""
        context_id = actor.context_id
        if self.find(context_id) is actor:
            self._awake.pop(context_id, None)
            self._restless.pop(context_id, None)

    def put_to_sleep(self, actor: Actor, dormant: Dormant) -> None:
        """Keep a context without its actor; it must be the one that was used longest ago."""
        self.remove(actor)
        self._dormant[actor.context_id] = dormant

    def set_aside(self, actor: Actor) -> None:
        """Ask no more about an actor which can't hibernate, until it is used again."""
        if self._awake.pop(actor.context_id, None) is not None:
            self._restless[actor.context_id] = actor

    def pop_dormant(self, context_id: str) -> Dormant | None:
        return self._dormant.pop(context_id, None)

    def oldest(self) -> Actor | None:
        """The actor that was used longest ago, but for those set aside."""
        return next(iter(self._awake.values()), None)

    def oldest_dormant(self) -> tuple[str, Dormant] | None:
        return next(iter(self._dormant.items()), None)

    @property
    def restless(self) -> list[Actor]:
        """Those set aside: they can't hibernate."""
        return list(self._restless.values())

    @property
    def awake(self) -> int:
        return len(self._awake) + len(self._restless)

    @property
    def dormant(self) -> int:
        return len(self._dormant)

    def latest(self) -> Iterator[Actor]:
        """Iterate over the actors, the one used last first; those set aside come last."""
        yield from reversed(self._awake.values())
        yield from self._restless.values()

    def __len__(self) -> int:
        return len(self._awake) + len(self._restless) + len(self._dormant)

    def __contains__(self, context_id: str) -> bool:
        return self.find(context_id) is not None or context_id in self._dormant

    def __iter__(self) -> Iterator[str]:
        yield from self._awake
        yield from self._restless
        yield from self._dormant

    def __repr__(self) -> str:
        return f"<Registry awake={self.awake} dormant={self.dormant}>"

    def check(self) -> None:
        """Assert every invariant. O(n)."""
        ids = list(self)
        assert len(ids) == len(set(ids))
        used = [actor.used_at for actor in self._awake.values()]
        assert used == sorted(used)
        since = [dormant.since for dormant in self._dormant.values()]
        assert since == sorted(since)
