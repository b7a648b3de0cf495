"""Hold `Sharing`, which remembers encoded replies, so that a thousand who ask the same cost one."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from chord.web.wire import Encoding, Ref, ReplyMessage, encode

Data: TypeAlias = str | bytes
"""What a frame carries: text in JSON, bytes in MessagePack."""

OVERHEAD: Final = 200
"""Bytes that remembering a reply takes beside its own."""


@attrs.frozen
class Frame:
    """One encoded reply about a context; `position` is as the client is told it."""

    kind: str
    position: str
    data: Data


class Sharing:
    """Remembers the frames that were asked for last, up to `limit` bytes of them.

    A key names all that the frame depends on: context, view key, where it leads from and to with
    their epoch, and encoding.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: OrderedDict[Hashable, tuple[Frame, int]] = OrderedDict()
        self._size = 0
        self.hits = 0
        self.encodings = 0

    def share(self, key: Hashable, make: Callable[[], Frame]) -> Frame:
        """Return the frame of this key, made once. One that takes all the room is not kept."""
        known = self._frames.get(key)
        if known is not None:
            self._frames.move_to_end(key)
            self.hits += 1
            return known[0]
        frame = make()
        self.encodings += 1
        self._keep(key, frame)
        return frame

    def _keep(self, key: Hashable, frame: Frame) -> None:
        size = _size_of(frame)
        if size > self._limit:
            return
        self._frames[key] = frame, size
        self._size += size
        while self._size > self._limit:
            _, (_, dropped) = self._frames.popitem(last=False)
            self._size -= dropped

    def statistics(self) -> dict[str, int]:
        return {
            "remembered": len(self._frames),
            "remembered_bytes": self._size,
            "encodings": self.encodings,
            "hits": self.hits,
        }

    def check(self) -> None:
        """Assert every invariant. O(length)."""
        assert self._size == sum(size for _, size in self._frames.values()) <= self._limit

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"<Sharing {len(self._frames)} of {self._size} B>"


def _size_of(frame: Frame) -> int:
    """As in memory, where the widest letter of a text makes all of them as wide."""
    return sys.getsizeof(frame.data) - sys.getsizeof(type(frame.data)()) + OVERHEAD


def pack(message: ReplyMessage, encoding: Encoding) -> Data:
    """Return a message as a frame carries it.

    >>> from chord.web.wire import Ping
    >>> pack(Ping(), Encoding.JSON), pack(Ping(), Encoding.MSGPACK)
    ('{"type":"ping"}', b'\\x81\\xa4type\\xa4ping')
    """
    data = encode(message, encoding)
    return data.decode() if encoding is Encoding.JSON else data


def splice(data: Data, ref: Ref | None) -> Data:
    """Return the same message with a `ref`, without encoding it again.

    >>> splice('{"type":"current","context":"a"}', 7)
    '{"type":"current","context":"a","ref":7}'
    """
    if ref is None:
        return data
    if isinstance(data, str):
        return f'{data[:-1]},"ref":{msgspec.json.encode(ref).decode()}}}'
    fields = data[0] - 0x80  # a map of fewer than 15 says its length in its first byte
    assert 0 < fields < 15
    return bytes([0x81 + fields]) + data[1:] + _pack_field("ref", ref)


def _pack_field(name: str, value: Any) -> bytes:
    return msgspec.msgpack.encode(name) + msgspec.msgpack.encode(value)
