"""Hold `Codec`, the port between states and stored bytes, and the codec on msgspec.

Stored bytes are one byte that tells the format, then MessagePack. What MessagePack has no type for
is an extension type of ours; msgspec would otherwise turn most of them into text without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, NoReturn, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import MsgspecError, msgpack

from chord.changes import Added, Changes, Leaf, Modified, Removed, Spliced
from chord.state import StateDict, Tree, adopt, is_rich, may_be_rich

FORMAT: Final = b"\x01"
"""The first of all stored bytes."""

_UNREADABLE: Final = (
    MsgspecError,
    ArithmeticError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
)
"""What damaged bytes can raise, besides `ValueError`; `OSError` is that of a timezone's file."""

T = TypeVar("T")


class Codec(Protocol):
    """Turn states and changes to bytes and back, so that what went in comes out the same."""

    def accepts(self, value: Any) -> bool:
        """Whether a leaf of a type that Chord doesn't know can be stored and come back equal."""

    def encode_state(self, state: StateDict) -> bytes: ...

    def decode_state(self, data: bytes) -> StateDict:
        """Raises `ValueError` for bytes that are no state."""

    def encode_changes(self, changes: Changes) -> bytes: ...

    def decode_changes(self, data: bytes) -> Changes:
        """Raises `ValueError` for bytes that are no changes."""


class MsgspecCodec:
    """The codec for the leaves that Chord knows. Subclasses may know more types.

    >>> codec = MsgspecCodec()
    >>> codec.decode_state(codec.encode_state(adopt({"due": date(2030, 1, 2), "n": 2**70})))
    {'due': datetime.date(2030, 1, 2), 'n': 1180591620717411303424}
    """

    def __init__(self) -> None:
        self._encoder = msgpack.Encoder()
        self._decoder = msgpack.Decoder(ext_hook=self._unpack)

    def accepts(self, value: Any) -> bool:
        return False

    def encode_state(self, state: StateDict) -> bytes:
        return FORMAT + self._encoder.encode(self._lower(state))

    def decode_state(self, data: bytes) -> StateDict:
        return self._decode(data, _raise_state)

    def encode_changes(self, changes: Changes) -> bytes:
        if getattr(changes, "_rich", True) and _is_rich_tree(changes):
            changes = self._lower_tree(changes)
        return FORMAT + self._encoder.encode(changes)

    def decode_changes(self, data: bytes) -> Changes:
        return self._decode(data, _raise_tree)

    def _decode(self, data: bytes, make: Callable[[Any], T]) -> T:
        if data[:1] != FORMAT:
            raise ValueError(f"format {data[:1]!r}, where this version reads {FORMAT!r}")
        try:
            return make(self._decoder.decode(memoryview(data)[1:]))
        except _UNREADABLE as error:
            raise ValueError(f"not readable: {error!r:.200}") from error

    def _pack_other(self, value: Any) -> bytes:
        """Bytes of a value that `accepts` let in."""
        raise TypeError(f"a {type(value).__qualname__} has no stored form")

    def _unpack_other(self, data: bytes) -> Any:
        raise ValueError("a value of an application's type, which this codec does not know")

    def _lower(self, value: Any) -> Any:
        if isinstance(value, dict):
            if not is_rich(value):
                return value
            return {key: self._lower(inner) for key, inner in value.items()}
        if isinstance(value, list):
            if not is_rich(value):
                return value
            return [self._lower(inner) for inner in value]
        if not may_be_rich(value):
            return value
        code, pack = _PACKERS.get(type(value), (_OTHER, self._pack_other))
        return msgpack.Ext(code, pack(value))

    def _lower_tree(self, changes: Changes) -> Any:
        return {key: self._lower_change(change) for key, change in changes.items()}

    def _lower_change(self, change: Any) -> Any:
        match change:
            case Added(value):
                return Added(self._lower(value))
            case Modified(old_value, value):
                return Modified(self._lower(old_value), self._lower(value))
            case Removed(old_value):
                return Removed(self._lower(old_value))
            case Spliced(start, removed, inserted):
                return Spliced(start, self._lower(removed), self._lower(inserted))
            case _:
                return self._lower_tree(change)

    def _unpack(self, code: int, data: memoryview) -> Any:
        if code == _OTHER:
            return self._unpack_other(bytes(data))
        return _UNPACKERS.get(code, _unpack_unknown)(bytes(data))


def _is_rich_tree(changes: Changes) -> bool:
    for change in changes.values():
        if _is_rich_tree(change) if isinstance(change, dict) else _is_rich_leaf(change):
            return True
    return False


def _is_rich_leaf(change: Leaf) -> bool:
    if isinstance(change, Modified):
        return may_be_rich(change.value) or may_be_rich(change.old_value)
    if isinstance(change, Added):
        return may_be_rich(change.value)
    if isinstance(change, Removed):
        return may_be_rich(change.old_value)
    return is_rich(change.removed) or is_rich(change.inserted)


def _raise_state(node: Any) -> StateDict:
    state = adopt(node)
    if not isinstance(state, StateDict):
        raise ValueError(f"a {type(state).__name__} where a state should be")
    return state


def _raise_tree(node: Any) -> Tree:
    if not isinstance(node, dict):
        raise ValueError(f"a {type(node).__name__} where changes should be")
    tree = Tree()
    for key, change in node.items():
        raised = _raise_tree(change) if isinstance(change, dict) else _raise_leaf(change)
        dict.setdefault(tree, key, raised)
    return tree


def _raise_leaf(change: Any) -> Leaf:
    match change:
        case ["m", old_value, value]:
            return Modified(adopt(old_value), adopt(value))
        case ["a", value]:
            return Added(adopt(value))
        case ["r", old_value]:
            return Removed(adopt(old_value))
        case ["s", int(start), list(removed), list(inserted)] if _is_count(start):
            return Spliced(start, adopt(removed), adopt(inserted))
        case _:
            raise ValueError(f"a {type(change).__name__} where changes should be")


def _is_count(number: int) -> bool:
    return type(number) is int and number >= 0


# -- rich leaves ---------------------------------------------------------------------------------


def _pack_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _unpack_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _pack_zone(zone: tzinfo | None) -> tuple[Any, ...]:
    if zone is None:
        return ()
    if isinstance(zone, ZoneInfo):
        return (zone.key,)
    offset = zone.utcoffset(None)
    name = zone.tzname(None)
    assert offset is not None
    unnamed = timezone(offset).tzname(None)
    return (offset // timedelta(microseconds=1), None if name == unnamed else name)


def _unpack_zone(zone: list[Any]) -> tzinfo | None:
    match zone:
        case []:
            return None
        case [str(key)]:
            return ZoneInfo(key)
        case [int(offset), None]:
            return timezone(timedelta(microseconds=offset))
        case [int(offset), str(name)]:
            return timezone(timedelta(microseconds=offset), name)
        case _:
            raise ValueError(f"no timezone: {zone!r}")


def _pack_datetime(value: datetime | time) -> bytes:
    naive = value.replace(tzinfo=None, fold=0)
    return msgpack.encode((naive.isoformat(), value.fold, *_pack_zone(value.tzinfo)))


def _unpack_datetime(data: bytes) -> datetime:
    text, fold, *zone = msgpack.decode(data)
    return datetime.fromisoformat(text).replace(tzinfo=_unpack_zone(zone), fold=fold)


def _unpack_time(data: bytes) -> time:
    text, fold, *zone = msgpack.decode(data)
    return time.fromisoformat(text).replace(tzinfo=_unpack_zone(zone), fold=fold)


def _pack_timedelta(value: timedelta) -> bytes:
    return msgpack.encode((value.days, value.seconds, value.microseconds))


def _unpack_timedelta(data: bytes) -> timedelta:
    days, seconds, microseconds = msgpack.decode(data)
    return timedelta(days, seconds, microseconds)


def _unpack_unknown(data: bytes) -> NoReturn:
    raise ValueError("an extension type that this version does not know")


_OTHER: Final = 64
_PACKERS: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (1, _pack_int),
    Decimal: (2, lambda value: str(value).encode()),
    UUID: (3, lambda value: value.bytes),
    datetime: (4, _pack_datetime),
    date: (5, lambda value: value.isoformat().encode()),
    time: (6, _pack_datetime),
    timedelta: (7, _pack_timedelta),
}
_UNPACKERS: Final[dict[int, Callable[[bytes], Any]]] = {
    1: _unpack_int,
    2: lambda data: Decimal(data.decode()),
    3: lambda data: UUID(bytes=data),
    4: _unpack_datetime,
    5: lambda data: date.fromisoformat(data.decode()),
    6: _unpack_time,
    7: _unpack_timedelta,
}
