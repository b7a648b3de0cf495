"""Hold what the vectors are told with: lives of a context on a server, and stories of replicas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from chord.delta import diff, merge, update
from chord.position import Position
from chord.records import Context, ContextDeleted, Delta, DeltaUpdate, FullContext, NoChange
from chord.state import StateDict, take_in, take_in_changes
from chord.web.leaves import lower
from chord.web.wire import Encoding, encode, make_reply

ROOM: Final = "room:1"

Json = dict[str, Any]


def say(value: Any, name: str = "value", types: str = "types") -> Json:
    plain, noted = lower(value)
    return {name: plain, types: noted}


class Life:
    """One life of a context on a server: its state at each version, from 1 on."""

    def __init__(self, epoch: str, first: Mapping[str, Any], *writes: Mapping[str, Any]) -> None:
        self.epoch = epoch
        self.states: list[StateDict] = [take_in(first)]
        self.changes: list[Any] = [diff(take_in({}), self.states[0])]
        for write in writes:
            state, changes = update(self.states[-1], take_in_changes(write))
            self.states.append(state)
            self.changes.append(changes)

    def at(self, version: int) -> Position:
        return Position(self.epoch, version)

    def state(self, version: int) -> StateDict:
        return self.states[version - 1]

    def full(self, version: int, reason: Any = "requested") -> Json:
        context = Context(
            context_id=ROOM,
            state=self.state(version),
            position=self.at(version),
            updated_at=0.0,
        )
        return say_reply(FullContext(context, reason))

    def delta(self, start: int, end: int) -> Json:
        delta = Delta(
            context_id=ROOM,
            changes=merge(self.changes[start:end]),
            from_version=start,
            version=end,
            epoch=self.epoch,
            updated_at=0.0,
        )
        return say_reply(DeltaUpdate(delta))

    def current(self, version: int) -> Json:
        return say_reply(NoChange(self.at(version)))

    def deleted(self, version: int) -> Json:
        return say_reply(ContextDeleted(self.at(version)))


def say_reply(reply: Any) -> Json:
    """A reply as it is in a text frame."""
    said: Json = json.loads(encode(make_reply(ROOM, reply, Encoding.JSON), Encoding.JSON))
    return said


class Story:
    """One case: what is done to a replica, and what it must be after each step."""

    def __init__(self, name: str, *lives: Life) -> None:
        self.name = name
        self.lives = lives
        self.steps: list[Json] = []
        self._asked = 0

    def ask(self, since: Position | None) -> int:
        """The replica is asked for its question; returns the question's number."""
        self.steps.append({"ask": {"since": None if since is None else str(since)}})
        self._asked += 1
        return self._asked - 1

    def hear(self, message: Json, taken: str, at: Position | None, **more: Any) -> Story:
        self.steps.append(self._step({"receive": message}, taken, at, **more))
        return self

    def miss(self, taken: str, at: Position | None, **more: Any) -> Story:
        """The server says that there is no such context."""
        self.steps.append(self._step({"forget": True}, taken, at, **more))
        return self

    def _step(
        self,
        step: Json,
        taken: str,
        at: Position | None,
        *,
        lacks: bool = False,
        answers: int | None = None,
        deleted: bool = False,
    ) -> Json:
        if answers is not None:
            step["answers"] = answers
        held = {"position": None if at is None else str(at), **self._state(at)}
        return {
            **step,
            "then": {"taken": taken, **held, "needs_sync": lacks, "deleted": deleted},
        }

    def _state(self, at: Position | None) -> Json:
        if at is None:
            return {"state": None, "types": []}
        (life,) = (life for life in self.lives if life.epoch == at.epoch)
        return say(life.state(at.version), "state")


def counter(epoch: str = "k", length: int = 12) -> Life:
    """A life whose version tells itself."""
    return Life(epoch, {"n": 1}, *({"n": version} for version in range(2, length + 1)))


def begun(name: str, at: int = 5, *more: Life) -> tuple[Story, Life]:
    """A replica that was told the full state."""
    life = counter()
    story = Story(name, life, *more)
    return story.hear(life.full(at), "applied", life.at(at)), life
