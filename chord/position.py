"""Hold `Position`: which life of a context, and which version of that life."""

from __future__ import annotations

from typing import TypeGuard

import msgspec


class Position(msgspec.Struct, frozen=True, gc=False):
    """A point in a context's history: the `epoch` names one life, `version` counts its changes.

    Versions of different epochs cannot be compared. As text: ``epoch:version``.

    >>> str(Position("k3f9", 41))
    'k3f9:41'
    >>> Position.parse("k3f9:41")
    Position(epoch='k3f9', version=41)
    """

    epoch: str
    version: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.version}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read ``epoch:version``; raise `ValueError` for any other text."""
        epoch, colon, version = text.rpartition(":")
        if not colon or not epoch or ":" in epoch or not is_digits(version):
            raise ValueError(f"not a position, which reads 'epoch:version': {text!r}")
        return cls(epoch, int(version))


def is_version(value: object) -> TypeGuard[int]:
    """Whether it is an int, not a bool, that can be a version, or 0 for nothing.

    >>> is_version(0), is_version(-1), is_version(True), is_version(1.0)
    (True, False, False, False)
    """
    return type(value) is int and value >= 0


def is_position(value: object) -> TypeGuard[Position]:
    """Whether it is a `Position`, of a text and a version.

    >>> is_position(Position("k3f9", 41)), is_position(Position("k3f9", "41"))
    (True, False)
    """
    return isinstance(value, Position) and type(value.epoch) is str and is_version(value.version)


def is_digits(text: str) -> bool:
    """Whether `text` is a plain decimal number, of at most 18 ASCII digits.

    >>> is_digits("41"), is_digits("-3"), is_digits("²")
    (True, False, False)
    """
    return 0 < len(text) <= 18 and text.isascii() and text.isdigit()
