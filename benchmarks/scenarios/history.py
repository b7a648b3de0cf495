"""Compare a chat that is kept as a list with one that is a dict keyed by id, on the same changes.

A list is told by its tail from the first difference on; a dict by the key that changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final, TypeAlias

import attrs

from actors.stateful import StatefulChord
from benchmarks.comparison import Comparison
from benchmarks.figure import Figure
from benchmarks.harness import Part
from benchmarks.scenarios.sizes import Sizes
from benchmarks.timing import Contender, Times
from benchmarks.wire import weigh_changes
from chord.api import Chord
from chord.changes import REMOVE
from examples.scenarios import make_message

Patches: TypeAlias = Iterator[dict[str, Any]]

HISTORY: Final = "chat_history"


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    async with StatefulChord.open("memory://", durability="memory") as chord:
        yield [
            part
            for length in sizes.messages
            for change in (EDIT, CAP)
            for part in await _compare(chord, change, length)
        ]


@attrs.frozen
class Change:
    """What is done to a chat, and the patches that do it, to a list and to a dict."""

    name: str
    in_list: Any
    in_dict: Any


# -- the changes ---------------------------------------------------------------------------------


def edit_list(messages: list[dict[str, Any]]) -> Patches:
    for number in count(1):
        yield {HISTORY: [{**messages[0], "text": f"edited {number}"}, *messages[1:]]}


def edit_dict(messages: list[dict[str, Any]]) -> Patches:
    for number in count(1):
        yield {HISTORY: {messages[0]["message_id"]: {"text": f"edited {number}"}}}


def cap_list(messages: list[dict[str, Any]]) -> Patches:
    for number in count(len(messages) + 1):
        messages = [*messages[1:], make_message(number, "Hello!")]
        yield {HISTORY: messages}


def cap_dict(messages: list[dict[str, Any]]) -> Patches:
    for number in count(len(messages) + 1):
        new = make_message(number, "Hello!")
        oldest = f"message_{number - len(messages)}"
        yield {HISTORY: {new["message_id"]: new, oldest: REMOVE}}


EDIT: Final = Change("edit the oldest message", edit_list, edit_dict)
CAP: Final = Change("add a message and drop the oldest", cap_list, cap_dict)


# -- what they cost ------------------------------------------------------------------------------


async def _compare(chord: Chord, change: Change, length: int) -> list[Part]:
    messages = [make_message(number, "Hello!") for number in range(1, length + 1)]
    what = f"{change.name}, of {length:,}"
    as_list, as_dict = f"{what}, list", f"{what}, dict"
    await chord.set_context(as_list, {HISTORY: messages})
    await chord.set_context(as_dict, {HISTORY: {each["message_id"]: each for each in messages}})
    in_list, in_dict = change.in_list(messages), change.in_dict(messages)
    return [
        Comparison(
            name=f"{what}: a dict keyed by id, against a list",
            kind="peer",
            ours=_updating("a dict keyed by id", chord, as_dict, in_dict),
            others=[_updating("a list", chord, as_list, in_list)],
        ),
        _weighing(f"{what}: its delta, in a dict keyed by id", chord, as_dict, in_dict),
        _weighing(f"{what}: its delta, in a list", chord, as_list, in_list),
    ]


def _updating(name: str, chord: Chord, context_id: str, patches: Patches) -> Contender:
    async def loop(times: Times) -> None:
        for _ in times:
            await chord.update_context(context_id, next(patches))

    return Contender(name=name, loop=loop)


def _weighing(name: str, chord: Chord, context_id: str, patches: Patches) -> Figure:
    async def take() -> float:
        commit = await chord.update_context(context_id, next(patches))
        assert commit.delta is not None
        return weigh_changes(commit.delta.changes)

    return Figure(name=name, unit="bytes", take=take)
