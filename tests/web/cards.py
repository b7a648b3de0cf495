"""Hold a game of cards, of which each player sees the table and their own hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from chord.api import Chord
from chord.web.door import Door

SECRET = "ace of spades"

GAME: dict[str, Any] = {
    "table": {"turn": "ana", "log": ["dealt"]},
    "hands": {"ana": {"1": "ten"}, "bo": {"2": SECRET}},
    "deck": ["king", SECRET],
}


def see(state: Mapping[str, Any], player: Any) -> dict[str, Any]:
    """The table, and the player's own hand, if there is one; the dealer sees all."""
    if player == "dealer":
        return dict(state)
    hands = state.get("hands", {})
    if not isinstance(hands, dict):
        hands = {}
    own = {name: hand for name, hand in hands.items() if name == player}
    return {"table": state.get("table", {}), "hands": own}


def read_name(connection: HTTPConnection) -> str | None:
    return connection.headers.get("authorization")


def allow(principal: Any, action: Any, context_id: str) -> bool:
    return True


def make_door(chord: Chord, **options: Any) -> Door:
    """A door to games: everybody with a name may do everything, within what they see."""
    hooks: dict[str, Any] = {"authenticate": read_name, "authorize": allow, "project": see}
    return Door(chord, **(hooks | options))
