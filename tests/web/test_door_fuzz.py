"""Test that whatever a stranger sends is answered or ends their session, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.stateless import StatelessChord
from chord.web.faults import STATUSES
from chord.web.limits import Limits
from chord.web.wire import Encoding, decode_reply
from tests.web.cards import GAME, SECRET, make_door
from tests.web.visitor import Closed, Visitor, visit

LIMITS = Limits(max_message=4096, max_depth=6, max_malformed=1000, rate=1e6, burst=1e6)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
kinds = st.sampled_from(
    ["watch", "unwatch", "sync", "set", "update", "delete", "call", "pong", "hello", "full", "x"]
)
steps = st.sampled_from(["table", "deck", "hands", "ana", "bo", "turn", "log", "x", 0, 1, -1])
tags = st.sampled_from(
    ["append", "remove", "replace", "increment", "datetime", "decimal", "other", "int", "bytes", ""]
)
trees = st.dictionaries(
    st.sampled_from(["table", "deck", "hands", "x", ""]),
    plain | st.dictionaries(st.sampled_from(["ana", "bo", "turn", "log"]), plain),
    max_size=3,
)
types = st.lists(st.tuples(st.lists(steps, max_size=3), tags), max_size=3)
contexts = st.sampled_from(["game", "nowhere", "", "a\0b", "x" * 600])
fields = st.fixed_dictionaries(
    {},
    optional={
        "ref": st.integers() | st.text(max_size=3) | plain,
        "context": contexts | plain,
        "since": st.sampled_from(["e:1", "e:1~0", "41", ""]) | plain,
        "expected": st.sampled_from([0, "e:1", "e:1~0"]) | plain,
        "state": trees | plain,
        "changes": trees | plain,
        "create": trees | plain,
        "types": types | plain,
        "arguments": st.lists(plain) | plain,
        "name": st.text(max_size=3),
        "op": st.sampled_from(["o", ""]) | plain,
        "interval": plain,
        "timeout": plain,
        "more": plain,
    },
)
strange_messages = st.builds(lambda kind, rest: {"type": kind, **rest}, kinds, fields)


def make_messages(kind: str, **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages that are of the protocol, whatever they ask for."""
    common = {"type": st.just(kind), "ref": st.integers(0, 9), "context": st.just("game")}
    return st.fixed_dictionaries(common | needed)


positions = st.sampled_from(["e:1", "e:1~0", "41", "", 0, None])
sound_messages = st.one_of(
    make_messages("watch", since=positions),
    make_messages("unwatch"),
    make_messages("sync"),
    make_messages("set", state=trees),
    make_messages("set", state=trees, expected=positions, op=st.sampled_from(["o", None])),
    make_messages("update", changes=trees),
    make_messages("update", changes=trees, types=types),
    make_messages("update", changes=trees, create=trees, ephemeral=st.booleans()),
    make_messages("call", name=st.text(max_size=3), arguments=st.lists(plain, max_size=3)),
    make_messages("delete", expected=positions),
)
near_messages = sound_messages | strange_messages


@st.composite
def mutated(draw: st.DrawFn, data: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which some are others, or gone, or there twice."""
    made = bytearray(draw(data))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(made) - 1)))
        made[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(made)


texts = mutated(near_messages.map(lambda message: json.dumps(message).encode())).map(
    lambda data: data.decode(errors="surrogateescape")
)
packed = mutated(near_messages.map(lambda message: msgspec.msgpack.encode(_shrink(message))))


def _shrink(value: Any) -> Any:
    """What MessagePack can say of a value: no int of more than 64 bits."""
    if isinstance(value, dict):
        return {key: _shrink(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shrink(inner) for inner in value]
    return value % 2**63 if type(value) is int else value


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def send_all(encoding: Encoding, frames: list[Any]) -> None:
    """Have a stranger send these, and see what they and a bystander are told."""
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("game", GAME)
        door = make_door(chord, limits=LIMITS)
        async with visit(door, "ana", encoding=encoding) as stranger, visit(door, "bo") as bo:
            for frame in frames:
                stranger.say_raw(frame)
            await _hear_all(stranger)
            assert SECRET not in stranger.told
            assert (await bo.ask("sync", ref=1, context="nowhere"))["code"] == "not-found"
        door.check()
        counts = door.statistics()
        assert counts["connections"] == 0


async def _hear_all(stranger: Visitor) -> None:
    """Hear what comes until what was asked last is answered; all of it is of the protocol."""
    stranger.say("sync", ref="the last", context="nowhere")
    code = 1000
    try:
        while (message := await stranger.hear()).get("ref") != "the last":
            if message["type"] == "error":
                assert message["code"] in STATUSES
                assert message["code"] != "internal", message
    except Closed as closed:
        code = closed.code
    assert code in {1000, 4400, 4413}
    for frame in stranger.frames:
        decode_reply(frame, stranger.encoding)


@pytest.fixture(autouse=True)
def _no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> Any:
    with caplog.at_level(logging.ERROR):
        yield
    assert not caplog.records


@given(st.lists(texts, max_size=8))
def test_any_text_is_answered_or_ends_it(frames: list[str]) -> None:
    run(send_all(Encoding.JSON, frames))


@given(st.lists(packed | st.binary(max_size=40), max_size=8))
def test_any_bytes_are_answered_or_end_it(frames: list[bytes]) -> None:
    run(send_all(Encoding.MSGPACK, frames))


@given(st.lists(near_messages, max_size=8))
def test_any_message_is_answered_or_ends_it(messages: list[dict[str, Any]]) -> None:
    run(send_all(Encoding.JSON, [json.dumps(message) for message in messages]))


@given(st.lists(st.text(max_size=20) | st.binary(max_size=20), max_size=8))
def test_frames_of_either_kind_are_answered_or_end_it(frames: list[Any]) -> None:
    run(send_all(Encoding.JSON, frames))
