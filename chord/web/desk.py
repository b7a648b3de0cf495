"""Hold `Desk`: all that a principal may ask of the contexts, over whatever transport."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import attrs
from anyio.lowlevel import checkpoint

from chord.api import Chord
from chord.codec import Codec
from chord.errors import ChordError
from chord.position import Position
from chord.records import Summary
from chord.web.crowd import Crowd
from chord.web.faults import CallFailed, Forbidden, HookFailed, NoSuchCall, Refusal, describe
from chord.web.gate import Gate, Permit, Principal, consult
from chord.web.limits import Limits
from chord.web.reading import Reading
from chord.web.sharing import Sharing
from chord.web.views import Views
from chord.web.writing import Writing

STRIDE: Final = 100
"""How many contexts are looked at together, to find some that may be read."""


@attrs.frozen(kw_only=True)
class Listed:
    """A context in a list. Where views hide something, they hide when it happened, too: None."""

    context_id: str
    position: str | None
    updated_at: float | None


class Desk:
    """One way to a runtime, for who has passed the `gate`.

    First ask ``permit = await desk.gate.permit(principal, context_id, "read")`` for every action
    that may be needed; then `reading` and `writing` do it. What they raise, `refuse` says.
    """

    def __init__(
        self, chord: Chord, gate: Gate, limits: Limits, *, codec: Codec | None = None
    ) -> None:
        self.gate = gate
        self.limits = limits
        self.codec = codec
        self.crowd = Crowd(limits.max_sockets)
        self.views = Views(gate.hooks, limits.remembered_views)
        self.sharing = Sharing(limits.remembered_bytes)
        self.reading = Reading(chord, self.views, self.sharing, codec)
        self.writing = Writing(chord, self.views, gate)
        self._chord = chord

    async def call(self, permit: Permit, name: str, arguments: list[Any]) -> Any:
        """Have the application's hook carry out a command. Needs ``"call"``.

        Raises `NoSuchCall` where there is no hook, `Forbidden` for its `PermissionError`, its
        errors of Chord's family as they are, and `CallFailed` for all others.
        """
        permit.require("call")
        hook = self.gate.hooks.call
        if hook is None:
            raise NoSuchCall
        try:
            return await consult(hook, permit.principal, permit.context_id, name, arguments)
        except PermissionError:
            raise Forbidden from None
        except ChordError:
            raise
        except Exception as error:
            raise CallFailed(f"the call {name!r} failed") from error

    async def list(
        self, principal: Principal, prefix: str = "", after: str | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Return a page of contexts that may be read, in order of their ids, greater than `after`.

        It is shorter than `limit` only where there are no more, so that what may not be read does
        not show: O(n) of those that are passed over.
        """
        await self.gate.permit_list(principal, prefix)
        found: list[Listed] = []
        step = min(limit, STRIDE)
        while True:
            page = await self._chord.list_contexts(prefix, after, step)
            for each in page:
                if await self.gate.allows(principal, "read", each.context_id):
                    found.append(self._list(each))
            if len(page) < step or len(found) >= limit:
                return found[:limit]
            after, step = page[-1].context_id, STRIDE
            await checkpoint()  # others are served, too, however long it takes

    def _list(self, found: Summary) -> Listed:
        hidden = self.views.projected
        return Listed(
            context_id=found.context_id,
            position=None if hidden else str(found.position),
            updated_at=None if hidden else found.updated_at,
        )

    def refuse(self, error: Exception, principal: Principal) -> Refusal:
        """Say to a principal what went wrong; what is a fault of ours is logged."""
        return describe(error, partial(self._tell, principal))

    def _tell(self, principal: Principal, position: Position) -> str | None:
        try:
            return self.views.tell(principal, position)
        except HookFailed:  # the refusal is what matters
            return None

    def statistics(self) -> dict[str, int]:
        return {
            **self.crowd.statistics(),
            **self.views.statistics(),
            **self.sharing.statistics(),
        }

    def check(self) -> None:
        """Assert every invariant."""
        self.crowd.check()
        self.views.check()
        self.sharing.check()

    def __repr__(self) -> str:
        return f"<Desk {self.views} {self.sharing}>"
