"""Hold `Reading`: what principals are told of a context, encoded once for all who see the same.

Positions are told as text; where a view hides something, its tag stands in them, so that nobody
goes on in a view of others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeAlias

import attrs

from chord.api import Chord
from chord.codec import Codec
from chord.errors import ChordClosed, ContextNotFound
from chord.position import Position
from chord.records import (
    Context,
    ContextDeleted,
    Delta,
    DeltaUpdate,
    FullContext,
    NoChange,
    Reason,
    WatchReply,
)
from chord.web.gate import Permit
from chord.web.sharing import Frame, Sharing, pack
from chord.web.views import Sight, State, Views, between, write_position
from chord.web.wire import Encoding, make_reply

Frames: TypeAlias = AsyncGenerator[Frame, None]


@attrs.frozen(kw_only=True)
class Seen:
    """A context as a principal sees it. `position` is as it is told."""

    context_id: str
    state: State
    position: str


class Reading:
    """Reads for principals, who need the permit ``"read"``. Raises what `Chord` and the hooks do.

    A `since` that cannot be read is `InvalidArgument`; one of another view is no help, and gets the
    full state.
    """

    def __init__(
        self, chord: Chord, views: Views, sharing: Sharing, codec: Codec | None = None
    ) -> None:
        self._chord = chord
        self._views = views
        self._sharing = sharing
        self._codec = codec
        self._last: tuple[WatchReply, Encoding, Frame] | None = None

    async def get(self, permit: Permit) -> Seen:
        """Return what is seen of the context."""
        permit.require("read")
        context = await self._chord.get_context(permit.context_id)
        if not self._views.projected:
            state, position = context.state, str(context.position)
        else:
            sight = self._views.look(permit.principal, context)
            state, position = sight.view, sight.told
        return Seen(context_id=permit.context_id, state=state, position=position)

    async def sync(self, permit: Permit, since: str | None, encoding: Encoding) -> Frame:
        """Return what a client that knows `since` lacks: ``full``, ``delta`` or ``current``."""
        permit.require("read")
        known = self._read_since(permit, since)
        if not self._views.projected:
            reply = await self._chord.sync_context(permit.context_id, known)
            return self._encode(permit.context_id, reply, encoding)
        context = await self._chord.get_context(permit.context_id)
        sight = self._views.look(permit.principal, context)
        return self._decide(permit.context_id, sight, since, known, encoding)

    @asynccontextmanager
    async def watch(
        self, permit: Permit, since: str | None, interval: float, encoding: Encoding
    ) -> AsyncIterator[Frames]:
        """Iterate over what `sync` would say, then over what changes in sight, as it comes.

        Nothing is held for a slow reader: it is told in one frame what happened meanwhile. The kind
        of the last frame is ``deleted``; where the runtime ends, `ChordClosed` is raised.
        """
        permit.require("read")
        known = self._read_since(permit, since)
        begin = None if self._views.projected else known
        async with self._chord.watch_context(
            permit.context_id, begin, min_interval=interval
        ) as replies:
            if self._views.projected:
                frames = self._look_on(permit, since, known, replies, encoding)
            else:
                frames = self._pass_on(permit.context_id, replies, encoding)
            async with aclosing(frames):
                yield frames

    def _read_since(self, permit: Permit, since: str | None) -> Position | None:
        return None if since is None else self._views.read(permit.principal, "since", since)

    async def _pass_on(
        self, context_id: str, replies: AsyncIterator[WatchReply], encoding: Encoding
    ) -> Frames:
        async for reply in replies:
            yield self._repeat(context_id, reply, encoding)
            if isinstance(reply, ContextDeleted):
                return
        raise ChordClosed("the runtime has ended")

    async def _look_on(
        self,
        permit: Permit,
        since: str | None,
        known: Position | None,
        replies: AsyncIterator[WatchReply],
        encoding: Encoding,
    ) -> Frames:
        context_id = permit.context_id
        last: Sight | None = None
        async for reply in replies:
            if isinstance(reply, ContextDeleted):
                assert last is not None, "a watch that knows nothing begins with the full state"
                yield self._encode(context_id, ContextDeleted(last.position), encoding, last.tag)
                return
            sight = await self._see(permit, reply)
            if sight is None:
                continue
            frame = (
                self._decide(context_id, sight, since, known, encoding)
                if last is None
                else self._advance(context_id, last, sight, encoding)
            )
            if frame is not None:
                last = sight
                yield frame
        raise ChordClosed("the runtime has ended")

    async def _see(self, permit: Permit, reply: WatchReply) -> Sight | None:
        """What is seen now; None where the context has just gone, as the watch will tell."""
        if isinstance(reply, FullContext):
            return self._views.look(permit.principal, reply.context)
        seen = self._views.glance(permit.principal, permit.context_id, reply.position)
        if seen is not None:
            return seen
        try:
            context = await self._chord.get_context(permit.context_id)
        except ContextNotFound:
            return None
        return self._views.look(permit.principal, context)

    # -- what a view lacks -----------------------------------------------------------------------

    def _decide(
        self,
        context_id: str,
        sight: Sight,
        since: str | None,
        known: Position | None,
        encoding: Encoding,
    ) -> Frame:
        """What a client lacks that says it knows `since`, which is `known` in its present view."""
        if since is None:
            return self._show(context_id, sight, "requested", encoding)
        if known is None:
            return self._show(context_id, sight, "ahead", encoding)
        if known.epoch != sight.position.epoch:
            return self._show(context_id, sight, "epoch-changed", encoding)
        if known.version > sight.position.version:
            return self._show(context_id, sight, "ahead", encoding)
        old = self._views.recall(context_id, sight.key, known)
        if old is None or old.told != since:
            return self._show(context_id, sight, "compacted", encoding)
        return self._tell(context_id, old, sight, encoding)

    def _advance(
        self, context_id: str, last: Sight, sight: Sight, encoding: Encoding
    ) -> Frame | None:
        """What leads from the last sight to this one; None if there is nothing to be seen."""
        if last.key != sight.key:  # it may be a view that the client was shown before
            return self._show(context_id, sight, "ahead", encoding)
        if last.position.epoch != sight.position.epoch:
            return self._show(context_id, sight, "epoch-changed", encoding)
        if sight.position.version >= last.position.version and between(last, sight):
            return self._tell(context_id, last, sight, encoding)
        self._views.keep(context_id, last)
        return None

    def _tell(self, context_id: str, old: Sight, new: Sight, encoding: Encoding) -> Frame:
        changes = between(old, new)
        if not changes:
            self._views.keep(context_id, old)
            return self._encode(context_id, NoChange(old.position), encoding, old.tag)
        delta = Delta(
            context_id=context_id,
            changes=changes,
            from_version=old.position.version,
            version=new.position.version,
            epoch=new.position.epoch,
            updated_at=0.0,
        )
        return self._encode(context_id, DeltaUpdate(delta), encoding, new.tag)

    def _show(self, context_id: str, sight: Sight, reason: Reason, encoding: Encoding) -> Frame:
        context = Context(
            context_id=context_id, state=sight.view, position=sight.position, updated_at=0.0
        )
        return self._encode(context_id, FullContext(context, reason), encoding, sight.tag)

    # -- encoding --------------------------------------------------------------------------------

    def _repeat(self, context_id: str, reply: WatchReply, encoding: Encoding) -> Frame:
        """As `_encode`, at less cost for a crowd: one after the other is told the same reply."""
        last = self._last
        if last is not None and last[0] is reply and last[1] is encoding:
            self._sharing.hits += 1
            return last[2]
        frame = self._encode(context_id, reply, encoding)
        self._last = reply, encoding, frame
        return frame

    def _encode(
        self, context_id: str, reply: WatchReply, encoding: Encoding, tag: str | None = None
    ) -> Frame:
        key = (context_id, tag, reply.position, _origin_of(reply), encoding)
        return self._sharing.share(key, partial(self._make, context_id, reply, encoding, tag))

    def _make(
        self, context_id: str, reply: WatchReply, encoding: Encoding, tag: str | None
    ) -> Frame:
        message = make_reply(
            context_id,
            reply,
            encoding,
            position=partial(write_position, tag=tag),
            codec=self._codec,
        )
        kind = str(message.__struct_config__.tag)
        return Frame(kind, message.position, pack(message, encoding))

    def __repr__(self) -> str:
        return f"<Reading {self._views} {self._sharing}>"


def _origin_of(reply: WatchReply) -> int | str:
    """What tells a reply from the others that lead to the same position."""
    match reply:
        case DeltaUpdate(delta):
            return delta.from_version
        case FullContext(_, reason):
            return reason
        case _:
            return type(reply).__name__
