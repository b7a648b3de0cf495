"""Hold the scenarios that runtimes are compared by: their data, their actions, and an audit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeGuard

import attrs

from chord import Chord, ChordError, Commit, Context, ContextNotFound, FullContext, Replica
from chord.delta import equal
from chord.records import Reply

PARTICIPANTS: Final = 50
MESSAGES: Final = 20
NOON: Final = "2030-01-02T12:00:00Z"

Result: TypeAlias = Commit | Reply | BaseException
"""What one action came to."""


@attrs.frozen
class Scenario:
    """A number of contexts, and how many actions are begun on each of them, all at once."""

    name: str
    contexts: int
    actions: int

    def ids(self, prefix: str = "") -> list[str]:
        return [f"{prefix}{self.name}:{number}" for number in range(1, self.contexts + 1)]


SINGLE: Final = Scenario("single", 1, 50)
MULTIPLE: Final = Scenario("multiple", 100, 10)


@attrs.frozen(kw_only=True)
class Run:
    """One run of a scenario: how it began, the results of its actions, and their time."""

    scenario: Scenario
    begun: Mapping[str, FullContext]
    results: Mapping[str, Sequence[Result]]
    seconds: float

    @property
    def updates(self) -> int:
        return sum(isinstance(result, Commit) for _, _, result in self.each())

    @property
    def syncs(self) -> int:
        return sum(is_reply(result) for _, _, result in self.each())

    @property
    def errors(self) -> int:
        return sum(isinstance(result, BaseException) for _, _, result in self.each())

    def each(self) -> Iterable[tuple[str, int, Result]]:
        """The results, each with its context's id and its number there."""
        for context_id, results in self.results.items():
            for index, result in enumerate(results):
                yield context_id, index, result


@attrs.frozen
class Audit:
    """What was acknowledged and is there, and the copies at clients that equal the server's."""

    acknowledged: int = 0
    kept: int = 0
    copies: int = 0
    equal: int = 0

    @property
    def lost(self) -> int:
        return self.acknowledged - self.kept

    @property
    def holds(self) -> bool:
        return self.lost == 0 and self.equal == self.copies

    def __add__(self, other: Audit) -> Audit:
        return Audit(*map(sum, zip(attrs.astuple(self), attrs.astuple(other), strict=True)))


# -- the data ------------------------------------------------------------------------------------


def make_group(group_id: str) -> dict[str, Any]:
    """A group of 50 people, with the last 20 messages of their chat."""
    return {
        "group_id": group_id,
        "group_name": f"Group {group_id}",
        "participants": {
            f"user_{number}": make_participant(number) for number in range(1, PARTICIPANTS + 1)
        },
        "metadata": {
            "created_at": NOON,
            "created_by": "user_1",
            "description": "Where this group meets",
            "visibility": "private",
        },
        "chat_history": [make_message(number, "Hello!") for number in range(1, MESSAGES + 1)],
    }


def make_participant(number: int) -> dict[str, Any]:
    return {
        "user_id": f"user_{number}",
        "username": f"User {number}",
        "avatar": f"https://example.com/avatars/{number}.png",
        "status": "online",
        "last_seen": NOON,
        "typing": False,
    }


def make_message(number: int, text: str, sender: str | None = None) -> dict[str, Any]:
    return {
        "message_id": f"message_{number}",
        "sender": sender or f"user_{number % PARTICIPANTS + 1}",
        "text": text,
        "sent_at": NOON,
    }


# -- a run ---------------------------------------------------------------------------------------


async def run(chord: Chord, scenario: Scenario, prefix: str = "") -> Run:
    """Set the contexts up, then act on them. Only the actions are timed."""
    return await act(chord, scenario, await prepare(chord, scenario, prefix))


async def prepare(chord: Chord, scenario: Scenario, prefix: str = "") -> dict[str, FullContext]:
    """Set every context, and return what a client that comes now is told."""
    ids = scenario.ids(prefix)
    await asyncio.gather(*(chord.set_context(each, make_group(each)) for each in ids))
    replies = await asyncio.gather(*map(chord.sync_context, ids), return_exceptions=True)
    return {
        each: reply
        for each, reply in zip(ids, replies, strict=True)
        if isinstance(reply, FullContext)
    }


async def act(chord: Chord, scenario: Scenario, begun: Mapping[str, FullContext]) -> Run:
    """Begin all actions at once, and wait for all."""
    started = time.perf_counter()
    answers = await asyncio.gather(
        *(
            begin(chord, reply, index)
            for reply in begun.values()
            for index in range(scenario.actions)
        ),
        return_exceptions=True,
    )
    seconds = time.perf_counter() - started
    rows = (answers[i : i + scenario.actions] for i in range(0, len(answers), scenario.actions))
    return Run(
        scenario=scenario,
        begun=begun,
        results=dict(zip(begun, rows, strict=True)),
        seconds=seconds,
    )


def begin(chord: Chord, begun: FullContext, index: int) -> Awaitable[Commit | Reply]:
    """Change somebody's status, or whether they type, or ask what came since the beginning."""
    context_id = begun.context.context_id
    if index % 3 == 2:
        return chord.sync_context(context_id, begun.position)
    return chord.update_context(context_id, make_change(index))


def make_change(index: int) -> dict[str, Any]:
    """The change of the action of that number; no two of a context touch the same field."""
    field = {"status": "away"} if index % 3 == 0 else {"typing": True}
    return {"participants": {f"user_{index % PARTICIPANTS + 1}": field}}


# -- what was kept -------------------------------------------------------------------------------


async def audit(reader: Chord, run: Run) -> Audit:
    """Look for every acknowledged update in the store, and compare every client's copy.

    `reader` is a runtime that did not write, so it knows no more than what the store has.
    """
    audits = [await _audit_context(reader, run, each) for each in run.results]
    missing = run.scenario.contexts - len(run.begun)  # set and acknowledged, but not there
    return sum(audits, Audit(acknowledged=missing))


async def _audit_context(reader: Chord, run: Run, context_id: str) -> Audit:
    context = await find(reader, context_id)
    result = Audit()
    for index, answer in enumerate(run.results[context_id]):
        if isinstance(answer, Commit):
            kept = context is not None and _holds(context.state, make_change(index))
            result += Audit(acknowledged=1, kept=int(kept))
        elif is_reply(answer):
            replica = Replica()
            replica.receive(run.begun[context_id])
            replica.receive(answer)
            result += Audit(copies=1, equal=int(await catches_up(reader, replica, context)))
    return result


async def find(chord: Chord, context_id: str) -> Context | None:
    try:
        return await chord.get_context(context_id)
    except ContextNotFound:
        return None


async def catches_up(chord: Chord, replica: Replica, context: Context | None) -> bool:
    """Whether the replica, once it has asked for the rest, is what the server has."""
    if context is None:
        return False
    try:
        replica.receive(await chord.sync_context(context.context_id, since=replica.since))
    except ChordError:
        return False
    return replica.position == context.position and equal(replica.state, context.state)


def is_reply(result: Result) -> TypeGuard[Reply]:
    return not isinstance(result, Commit | BaseException)


def _holds(state: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Whether a state has what a change of plain values put there."""
    return all(
        _holds(state.get(key, {}), value) if isinstance(value, dict) else state.get(key) == value
        for key, value in change.items()
    )
