"""Hold `Shelf`, the contexts that a stateless runtime remembers, and the way to a fresh one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping

import attrs

from chord.backends.base import Backend
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Operation, Stored


@attrs.frozen
class Found:
    """A context as the store has it, and what it knows of the op ids that were asked for."""

    live: Live | None
    operations: Mapping[str, Operation]


class Shelf:
    """The contexts seen last, at most `size`. Any of them may be out of date, never ahead.

    A load asks the store only for what came after what is remembered.
    """

    def __init__(self, backend: Backend, journal: Journal, size: int) -> None:
        self._backend = backend
        self._journal = journal
        self._size = size
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self.loads = 0

    def peek(self, context_id: str) -> Live | None:
        """Return what is remembered, which may be out of date."""
        live = self._lives.get(context_id)
        if live is not None:
            self._lives.move_to_end(context_id)
        return live

    def put(self, live: Live) -> None:
        """Remember a context, unless more of the same life is remembered already."""
        current = self._lives.get(live.context_id)
        if current is None or not _went_back(live.position, current.position):
            self._lives[live.context_id] = live
        self._lives.move_to_end(live.context_id)
        if len(self._lives) > self._size:
            self._lives.popitem(last=False)

    def drop(self, context_id: str) -> None:
        self._lives.pop(context_id, None)

    async def fresh(
        self, context_id: str, operations: Collection[str] = (), operations_since: float = 0.0
    ) -> Found:
        """Return the context as the store has it now."""
        known = self.peek(context_id)
        after = known.position if known else None
        self.loads += 1
        stored = await self._backend.load(
            context_id, after=after, operations=operations, operations_since=operations_since
        )
        if stored is None:
            if self._lives.get(context_id) is known:
                self.drop(context_id)
            return Found(None, {})
        if after is not None and _went_back(stored.position, after):
            return Found(self._start_over(known, stored), stored.operations)
        return Found(self._adopt(known, after, stored), stored.operations)

    def _start_over(self, known: Live | None, stored: Stored) -> Live:
        """Forget what the store has lost; its epoch is not continued, as clients saw more of it."""
        live = self._journal.recover(stored)
        live.ended = True
        if self._lives.get(stored.context_id) is known:
            self.drop(stored.context_id)
            self.put(live)
        return live

    def _adopt(self, known: Live | None, after: Position | None, stored: Stored) -> Live:
        """Bring what is remembered up to date, unless it was replaced while the store was asked."""
        current = self._lives.get(stored.context_id)
        for live in (current, known):
            if live is None or live.position.epoch != stored.position.epoch:
                continue
            if live.position.version > stored.position.version:
                return live
            if live.position == stored.position:  # somebody who asked at the same time was faster
                live.ended = live.ended or stored.unclean
                return live
            if stored.snapshot is None and after and live.position.version >= after.version:
                self._extend(live, stored)
                return live
        live = self._journal.recover(stored)
        if current is known:
            self.put(live)
        return live

    def _extend(self, live: Live, stored: Stored) -> None:
        try:
            self._journal.extend(live, stored)
        except BaseException:
            self.drop(live.context_id)  # it may have taken a part
            raise

    def __len__(self) -> int:
        return len(self._lives)

    def __repr__(self) -> str:
        return f"<Shelf {len(self)}/{self._size}>"

    def check(self) -> None:
        """Assert every invariant."""
        assert len(self._lives) <= self._size
        for context_id, live in self._lives.items():
            assert live.context_id == context_id
            live.check()


def _went_back(position: Position, after: Position) -> bool:
    """Whether a store has less of an epoch than it had before it was asked."""
    return position.epoch == after.epoch and position.version < after.version
