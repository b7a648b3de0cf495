"""Move contexts that nobody uses to an archive, and bring one back when it is asked for."""

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

from chord import Chord, Context, ContextNotFound, FullContext, ManualClock, StatelessChord

HOUR = 3600.0
archive: dict[str, Mapping[str, Any]] = {}


def export(context: Context) -> None:
    """Called before a context is deleted; if it raises, the context stays. May be async."""
    archive[context.context_id] = copy.deepcopy(context.state)


async def open_document(chord: Chord, context_id: str) -> Context:
    """Find a document where it is, or bring it back from the archive."""
    try:
        return await chord.get_context(context_id)
    except ContextNotFound:
        commit = await chord.restore_context(context_id)
        print(f"{context_id} was brought back")
        return commit.context


async def main() -> None:
    clock = ManualClock()
    async with StatelessChord.open(
        "memory://",
        clock=clock,
        context_ttl=6 * HOUR,
        context_auto_delete=True,
        exporter=export,
        provider=archive.get,
    ) as chord:
        old = await chord.set_context("doc:old", {"title": "Minutes"})
        clock.advance(5 * HOUR)
        await chord.set_context("doc:new", {"title": "Agenda"})
        clock.advance(2 * HOUR)

        print(await chord.cleanup())
        print("in the archive:", archive)

        document = await open_document(chord, "doc:old")
        print(f"its title is {document.state['title']}")

        reply = await chord.sync_context("doc:old", since=old.position)
        assert isinstance(reply, FullContext)
        print(f"a client from before gets the full state: {reply.reason}")


if __name__ == "__main__":
    asyncio.run(main())
