"""Hold `Dormant`: a context in little memory, without actor or mailbox; how to get there and back.

Hibernating keeps the state and gives up what surrounds it. The ring of deltas is kept encoded.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import msgpack

from actors.behavior import Behavior
from actors.lease import Lease
from chord.codec import Codec
from chord.config import Settings
from chord.history import History
from chord.journal import Journal
from chord.live import Live
from chord.position import Position
from chord.records import Delta, Operation
from chord.state import StateDict

_pack = msgpack.Encoder().encode
_unpack = msgpack.Decoder(list[tuple[float, bytes]]).decode


class Dormant(msgspec.Struct, frozen=True, gc=False):
    """A settled context that was not used for a while. `since`: a monotonic time, of its last use.

    `ring` is the history, packed: the times and the encoded changes of its deltas.
    """

    state: StateDict
    position: Position
    updated_at: float
    snapshot_version: int
    snapshot_bytes: int
    log_bytes: int
    ended: bool
    ring: bytes
    operations: dict[str, Operation] | None
    lease: Lease
    since: float


def hibernate(behavior: Behavior, lease: Lease, codec: Codec, since: float) -> Dormant | None:
    """Make little of a context; None if it can't be, as nothing can be read, or there is nothing.

    O(length of its history). It must be settled.
    """
    live = behavior.look()
    if live is None or behavior.damage is not None or not behavior.is_settled:
        return None
    ring = [
        (delta.updated_at, codec.encode_changes(delta.changes)) for delta in live.history.deltas()
    ]
    return Dormant(
        live.state,
        live.position,
        live.updated_at,
        live.snapshot_version,
        live.snapshot_bytes,
        live.log_bytes,
        live.ended,
        _pack(ring) if ring else b"",
        behavior.operations or None,
        lease,
        since,
    )


def rouse(context_id: str, dormant: Dormant, journal: Journal, settings: Settings) -> Behavior:
    """Make a context of a dormant one again. O(length of its history)."""
    return Behavior(
        context_id,
        Live(
            context_id=context_id,
            state=dormant.state,
            position=dormant.position,
            updated_at=dormant.updated_at,
            history=_unpack_ring(context_id, dormant, settings.codec),
            snapshot_version=dormant.snapshot_version,
            snapshot_bytes=dormant.snapshot_bytes,
            log_bytes=dormant.log_bytes,
            ended=dormant.ended,
        ),
        dormant.operations or {},
        journal,
        settings,
        shows_at_once=settings.durability != "write-through",
    )


def _unpack_ring(context_id: str, dormant: Dormant, codec: Codec) -> History:
    ring: list[Any] = _unpack(dormant.ring) if dormant.ring else []
    head = dormant.position
    history = History(head.version - len(ring))
    for version, (updated_at, changes) in enumerate(ring, history.base + 1):
        delta = Delta(
            context_id=context_id,
            changes=codec.decode_changes(changes),
            from_version=version - 1,
            version=version,
            epoch=head.epoch,
            updated_at=updated_at,
        )
        history.append(delta, len(changes))
    return history
