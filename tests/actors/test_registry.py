"""Test which contexts are live, against lists in order of their last use."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.lease import Lease
from actors.passivation import Dormant
from actors.registry import Registry
from chord.position import Position
from chord.records import Fence
from chord.state import take_in

ids = st.sampled_from("abcdef")


@attrs.define(eq=False)
class Sleeper:
    """What a registry knows of an actor."""

    context_id: str
    used_at: float = -1.0


def doze(since: float) -> Dormant:
    lease = Lease(Fence("us", 1), 10.0)
    return Dormant(take_in({}), Position("k", 1), 0.0, 1, 1, 0, False, b"", None, lease, since)


class Uses(RuleBasedStateMachine):
    """Contexts that come, are used, sleep and go; each list is in order of the last use."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        self.now = 0.0
        self.awake: list[Any] = []
        self.restless: list[Any] = []
        self.dormant: list[tuple[str, Dormant]] = []

    def find(self, context_id: str) -> Any:
        found = [each for each in self.awake + self.restless if each.context_id == context_id]
        return found[0] if found else None

    def forget(self, actor: Any) -> None:
        self.awake = [each for each in self.awake if each is not actor]
        self.restless = [each for each in self.restless if each is not actor]

    @rule(context_id=ids, seconds=st.sampled_from([0.0, 1.0]))
    def use(self, context_id: str, seconds: float) -> None:
        self.now += seconds
        actor = self.find(context_id)
        assert self.registry.use(context_id, self.now) is actor
        if actor is not None:
            self.forget(actor)
            self.awake.append(actor)
            assert actor.used_at == self.now

    @rule(context_id=ids)
    def add(self, context_id: str) -> None:
        if self.find(context_id) is not None:
            return
        actor: Any = Sleeper(context_id)
        self.registry.add(actor, self.now)
        assert actor.used_at == self.now
        self.dormant = [item for item in self.dormant if item[0] != context_id]
        self.awake.append(actor)

    @rule(context_id=ids)
    def remove(self, context_id: str) -> None:
        actor = self.find(context_id)
        if actor is not None:
            self.registry.remove(actor)
            self.forget(actor)

    @rule(context_id=ids)
    def remove_another_of_that_name(self, context_id: str) -> None:
        stranger: Any = Sleeper(context_id)
        self.registry.remove(stranger)

    @precondition(lambda self: self.awake)
    @rule()
    def put_the_oldest_to_sleep(self) -> None:
        actor = self.awake[0]
        dormant = doze(actor.used_at)
        self.registry.put_to_sleep(actor, dormant)
        self.forget(actor)
        self.dormant.append((actor.context_id, dormant))

    @rule(context_id=ids)
    def set_aside(self, context_id: str) -> None:
        actor = self.find(context_id)
        if actor is None:
            return
        self.registry.set_aside(actor)
        if actor in self.awake:
            self.forget(actor)
            self.restless.append(actor)

    @rule(context_id=ids)
    def pop_dormant(self, context_id: str) -> None:
        dormant = dict(self.dormant).get(context_id)
        assert self.registry.find_dormant(context_id) is dormant
        assert self.registry.pop_dormant(context_id) is dormant
        self.dormant = [item for item in self.dormant if item[0] != context_id]

    @invariant()
    def everything_is_in_its_place(self) -> None:
        registry = self.registry
        registry.check()
        assert list(registry.latest()) == [*reversed(self.awake), *self.restless]
        assert registry.oldest() is (self.awake[0] if self.awake else None)
        assert registry.oldest_dormant() == (self.dormant[0] if self.dormant else None)
        assert registry.restless == self.restless
        assert registry.awake == len(self.awake) + len(self.restless)
        assert registry.dormant == len(self.dormant)

    @invariant()
    def it_knows_whom_it_has(self) -> None:
        there = [actor.context_id for actor in self.awake + self.restless]
        there += [context_id for context_id, _ in self.dormant]
        assert list(self.registry) == there
        assert len(self.registry) == len(there)
        for context_id in "abcdef":
            assert (context_id in self.registry) is (context_id in there)
            assert self.registry.find(context_id) is self.find(context_id)


TestUses = Uses.TestCase
TestUses.settings = settings(stateful_step_count=30)


def test_finding_an_actor_is_no_use_of_it() -> None:
    registry = Registry()
    first, second = (Sleeper(context_id) for context_id in "ab")
    for actor in (first, second):
        registry.add(actor, 1.0)  # type: ignore[arg-type]
    registry.find("a")
    assert registry.oldest() is first  # type: ignore[comparison-overlap]
