"""Hold `Known`: how far contexts were acknowledged that are not in memory any more. No I/O."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from chord.position import Position

MOST_KNOWN: Final = 10_000


class Known:
    """The positions of contexts that were dropped from memory, as they were last acknowledged.

    So that an owner notices if the store is behind them. The last `MOST_KNOWN` are kept.
    """

    def __init__(self) -> None:
        self._positions: OrderedDict[str, Position] = OrderedDict()

    def put(self, context_id: str, position: Position) -> None:
        self._positions[context_id] = position
        self._positions.move_to_end(context_id)
        if len(self._positions) > MOST_KNOWN:
            self._positions.popitem(last=False)

    def drop(self, context_id: str) -> None:
        self._positions.pop(context_id, None)

    def is_ahead_of(self, context_id: str, position: Position) -> bool:
        """Whether more of that life was acknowledged than up to this position."""
        known = self._positions.get(context_id)
        return known is not None and (
            known.epoch == position.epoch and known.version > position.version
        )
