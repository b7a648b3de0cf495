"""Hold histories of calls, as hypothesis draws them, and `Player`, who lives one on a runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from chord import (
    Append,
    Chord,
    ChordError,
    Commit,
    Context,
    Delta,
    DeltaUpdate,
    FullContext,
    Increment,
    NoChange,
    Position,
    Summary,
    VersionConflict,
)
from chord.clock import ManualClock
from chord.delta import equal
from chord.testing.strategies import patches, states
from tests.waiting import outcome_of, turn

IDS: Final = ("a", "b")
TEXT: Final = "chord " * 1000
"""With this in it a state is large: then it may be smaller than what changed."""

SETTINGS: Final[dict[str, Any]] = {
    **{"delta_threshold": 4, "delta_ttl": 60.0, "op_ttl": 20.0, "snapshot_every": 3},
    **{"hibernate_after": 2.0, "idle_ttl": 8.0, "lease_ttl": 3.0, "watch_poll": None},
}
"""Such that times and numbers run out within a history, and what is live takes naps."""


@attrs.frozen
class Seen:
    """A position that was told before, by its number; as a string, where it is to be `text`."""

    index: int
    text: bool = False


@attrs.frozen
class Step:
    """A call by its name, a pause, or several calls at once."""

    name: str
    context_id: str = ""
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict)


# -- what is drawn -------------------------------------------------------------------------------


def restore(context_id: str) -> dict[str, Any] | None:
    return {"restored": True} if context_id == "a" else None


def count_keys(state: Any) -> dict[str, Any]:
    return {"keys": len(state), "n": Increment()}


def change_nothing(state: Any) -> dict[str, Any]:
    return {}


def fail(state: Any) -> dict[str, Any]:
    raise ZeroDivisionError


def count_up(by: int) -> dict[str, Any]:
    return {"log": Append([by]), "n": Increment(by)}


functions = st.sampled_from([count_keys, count_keys, change_nothing, fail])
texts = st.fixed_dictionaries({"text": st.sampled_from([TEXT, TEXT[1:], "short"])})
writes = st.one_of(st.integers(0, 2).map(count_up), texts, patches(max_depth=2))
begun = st.none() | st.just({"n": 0, "log": []}) | states(2)
wholes = st.one_of(st.just({"n": 0, "log": []}), texts, states(2))
seen = st.builds(Seen, st.integers(0, 30), st.booleans())
options: dict[str, st.SearchStrategy[Any]] = {
    "op_id": st.none() | st.none() | st.sampled_from(["op", "op2"]),
    "expected": st.none() | st.none() | st.integers(0, 5) | seen,
    "create": st.none() | begun,
    "ephemeral": st.sampled_from([False, False, True]),
}


def _call(name: str, *arguments: st.SearchStrategy[Any], **named: Any) -> st.SearchStrategy[Step]:
    fields = st.fixed_dictionaries(named)
    return st.builds(Step, st.just(name), st.sampled_from(IDS), st.tuples(*arguments), fields)


def _pick(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return {name: options[name] for name in names}


in_turn = st.one_of(
    _call("set_context", wholes, **_pick("expected", "op_id")),
    _call("update_context", writes, **_pick("expected", "op_id", "create")),
    _call("update_context", writes, **_pick("op_id")),
    _call("transform_context", functions, **_pick("op_id")),
    _call("delete_context", **_pick("expected")),
)
since = st.one_of(st.none(), st.integers(0, 8), seen, seen, seen)
alone = st.one_of(
    _call("update_context", writes, **_pick("ephemeral")),
    _call("restore_context"),
    _call("get_context"),
    _call("sync_context", since),
    _call("sync_context", since),
    _call("remember", st.integers(0, 30)),
    st.builds(Step, st.just("list_contexts")),
)
pauses = st.sampled_from([0.5, 2.5, 7.0, 15.0, 30.0, 90.0]).map(
    lambda seconds: Step("pause", arguments=(seconds,))
)
bursts = st.lists(in_turn, min_size=2, max_size=5).map(
    lambda steps: Step("at-once", arguments=tuple(steps))
)
histories = st.lists(
    st.one_of(in_turn, in_turn, alone, alone, pauses, bursts), min_size=8, max_size=30
)


# -- what is lived -------------------------------------------------------------------------------


class Exactly:
    """A state, or changes, that equals another strictly."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exactly) and equal(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._value)


def _leave_birth(told: Any) -> Any:
    """A call that repeats a birth may be told its delta, as the first was; nobody is served it."""
    match told:
        case (kind, (epoch, 1), _, changed, durable):
            return kind, (epoch, 1), None, changed, durable
    return told


class Player:
    """Lives a history on a runtime, and tells what it was answered, without names by chance."""

    def __init__(self, chord: Chord, clock: ManualClock, *, durable: bool = True) -> None:
        self._chord = chord
        self._tells_durable = durable
        self._clock = clock
        self._epochs: dict[str, int] = {}
        self._seen: list[Position] = []
        self._commits: list[Commit] = []

    async def live(self, history: Sequence[Step]) -> list[Any]:
        return [await self._take(step) for step in history]

    async def _take(self, step: Step) -> Any:
        match step.name:
            case "pause":
                self._clock.advance(*step.arguments)
                await turn()
                return None
            case "at-once":
                calls = [outcome_of(self._call(each)) for each in step.arguments]
                return [_leave_birth(self._tell(told)) for told in await asyncio.gather(*calls)]
            case "remember":
                return self._remember(*step.arguments)
        return self._tell(await outcome_of(self._call(step)))

    async def _call(self, step: Step) -> Any:
        call = getattr(self._chord, step.name)
        if step.context_id:
            call = partial(call, step.context_id)
        named = {name: self._resolve(value) for name, value in step.options.items()}
        return await call(*map(self._resolve, step.arguments), **named)

    def _resolve(self, value: Any) -> Any:
        if not isinstance(value, Seen):
            return value
        if not self._seen:
            return Position("unheard-of", 1)
        position = self._seen[value.index % len(self._seen)]
        return str(position) if value.text else position

    def _remember(self, index: int) -> Any:
        if not self._commits:
            return None
        commit = self._commits[index % len(self._commits)]
        try:
            return self._tell(commit.context)
        except ChordError as error:
            return self._tell(error)

    def _tell(self, answer: Any) -> Any:
        """What an answer says, with each epoch by the number of its first appearance."""
        match answer:
            case Position(epoch, version):
                if answer not in self._seen:
                    self._seen.append(answer)
                return self._epochs.setdefault(epoch, len(self._epochs)), version
            case Commit():
                self._commits.append(answer)
                durable = answer.durable and self._tells_durable
                position, delta = self._tell(answer.position), self._tell(answer.delta)
                return Commit, position, delta, answer.changed, durable
            case Delta():
                position, changes = self._tell(answer.position), Exactly(answer.changes)
                at = answer.updated_at
                return Delta, position, answer.from_version, at, answer.conflated, changes
            case Context():
                position, state = self._tell(answer.position), Exactly(answer.state)
                return Context, answer.context_id, position, answer.updated_at, state
            case Summary() if not self._tells_durable:
                return answer.context_id  # of the rest it tells what is stored
            case Summary():
                return answer.context_id, self._tell(answer.position), answer.updated_at
            case FullContext(context, reason):
                return FullContext, reason, self._tell(context)
            case DeltaUpdate(delta):
                return DeltaUpdate, self._tell(delta)
            case NoChange(position):
                return NoChange, self._tell(position)
            case VersionConflict():
                return VersionConflict, self._tell(answer.actual)
            case Exception():
                return type(answer), getattr(answer, "applied", None)
            case list():
                return [self._tell(each) for each in answer]
        return answer
