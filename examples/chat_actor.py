"""Keep a chat room as an actor: commands with rules, a history that is capped, unread counts."""

import asyncio
import sys
from typing import Any

from actors import ContextActor, StatefulChord, command
from chord import REMOVE, Increment, Replica

KEPT = 3


class NotHere(Exception):
    """Only those who are in the room may speak."""


class ChatRoom(ContextActor, prefix="chat:"):
    """Messages by id, people by name. Whoever is away has what was said meanwhile counted."""

    def initial(self) -> dict[str, Any]:
        return {"people": {}, "messages": {}, "said": 0}

    @command
    def join(self, name: str) -> int:
        """Come in; returns how many messages were missed."""
        missed: int = self.state["people"].get(name, {}).get("unread", 0)
        self.update({"people": {name: {"here": True, "typing": False, "unread": 0}}})
        return missed

    @command
    def say(self, name: str, text: str) -> str:
        """Post a message; returns its id. All that it changes is one version."""
        if not self.state["people"].get(name, {}).get("here"):
            raise NotHere(f"{name} is not in the room")
        message_id = f"{self.state['said'] + 1:06}"
        self.update({"said": Increment(), "people": {name: {"typing": False}}})
        self.update({"messages": {message_id: {"by": name, "text": text}}})
        for who, person in self.state["people"].items():
            if not person["here"]:
                self.update({"people": {who: {"unread": Increment()}}})
        for oldest in sorted(self.state["messages"])[:-KEPT]:
            self.update({"messages": {oldest: REMOVE}})
        return message_id

    @command
    async def leave(self, name: str) -> None:
        await self.say(name, "(leaves)")  # a command of its own: here it is a part of this one
        self.update({"people": {name: {"here": False}}})


async def main(url: str = "memory://") -> None:
    async with StatefulChord.open(url) as chord:
        await chord.delete_context("chat:demo")
        room = chord.actor(ChatRoom, "chat:demo")
        await room.join("ana")
        await room.join("bo")
        screen = Replica()
        async with chord.watch_context("chat:demo") as replies:
            screen.receive(await anext(replies))
            typing = {"people": {"ana": {"typing": True}}}  # what needs no rule needs no command
            await chord.update_context("chat:demo", typing, ephemeral=True)
            screen.receive(reply := await anext(replies))
            print(f"version {reply.position.version}: ana is typing")
            await room.leave("bo")
            for text in ("Bo?", "Are you there?", "Call me."):
                last = await room.say("ana", text)
            while screen.state is None or last not in screen.state["messages"]:
                screen.receive(reply := await anext(replies))
            messages = [message["text"] for message in screen.state["messages"].values()]
            print(f"version {reply.position.version}: the last {KEPT} messages are {messages}")
        try:
            await room.say("bo", "I am not here")
        except NotHere as error:
            print(f"refused: {error}")
        print(f"bo comes back, and missed {await room.join('bo')} messages")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
