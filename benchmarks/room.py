"""Hold the context that most benchmarks are about, the scenarios' group chat, and its changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from chord.changes import Append
from examples.scenarios import MESSAGES, PARTICIPANTS, make_group, make_message


def build_room() -> dict[str, Any]:
    """A room of plain values; what two calls return shares no container."""
    return make_group("1")


def write_patches(first: int = 1) -> Iterator[dict[str, Any]]:
    """Endless patches of one field, each of another participant and with a value of its own."""
    for number in count(first):
        user = f"user_{number % PARTICIPANTS + 1}"
        yield {"participants": {user: {"last_seen": str(number)}}}


def write_hot_patches() -> Iterator[dict[str, Any]]:
    """Endless patches of the same field."""
    for number in count(1):
        yield {"participants": {"user_1": {"last_seen": str(number)}}}


def write_messages() -> Iterator[dict[str, Any]]:
    """Endless patches that add a message each to the end of the chat."""
    for number in count(MESSAGES + 1):
        yield {"chat_history": Append([make_message(number, "Hello!")])}
