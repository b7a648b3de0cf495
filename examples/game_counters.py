"""Keep a game: points that add up, a rule that is checked where it holds, and turns."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from chord import Chord, Increment, Position, StatelessChord, VersionConflict

GAME = "game:demo"


class NotEnough(Exception):
    """The pot does not hold what somebody wanted to take."""


async def take(chord: Chord, player: str, coins: int) -> None:
    """Move coins from the pot to a player, or raise `NotEnough` and move none."""

    def move(state: Mapping[str, Any]) -> dict[str, Any]:
        if state["pot"] < coins:
            raise NotEnough(f"{player} wants {coins}, the pot has {state['pot']}")
        return {"pot": Increment(-coins), "points": {player: Increment(coins)}}

    await chord.transform_context(GAME, move)


async def play(chord: Chord, player: str, square: str, seen: Position) -> bool:
    """Take a square, unless the board is not any more what the player saw."""
    try:
        await chord.update_context(GAME, {"board": {square: player}}, expected=seen)
    except VersionConflict as conflict:
        print(f"  {player} saw {conflict.expected}, but it is {conflict.actual}: look again")
        return False
    return True


async def main(url: str = "memory://") -> None:
    async with StatelessChord.open(url) as chord:
        await chord.set_context(GAME, {"pot": 10, "points": {}, "board": {}})

        hits = [chord.update_context(GAME, {"points": {"ana": Increment()}}) for _ in range(100)]
        await asyncio.gather(*hits)
        game = await chord.get_context(GAME)
        print(f"100 hits at once are {game.state['points']['ana']} points")

        wanted = await asyncio.gather(
            *(take(chord, player, 4) for player in ("ana", "bo", "cy")), return_exceptions=True
        )
        refused = [error for error in wanted if error is not None]
        game = await chord.get_context(GAME)
        print(f"the pot keeps {game.state['pot']}; refused: {refused[0]}")

        seen = game.position
        moves = await asyncio.gather(play(chord, "ana", "b2", seen), play(chord, "bo", "b2", seen))
        game = await chord.get_context(GAME)
        print(f"{moves.count(True)} of 2 moves was made; b2 is {game.state['board']['b2']}'s")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
