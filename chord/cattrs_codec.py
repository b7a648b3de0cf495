"""Hold `CattrsCodec`, which also stores an application's frozen attrs classes, through cattrs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import attrs
import cattrs
from msgspec import msgpack

from chord.codec import MsgspecCodec
from chord.delta.equality import equal
from chord.errors import ConfigurationError
from chord.state import SIMPLE, take_in

_ATOMS: Final = SIMPLE | {float, Decimal, datetime, time}
_KEPT: Final = (bytes, date, datetime, time, timedelta, Decimal, UUID)


class CattrsCodec(MsgspecCodec):
    """A codec that knows `classes`, frozen attrs classes, each by the name it is stored under.

    The names stay in the store: give a class that was renamed the name that it had. A value is
    accepted when it is immutable throughout and comes back equal, field by field and type by type.

    >>> @attrs.frozen
    ... class Point:
    ...     x: int
    ...     y: int
    >>> codec = CattrsCodec({"point": Point})
    >>> state = take_in({"at": Point(1, 2)}, accepts=codec.accepts)
    >>> codec.decode_state(codec.encode_state(state))["at"]
    Point(x=1, y=2)
    """

    def __init__(
        self, classes: Mapping[str, type], *, converter: cattrs.Converter | None = None
    ) -> None:
        super().__init__()
        for cls in classes.values():
            if not (attrs.has(cls) and attrs.inspect(cls).is_frozen):
                raise ConfigurationError(f"{cls!r} is not a frozen attrs class")
        self._classes = dict(classes)
        self._names = {cls: name for name, cls in classes.items()}
        self._converter = converter or make_converter()

    def accepts(self, value: Any) -> bool:
        if type(value) not in self._names or not self._is_immutable(value):
            return False
        try:
            return equal(self._unpack_other(self._pack_other(value)), value)
        except Exception:  # the application's hooks may raise anything
            return False

    def _is_immutable(self, value: Any) -> bool:
        kind = type(value)
        if kind in _ATOMS:
            return True
        if kind is tuple or kind is frozenset:
            return all(map(self._is_immutable, value))
        return kind in self._names and all(
            self._is_immutable(getattr(value, field.name)) for field in attrs.fields(kind)
        )

    def _pack_other(self, value: Any) -> bytes:
        fields = take_in({"": self._converter.unstructure(value)})
        return msgpack.encode((self._names[type(value)], self._lower(fields)[""]))

    def _unpack_other(self, data: bytes) -> Any:
        name, fields = self._decoder.decode(data)
        if name not in self._classes:
            raise ValueError(f"a value of the class {name!r}, which this codec does not know")
        try:
            return self._converter.structure(fields, self._classes[name])
        except Exception as error:  # what the application's classes and hooks raise
            raise ValueError(f"no value of the class {name!r}: {error!r:.200}") from error


def make_converter() -> cattrs.Converter:
    """A converter that leaves dates, decimals and the like as they are."""
    converter = cattrs.Converter()
    for kind in _KEPT:
        converter.register_structure_hook(kind, _keep)
        converter.register_unstructure_hook(kind, _same)
    return converter


def _keep(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _same(value: Any) -> Any:
    return value
