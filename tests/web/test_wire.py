"""Test messages: there and back in both encodings, and whatever is no message is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import Modified
from chord.delta import apply, equal
from chord.position import Position
from chord.records import ContextDeleted, DeltaUpdate, FullContext, NoChange
from chord.state import StateDict
from chord.testing.strategies import State, states
from chord.web.leaves import lower, raise_changes, raise_value
from chord.web.wire import (
    Call,
    Current,
    Delete,
    Deleted,
    DeltaMessage,
    Done,
    Encoding,
    Fault,
    Full,
    Hello,
    Ping,
    Pong,
    ReplyMessage,
    RequestMessage,
    Result,
    Set,
    Sync,
    Unwatch,
    Update,
    Watch,
    WireError,
    decode_reply,
    decode_request,
    encode,
    make_reply,
    read_plain,
)
from tests.laws import thorough, walks
from tests.timelines import context_of, delta_of

JSON, MSGPACK = Encoding.JSON, Encoding.MSGPACK
BOTH = pytest.mark.parametrize("encoding", Encoding)

REQUESTS: list[RequestMessage] = [
    Watch(context="a"),
    Watch(context="a", since="k:1", interval=0.5, ref="w"),
    Unwatch(context="a", ref=1),
    Sync(ref=1, context="a", since="k:1"),
    Set(ref=1, context="a", state={"__proto__": {"": []}}, types=[(["x", 0], "int")], expected=0),
    Update(ref=1, context="a", changes={"type": "x"}, create={}, ephemeral=True, timeout=1.5),
    Update(ref=1, context="a", changes={}, expected="k:1", op="op-1", create_types=[]),
    Delete(ref=1, context="a", expected="k:1"),
    Call(ref=1, context="a", name="kick", arguments=["ana", {"for": 5}]),
    Pong(),
]
REPLIES: list[ReplyMessage] = [
    Hello(heartbeat=20.0, limits={"message": 1000}),
    Full(context="a", position="k:1", state={"a": 1}, reason="requested", ref=1),
    DeltaMessage(context="a", from_="k:1", position="k:2", changes={"a": ["m", 2]}),
    Current(context="a", position="k:2"),
    Deleted(context="a", position="k:2"),
    Done(ref=1, position=None, changed=True),
    Result(ref=1, value=None),
    Fault(code="conflict", message="no", applied=False, ref=1, actual="k:2"),
    Fault(code="unknown-outcome", message="who knows", applied=None, retry_after=0.5),
    Ping(),
]


def name(message: Any) -> str:
    return type(message).__name__


# -- there and back ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("message", REQUESTS, ids=name)
def test_a_request_comes_back_the_same(message: Any, encoding: Encoding) -> None:
    assert decode_request(encode(message, encoding), encoding) == message


@BOTH
@pytest.mark.parametrize("message", REPLIES, ids=name)
def test_a_reply_comes_back_the_same(message: Any, encoding: Encoding) -> None:
    assert decode_reply(encode(message, encoding), encoding) == message


def test_what_is_not_said_is_left_out() -> None:
    assert encode(Watch(context="a"), JSON) == b'{"type":"watch","context":"a"}'
    full = Full(context="a", position="k:1", state={}, reason="ahead", types=[])
    assert b"types" not in encode(full, JSON)


def test_null_is_said_where_it_means_something() -> None:
    assert b'"applied":null' in encode(Fault(code="x", message="", applied=None), JSON)
    assert b'"position":null' in encode(Done(ref=1, position=None, changed=True), JSON)
    assert b'"value":null' in encode(Result(ref=1, value=None), JSON)


def test_a_delta_says_from() -> None:
    said = encode(REPLIES[2], JSON)
    assert json.loads(said)["from"] == "k:1"


def test_a_text_frame_may_be_read_as_text() -> None:
    assert decode_request('{"type":"pong"}', JSON) == Pong()


def test_subprotocols_have_these_names() -> None:
    assert [encoding.subprotocol for encoding in Encoding] == ["chord.v1.json", "chord.v1.msgpack"]


@BOTH
@thorough
@given(state=states())
def test_a_state_is_set_as_it_was_said(encoding: Encoding, state: State) -> None:
    plain, types = lower(state, native_bytes=encoding.is_native)
    data = encode(Set(ref=1, context="a", state=plain, types=types), encoding)
    read = decode_request(data, encoding)
    assert isinstance(read, Set)
    assert equal(raise_value(read.state, read.types), state)


# -- replies of the runtime ----------------------------------------------------------------------


@BOTH
@given(walk=walks(2))
def test_a_reply_leads_a_client_to_the_servers_state(
    encoding: Encoding, walk: list[StateDict]
) -> None:
    before, after = walk
    full = make_reply("room:1", FullContext(context_of(after, 2), "compacted"), encoding)
    read = decode_reply(encode(full, encoding), encoding)
    assert isinstance(read, Full)
    assert (read.position, read.reason) == ("k:2", "compacted")
    assert equal(raise_value(read.state, read.types), after)


def test_a_delta_says_from_where_to_where() -> None:
    update = DeltaUpdate(delta_of({"n": Modified(1, 2)}, 5))
    reply = make_reply("room:1", update, JSON, ref=7)
    assert reply == DeltaMessage(
        context="room:1", from_="k:4", position="k:5", changes={"n": ["m", 2]}, ref=7
    )
    assert isinstance(reply, DeltaMessage)
    assert apply({"n": 1}, raise_changes(reply.changes, reply.types, {"n": 1})) == {"n": 2}


def test_positions_are_said_as_the_server_wishes() -> None:
    def tag(position: Position) -> str:
        return f"{position}~x"

    update = DeltaUpdate(delta_of({}, 5))
    reply = make_reply("a", update, JSON, position=tag)
    assert isinstance(reply, DeltaMessage)
    assert (reply.from_, reply.position) == ("k:4~x", "k:5~x")
    assert make_reply("a", NoChange(Position("k", 1)), JSON, position=tag, ref="r") == Current(
        context="a", position="k:1~x", ref="r"
    )
    assert make_reply("a", ContextDeleted(Position("k", 1)), JSON, position=tag) == Deleted(
        context="a", position="k:1~x"
    )


# -- what is no message --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", "truncated"),
        ("x", "malformed"),
        ("null", "Expected `object`, got `null`"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "missing required field `type`"),
        ('{"type":"pong"} {}', "trailing characters"),
        ('{"type":5}', "Expected `str`"),
        ('{"type":"nonsense"}', "Invalid value 'nonsense'"),
        ('{"type":"hello","heartbeat":1,"limits":{}}', "Invalid value 'hello'"),
        ('{"type":"watch"}', "missing required field `context`"),
        ('{"type":"watch","context":5}', r"Expected `str`, got `int` - at `\$.context`"),
        ('{"type":"watch","context":"a","sicne":"k:1"}', "unknown field `sicne`"),
        ('{"type":"watch","context":"a","since":5}', "Expected `str | null`"),
        ('{"type":"watch","context":"a","interval":-1}', ">= 0"),
        ('{"type":"watch","context":"a","interval":NaN}', "malformed"),
        ('{"type":"watch","context":"a","interval":1e999}', "out of range"),
        ('{"type":"sync","context":"a"}', "missing required field `ref`"),
        ('{"type":"sync","context":"a","ref":null}', "Expected"),
        ('{"type":"sync","context":"a","ref":1.5}', "Expected"),
        ('{"type":"set","ref":1,"context":"a","state":[]}', "Expected `object`, got `array`"),
        ('{"type":"set","ref":1,"context":"a","state":{},"expected":1}', "Invalid enum value 1"),
        ('{"type":"set","ref":1,"context":"a","state":{},"types":[["a"]]}', "Expected `array`"),
        ('{"type":"set","ref":1,"context":"a","state":{},"types":[[[true],"int"]]}', "got `bool`"),
        ('{"type":"pong","type":"pong"}', "a key stands twice"),
        ('{"type":"set","ref":1,"context":"a","state":{"b":{"a":1,"\\u0061":2}}}', "twice"),
        ('{"type":"set","ref":1,"context":"a","state":{"":"\\ud800"}}', "malformed|truncated"),
        ('{"type":"set","ref":1,"context":"a","state":{"\\udc00":1}}', "malformed"),
        (b'{"type":"set","ref":1,"context":"a","state":{"\xff":1}}', "not UTF-8"),
        (b'{"type":"set","ref":1,"context":"a","state":{"a":"\xed\xa0\x80"}}', "not UTF-8"),
        ('{"type":"\ud800"}', "not UTF-8"),
        ('{"type":"pong","a":' + "9" * 5000 + "}", "out of range"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_json_that_is_no_request_is_refused(data: str | bytes, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        decode_request(data, JSON)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "truncated"),
        (b"\xc1", "invalid opcode"),
        (b"\x80\x80", "trailing"),
        (b"\xdf\xff\xff\xff\xff", "truncated"),
        (b"\x81" * 100_000, "nested too deep|hashable"),
        (b"\x91" * 100_000, "nested too deep"),
        (b"\xa1\xff", "not UTF-8"),
        (msgspec.msgpack.encode({1: 2}), "a key is text, not a int"),
        (msgspec.msgpack.encode({None: 2}), "a key is text, not a NoneType"),
        (msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(5, b"")}), "a Ext is no value"),
        (b"\xd6\xff\x00\x00\x00\x00", "a datetime is no value"),
        (msgspec.msgpack.encode({"type": "watch", "context": b"a"}), "Expected `str`"),
        ("text", "bytes"),
    ],
)
def test_messagepack_that_is_no_request_is_refused(data: Any, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        decode_request(data, MSGPACK)


@BOTH
@given(noise=st.binary(max_size=60))
def test_noise_is_refused(encoding: Encoding, noise: bytes) -> None:
    for decode in (decode_request, decode_reply):
        with pytest.raises(WireError):
            decode(noise, encoding)


@BOTH
@thorough
@given(data=st.data())
def test_a_damaged_message_is_refused_or_is_another(encoding: Encoding, data: Any) -> None:
    said = bytearray(encode(data.draw(st.sampled_from(REQUESTS)), encoding))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(said) - 1), min_size=1, max_size=8)):
        said[bit // 8] ^= 1 << bit % 8
    try:
        read = decode_request(bytes(said), encoding)
    except WireError:
        return
    assert decode_request(encode(read, encoding), encoding) == read


@BOTH
def test_a_reply_may_have_fields_that_are_not_known(encoding: Encoding) -> None:
    codec: Any = msgspec.json if encoding is JSON else msgspec.msgpack
    said = codec.encode({"type": "ping", "mood": "fine"})
    assert decode_reply(said, encoding) == Ping()


# -- depth ---------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@BOTH
def test_a_state_may_be_as_deep_as_is_allowed_and_no_deeper(encoding: Encoding) -> None:
    for allowed in (3, 8, 64):
        deep = encode(Set(ref=1, context="a", state=nested(allowed)), encoding)
        assert isinstance(decode_request(deep, encoding, max_depth=allowed), Set)
        deeper = encode(Set(ref=1, context="a", state=nested(allowed + 1)), encoding)
        with pytest.raises(WireError, match=f"nested deeper than {allowed + 1} levels"):
            decode_request(deeper, encoding, max_depth=allowed)


def test_types_are_no_part_of_the_depth_of_a_state() -> None:
    said = encode(Set(ref=1, context="a", state={"a": "1"}, types=[(["a"], "int")]), JSON)
    assert isinstance(decode_request(said, JSON, max_depth=1), Set)


# -- keys ----------------------------------------------------------------------------------------


@given(states())
def test_no_state_looks_as_if_it_had_a_key_twice(state: State) -> None:
    plain, _ = lower(state)
    assert equal(read_plain(encode_json(plain), JSON, max_depth=100), plain)


def encode_json(plain: Any) -> bytes:
    return msgspec.json.encode(plain)


@pytest.mark.parametrize(
    "said",
    [
        '{"a":1,"a":1}',
        '[{"a":{"b":1,"c":[],"b":2}}]',
        '{"a:":":","a:":"\\":"}',
        '{"":0,"":0}',
        '{"\\"":0 , "\\u0022" : 0}',
    ],
)
def test_a_key_twice_is_found_wherever_it_stands(said: str) -> None:
    with pytest.raises(WireError, match="a key stands twice"):
        read_plain(said, JSON)
