"""Hold `Broadcast`, the floor: it tells an update to who watches, and knows nothing of states."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
from starlette.types import Message, Receive, Scope, Send

from chord.position import Position
from chord.web.sharing import Data, pack
from chord.web.wire import (
    DeltaMessage,
    Done,
    Encoding,
    Full,
    Hello,
    RequestMessage,
    Set,
    Update,
    Watch,
    decode_request,
)


@attrs.define
class Room:
    """Those who watch one context, and the state that it began with."""

    state: dict[str, Any]
    position: Position
    watching: dict[int, Send]


class Broadcast:
    """An ASGI app that speaks as much of the wire as a load needs, and the same bytes.

    An update is encoded once and sent to one socket after the other. One that does not read holds
    up all others; who missed something is not told.
    """

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(8)
        self._rooms: dict[str, Room] = defaultdict(self._make_room)

    def _make_room(self) -> Room:
        return Room({}, Position(self._epoch, 0), {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        (name,) = scope["subprotocols"]
        (encoding,) = (each for each in Encoding if each.subprotocol == name)
        await receive()
        await send({"type": "websocket.accept", "subprotocol": name})
        tell = partial(_tell, send, partial(pack, encoding=encoding))
        await tell(Hello(heartbeat=3600.0, limits={}))
        while (event := await receive())["type"] == "websocket.receive":
            request = decode_request(event.get("text") or event["bytes"], encoding)
            await self._answer(request, encoding, send, tell)
        for room in self._rooms.values():
            room.watching.pop(id(send), None)

    async def _answer(
        self, request: RequestMessage, encoding: Encoding, send: Send, tell: Callable[..., Any]
    ) -> None:
        match request:
            case Set():
                room = self._rooms[request.context]
                room.state = request.state
                await tell(self._advance(request, room))
            case Watch():
                room = self._rooms[request.context]
                room.watching[id(send)] = send
                await tell(_show(request.context, room))
            case Update():
                room = self._rooms[request.context]
                before = str(room.position)
                done = self._advance(request, room)
                await tell(done)
                await _tell_all(room, pack(_make_delta(request, before, room), encoding))
            case _:
                raise NotImplementedError(request)

    def _advance(self, request: Set | Update, room: Room) -> Done:
        room.position = Position(self._epoch, room.position.version + 1)
        return Done(ref=request.ref, position=str(room.position), changed=True)


async def _tell(send: Send, write: Callable[..., Data], message: Any) -> None:
    await send(_carry(write(message)))


async def _tell_all(room: Room, data: Data) -> None:
    for send in list(room.watching.values()):
        await send(_carry(data))


def _carry(data: Data) -> Message:
    return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}


def _show(context_id: str, room: Room) -> Full:
    return Full(
        context=context_id, position=str(room.position), state=room.state, reason="requested"
    )


def _make_delta(request: Update, before: str, room: Room) -> DeltaMessage:
    return DeltaMessage(
        context=request.context,
        from_=before,
        position=str(room.position),
        changes=_mark_modified(request.changes),
    )


def _mark_modified(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a delta says of a patch of fields that were there."""
    return {
        key: _mark_modified(value) if isinstance(value, dict) else ["m", value]
        for key, value in changes.items()
    }
