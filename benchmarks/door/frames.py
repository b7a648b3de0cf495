"""Speak WebSocket as a client that trusts its server: frames to bytes, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

Frame: TypeAlias = tuple[int, bytes]
"""An opcode, and what it carries."""

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
"""A mask that changes nothing, as nobody is between us and the server."""


def write_handshake(host: str, subprotocol: str) -> bytes:
    """The request that asks for a WebSocket."""
    lines = [
        "GET / HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: Y2hvcmQgYmVuY2htYXJrcw==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {subprotocol}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def write_frame(opcode: int, data: bytes) -> bytes:
    """
    >>> write_frame(TEXT, b"hello").hex(" ")
    '81 85 00 00 00 00 68 65 6c 6c 6f'
    """
    return bytes([_FINAL | opcode]) + _write_length(len(data)) + _NO_MASK + data


def _write_length(length: int) -> bytes:
    if length < 126:
        return bytes([_MASKED | length])
    if length < 1 << 16:
        return bytes([_MASKED | 126]) + length.to_bytes(2, "big")
    return bytes([_MASKED | 127]) + length.to_bytes(8, "big")


class Frames:
    """Takes bytes as they come, and gives the frames that are whole.

    >>> frames = Frames()
    >>> list(frames.take(bytes.fromhex("81 02 68")))
    []
    >>> list(frames.take(bytes.fromhex("69 82 01 00")))
    [(1, b'hi'), (2, b'\\x00')]
    """

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[Frame]:
        """To be iterated over to its end. Raises `ValueError` for a part of a message."""
        data = self._rest + data
        start = 0
        while (end := _find_end(data, start)) is not None:
            begin, stop = end
            yield data[start] & 0x0F, data[begin:stop]
            start = stop
        self._rest = data[start:]


def _find_end(data: bytes, start: int) -> tuple[int, int] | None:
    """Where what a frame carries begins and ends, None where it is not all there."""
    if len(data) < start + 2:
        return None
    if not data[start] & _FINAL:
        raise ValueError("the server cut a message into pieces")
    length = data[start + 1]
    begin = start + 2
    if length > 125:
        begin += 2 if length == 126 else 8
        length = int.from_bytes(data[start + 2 : begin], "big")
    return (begin, begin + length) if len(data) >= begin + length else None
