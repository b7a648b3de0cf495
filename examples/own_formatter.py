"""Say deltas in another format: JSON Patch for a browser, or words of your own."""

import asyncio
import json
import sys

from chord import Added, Append, Delta, DeltaUpdate, Modified, Removed, Spliced, StatelessChord
from chord.formatters.base import leaves

PAGE = "page:demo"


class Sentences:
    """A formatter of our own: what happened, for people."""

    def format(self, delta: Delta) -> list[str]:
        return [f"{' '.join(path)} {self._tell(leaf)}" for path, leaf in leaves(delta.changes)]

    def _tell(self, leaf: object) -> str:
        match leaf:
            case Added(value):
                return f"is new: {value}"
            case Modified(old_value, value):
                return f"was {old_value}, is {value}"
            case Removed():
                return "is gone"
            case Spliced(_, removed, inserted):
                return f"lost {len(removed)} and gained {len(inserted)}"
        raise TypeError(leaf)


async def change(url: str, formatter: str | Sentences) -> object:
    """Change a page, and return the delta of it all in that format."""
    async with StatelessChord.open(url, formatter=formatter) as chord:
        first = await chord.set_context(PAGE, {"title": "Draft", "tags": ["new"], "views": 1})
        await chord.update_context(PAGE, {"title": "Plan", "tags": Append(["shared"])})
        await chord.update_context(PAGE, {"owner": "ana"})
        reply = await chord.sync_context(PAGE, since=first.position)
        assert isinstance(reply, DeltaUpdate)
        return chord.format_delta(reply.delta)


async def main(url: str = "sqlite://") -> None:
    patch = await change(url, "json-patch")
    print(json.dumps(patch, indent=1))
    print(await change(url, Sentences()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
