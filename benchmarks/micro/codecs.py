"""Compare the stored form of the room with bare msgspec, and with cattrs and json."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import cattrs.preconf.json
from msgspec import msgpack

from benchmarks.comparison import Comparison
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.codec import MsgspecCodec
from chord.delta import update
from chord.state import take_in, take_in_changes


@attrs.frozen
class Participant:
    user_id: str
    username: str
    avatar: str
    status: str
    last_seen: str
    typing: bool


@attrs.frozen
class Message:
    message_id: str
    sender: str
    text: str
    sent_at: str


@attrs.frozen
class Room:
    """What an application without Chord would keep the room in."""

    group_id: str
    group_name: str
    participants: dict[str, Participant]
    metadata: dict[str, str]
    chat_history: list[Message]


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    codec, encoder, decoder = MsgspecCodec(), msgpack.Encoder(), msgpack.Decoder()
    converter = cattrs.preconf.json.make_converter()
    plain, state = build_room(), take_in(build_room())
    room = converter.structure(plain, Room)
    packed, stored, text = encoder.encode(plain), codec.encode_state(state), converter.dumps(room)
    patch = take_in_changes({"participants": {"user_25": {"typing": True}}})
    _, changes = update(state, patch)
    stored_changes = codec.encode_changes(changes)
    plain_changes = {"participants": {"user_25": {"typing": ("m", False, True)}}}
    packed_changes = encoder.encode(plain_changes)
    yield [
        _compare(
            "encode the room",
            "floor",
            ("codec", codec.encode_state, state),
            ("msgspec, plain dicts", encoder.encode, plain),
        ),
        _compare(
            "decode the room",
            "floor",
            ("codec", codec.decode_state, stored),
            ("msgspec, plain dicts", decoder.decode, packed),
        ),
        _compare(
            "encode the delta of one field",
            "floor",
            ("codec", codec.encode_changes, changes),
            ("msgspec, plain dicts", encoder.encode, plain_changes),
        ),
        _compare(
            "decode the delta of one field",
            "floor",
            ("codec", codec.decode_changes, stored_changes),
            ("msgspec, plain dicts", decoder.decode, packed_changes),
        ),
        _compare(
            "encode the room, application's classes",
            "peer",
            ("codec", codec.encode_state, state),
            ("cattrs and json", converter.dumps, room),
        ),
        _compare(
            "decode the room, application's classes",
            "peer",
            ("codec", codec.decode_state, stored),
            ("cattrs and json", lambda data: converter.loads(data, Room), text),
        ),
    ]


Subject = tuple[str, Callable[[Any], object], Any]


def _compare(name: str, kind: Any, ours: Subject, other: Subject) -> Comparison:
    return Comparison(name=name, kind=kind, ours=_calling(*ours), others=[_calling(*other)])


def _calling(name: str, function: Callable[[Any], object], value: Any) -> Contender:
    def loop(times: Times) -> None:
        for _ in times:
            function(value)

    return Contender(name=name, loop=loop)
