"""Play a game that ticks 20 times a second: players steer, and watchers are sent what moved."""

import asyncio
import sys
from typing import Any

from actors import ContextActor, StatefulChord, command, every
from chord import DeltaUpdate, Replica

TICK = 0.05
WIDTH = 20


class Arena(ContextActor, prefix="arena:"):
    """Players move along a line towards where they steer; whoever meets another takes a point."""

    def initial(self) -> dict[str, Any]:
        return {"players": {}, "points": {}}

    def on_activate(self) -> None:
        self.speeds: dict[str, int] = {}  # a plain attribute: what nobody is to be shown

    @command
    def join(self, name: str, at: int) -> None:
        self.update({"players": {name: at}, "points": {name: 0}})

    @command
    def steer(self, name: str, speed: int) -> None:
        """Move so far with each tick. This changes no state: nothing is stored or sent."""
        self.speeds[name] = speed

    @every(TICK)
    def tick(self) -> None:
        """All moves of a tick are one version. Where nobody moves, there is none."""
        places = dict(self.state["players"])
        for name, speed in self.speeds.items():
            place = max(0, min(WIDTH, places[name] + speed))
            met = [other for other, where in places.items() if other != name and where == place]
            if met and place != places[name]:
                self.update({"points": {name: self.state["points"][name] + len(met)}})
            places[name] = place
        self.update({"players": places})


async def follow(chord: StatefulChord, name: str) -> list[int]:
    """Keep a copy until this player is at the end; return how many places each delta told of."""
    replica, told = Replica(), []
    async with chord.watch_context("arena:demo") as replies:
        async for reply in replies:
            replica.receive(reply)
            assert replica.state is not None
            if isinstance(reply, DeltaUpdate):
                told.append(len(reply.delta.changes["players"]))
            places = replica.state["players"]
            shown = {at: who[0] for who, at in sorted(places.items(), reverse=True)}
            line = "".join(shown.get(at, ".") for at in range(WIDTH + 1))
            print(f"{reply.position.version:4} {line}")
            if places[name] == WIDTH:
                break
    return told


async def main(url: str = "memory://") -> None:
    async with StatefulChord.open(url, durability="memory") as chord:
        await chord.delete_context("arena:demo")
        arena = chord.actor(Arena, "arena:demo")
        for name, at in {"ana": 0, "bo": 12, "cy": WIDTH}.items():
            await arena.join(name, at)
        await arena.steer("ana", 2)
        told = await follow(chord, "ana")
        points = (await chord.get_context("arena:demo")).state["points"]
        print(f"ana met {points['ana']} others")
        print(f"the deltas told of {sum(told)} places, full states would of {3 * len(told)}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
