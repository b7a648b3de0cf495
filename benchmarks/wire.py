"""Tell how many bytes a reply takes on its way: its changes, or its state, as the codec encodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chord.changes import Changes
from chord.codec import MsgspecCodec
from chord.records import DeltaUpdate, FullContext, WatchReply
from chord.state import take_in

CODEC: Final = MsgspecCodec()


def weigh_reply(reply: WatchReply) -> int:
    """The envelope, a position and an id, is not counted."""
    match reply:
        case DeltaUpdate(delta):
            return weigh_changes(delta.changes)
        case FullContext(context):
            return weigh_state(context.state)
        case _:
            return 0


def weigh_changes(changes: Changes) -> int:
    return len(CODEC.encode_changes(changes))


def weigh_state(state: Mapping[str, Any]) -> int:
    return len(CODEC.encode_state(take_in(state)))
