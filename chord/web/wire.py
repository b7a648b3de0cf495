"""Hold the messages of `docs/wire.md`, and the way to bytes and back. Pure.

What a client says is read strictly: an unknown field is refused, as a misspelt `expected` would
make a write that nobody asked for. What a server says may have more fields than are known here.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from chord.codec import Codec
from chord.position import Position
from chord.records import ContextDeleted, DeltaUpdate, FullContext, NoChange, WatchReply
from chord.state import MAX_DEPTH
from chord.web.leaves import Types, lower, lower_changes
from chord.web.leaves import WireError as WireError

Ref: TypeAlias = str | int
"""The client's name for what it asked."""

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
ExpectedOnWire: TypeAlias = str | Literal[0] | None
"""A position, or 0: there is none yet; None expects nothing."""


class Encoding(enum.Enum):
    """How messages become bytes; a WebSocket's subprotocol names it."""

    JSON = "json"
    MSGPACK = "msgpack"

    @property
    def subprotocol(self) -> str:
        return f"chord.v1.{self.value}"

    @property
    def is_native(self) -> bool:
        """Whether bytes, every float, and ints of up to 64 bits are values of its own."""
        return self is Encoding.MSGPACK


class Request(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag=str.lower,
):
    """What a client says."""


class Watch(Request, frozen=True):
    """Say what is lacking of a context, then tell of each change as it comes."""

    context: str
    since: str | None = None
    interval: Seconds = 0.0
    ref: Ref | None = None


class Unwatch(Request, frozen=True):
    """Tell no more of a context."""

    context: str
    ref: Ref | None = None


class Sync(Request, frozen=True):
    """Say what is lacking of a context, once."""

    ref: Ref
    context: str
    since: str | None = None


class Set(Request, frozen=True):
    """Create a context, or replace its whole state."""

    ref: Ref
    context: str
    state: dict[str, Any]
    types: Types = []
    expected: ExpectedOnWire = None
    op: str | None = None
    timeout: Seconds | None = None


class Update(Request, frozen=True):
    """Change a state in part; `types` names the write operators, too."""

    ref: Ref
    context: str
    changes: dict[str, Any]
    types: Types = []
    expected: ExpectedOnWire = None
    op: str | None = None
    create: dict[str, Any] | None = None
    create_types: Types = []
    ephemeral: bool = False
    timeout: Seconds | None = None


class Delete(Request, frozen=True):
    """End a context."""

    ref: Ref
    context: str
    expected: ExpectedOnWire = None


class Call(Request, frozen=True):
    """Carry out a command of the application's."""

    ref: Ref
    context: str
    name: str
    arguments: list[Any] = []
    types: Types = []


class Pong(Request, frozen=True):
    """The answer to a `ping`."""


class Reply(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=str.lower
):
    """What a server says."""


class Hello(Reply, frozen=True):
    """The first message of a connection; `heartbeat` is in seconds."""

    heartbeat: float
    limits: dict[str, Any]


class Full(Reply, frozen=True):
    """The whole state, and why."""

    context: str
    position: str
    state: dict[str, Any]
    reason: str
    types: Types = []
    ref: Ref | None = None


class DeltaMessage(Reply, frozen=True, tag="delta"):
    """What changed between two positions, as a tree of changes."""

    context: str
    from_: str = msgspec.field(name="from")
    position: str
    changes: dict[str, Any]
    types: Types = []
    ref: Ref | None = None


class Current(Reply, frozen=True):
    """Nothing is lacking."""

    context: str
    position: str
    ref: Ref | None = None


class Deleted(Reply, frozen=True):
    """The context is gone, and so is the watch."""

    context: str
    position: str


class Done(Reply, frozen=True):
    """A write's acknowledgement; `position` is null where there is no context any more."""

    ref: Ref
    position: str | None
    changed: bool


class Result(Reply, frozen=True):
    """What a call returned."""

    ref: Ref
    value: Any
    types: Types = []


class Fault(Reply, frozen=True, tag="error"):
    """Something went wrong; a null `applied` says that it may have been written all the same."""

    code: str
    message: str
    applied: Literal[False] | None
    ref: Ref | None = None
    context: str | None = None
    retry_after: float | None = None
    actual: str | None = None
    address: str | None = None


class Ping(Reply, frozen=True):
    """Are you there?"""


RequestMessage: TypeAlias = Watch | Unwatch | Sync | Set | Update | Delete | Call | Pong
StateReply: TypeAlias = Full | DeltaMessage | Current | Deleted
ReplyMessage: TypeAlias = StateReply | Hello | Done | Result | Fault | Ping

REQUESTS: Final = (Watch, Unwatch, Sync, Set, Update, Delete, Call, Pong)
REPLIES: Final = (Hello, Full, DeltaMessage, Current, Deleted, Done, Result, Fault, Ping)


# -- to bytes ------------------------------------------------------------------------------------

_ENCODE: Final = {
    Encoding.JSON: msgspec.json.Encoder().encode,
    Encoding.MSGPACK: msgspec.msgpack.Encoder().encode,
}


def encode(message: RequestMessage | ReplyMessage, encoding: Encoding) -> bytes:
    """Return a message's bytes; those of JSON are sent as text.

    >>> encode(Watch(context="room:1", ref=1), Encoding.JSON)
    b'{"type":"watch","context":"room:1","ref":1}'
    """
    return _ENCODE[encoding](message)


def make_reply(
    context_id: str,
    reply: WatchReply,
    encoding: Encoding,
    *,
    position: Callable[[Position], str] = str,
    ref: Ref | None = None,
    codec: Codec | None = None,
) -> StateReply:
    """Return a reply as a message for this encoding; `position` says a position in public.

    >>> make_reply("room:1", NoChange(Position("k3f9", 41)), Encoding.JSON)
    Current(context='room:1', position='k3f9:41', ref=None)
    """
    here = position(reply.position)
    native = encoding.is_native
    match reply:
        case FullContext(context, reason):
            state, types = lower(context.state, native_bytes=native, codec=codec)
            return Full(
                context=context_id,
                position=here,
                state=state,
                reason=reason,
                types=types,
                ref=ref,
            )
        case DeltaUpdate(delta):
            changes, types = lower_changes(delta.changes, native_bytes=native, codec=codec)
            return DeltaMessage(
                context=context_id,
                from_=position(Position(delta.epoch, delta.from_version)),
                position=here,
                changes=changes,
                types=types,
                ref=ref,
            )
        case NoChange():
            return Current(context=context_id, position=here, ref=ref)
        case ContextDeleted():
            return Deleted(context=context_id, position=here)


# -- from bytes ----------------------------------------------------------------------------------

_DECODE: Final[dict[Encoding, Callable[[bytes | str], Any]]] = {
    Encoding.JSON: msgspec.json.Decoder().decode,
    Encoding.MSGPACK: msgspec.msgpack.Decoder().decode,  # type: ignore[dict-item]  # text raises
}
_DECODE_REPLY: Final[dict[Encoding, Callable[[bytes | str], Any]]] = {
    Encoding.JSON: msgspec.json.Decoder(ReplyMessage).decode,
    Encoding.MSGPACK: msgspec.msgpack.Decoder(ReplyMessage).decode,  # type: ignore[dict-item]
}
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SAID: Final = frozenset({type(None), bool, int, float, str, bytes})
_ENVELOPE: Final = 4
"""How deep a message is without a state: its `types` are pairs of a list and a tag."""


def decode_request(
    data: bytes | str, encoding: Encoding, *, max_depth: int = MAX_DEPTH
) -> RequestMessage:
    """Read what a client said. Raises `WireError` for whatever is not a message of the protocol.

    A state may be nested `max_depth` deep; in JSON, no object may have a key twice.
    """
    plain = read_plain(data, encoding, max_depth=max(max_depth + 1, _ENVELOPE))
    message: RequestMessage = _read(lambda: msgspec.convert(plain, RequestMessage))
    return message


def decode_reply(data: bytes | str, encoding: Encoding) -> ReplyMessage:
    """Read what a server said. Raises `WireError`."""
    message: ReplyMessage = _read(lambda: _DECODE_REPLY[encoding](data))
    return message


def read_plain(data: bytes | str, encoding: Encoding, *, max_depth: int = MAX_DEPTH) -> Any:
    """Read a value of JSON or MessagePack from a stranger, containers nested `max_depth` deep.

    Raises `WireError` for damaged data, for a key that stands twice in one object of JSON, and for
    what only MessagePack has: extension types, timestamps, keys that are no text.

    >>> read_plain('{"a": {"b": 1, "b": 2}}', Encoding.JSON)
    Traceback (most recent call last):
    chord.web.leaves.WireError: a key stands twice in one object
    """
    plain = _read(lambda: _DECODE[encoding](data))
    keys = _count_keys(plain, max_depth)
    if encoding is Encoding.JSON and _count_colons(data) != keys:
        raise WireError("a key stands twice in one object")
    return plain


def _read(decode: Callable[[], Any]) -> Any:
    try:
        return decode()
    except UnicodeError:
        raise WireError("text that is not UTF-8") from None
    except RecursionError:
        raise WireError("nested too deep") from None
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise WireError(f"{error!s:.200}") from None


def _count_colons(data: bytes | str) -> int:
    """How many there are outside of strings: one behind each key."""
    raw = data.encode() if isinstance(data, str) else data
    return _STRING.sub(b"", raw).count(b":")


def _count_keys(plain: Any, max_depth: int) -> int:
    """How many keys all objects have; level by level, so that no depth is too much for us."""
    keys = depth = 0
    level = _find_containers([plain])
    while level:
        depth += 1
        if depth > max_depth:
            raise WireError(f"nested deeper than {max_depth} levels")
        keys += sum(len(container) for container in level if isinstance(container, dict))
        level = _find_containers(itertools.chain.from_iterable(map(_look_into, level)))
    return keys


def _look_into(container: dict[Any, Any] | list[Any]) -> Iterable[Any]:
    if isinstance(container, list):
        return container
    for key in container:
        if type(key) is not str:
            raise WireError(f"a key is text, not a {type(key).__name__}")
    return container.values()


def _find_containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if _is_container(value)]


def _is_container(value: Any) -> bool:
    kind = type(value)
    if kind is dict or kind is list:
        return True
    if kind not in _SAID:
        raise WireError(f"a {kind.__name__} is no value of this protocol")
    return False
