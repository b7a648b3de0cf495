"""Say values and changes as JSON does, with a list of types beside them, and read them. Pure.

What JSON has no type for becomes text; a pair of its path and a tag tells so in the side list. So
no key of a state is ever magic. `docs/wire.md` has the tags and their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from chord.changes import (
    REMOVE,
    Added,
    Append,
    Changes,
    Increment,
    Modified,
    Removed,
    Replace,
    Spliced,
)
from chord.codec import Codec
from chord.errors import ChordError, DeltaMismatch, show, show_path
from chord.state import Tree, adopt, is_rich, is_wide, make_dict
from chord.web.texts import READ, SAY, UNREADABLE, read_bytes, say_bytes, say_float, say_int

MAX_SAFE: Final = 2**53 - 1
"""The largest int that JSON's readers agree on."""

Step: TypeAlias = str | int
Types: TypeAlias = list[tuple[list[Step], str]]
"""Pairs of a path, of keys and indexes, and the tag of what is there."""


class WireError(ChordError, ValueError):
    """What came over the wire is not of the form that `docs/wire.md` gives; the text says where."""


@attrs.frozen
class Other:
    """A value of an application's own type, as its codec stores it, for who has no such codec."""

    data: bytes


# -- saying --------------------------------------------------------------------------------------


def lower(
    value: Any, *, native_bytes: bool = False, codec: Codec | None = None
) -> tuple[Any, Types]:
    """Return a value that JSON can say, or MessagePack with `native_bytes`, and its types.

    What needs no text is shared with `value`. O(size), but O(1) for a state of MessagePack's types.
    Raises `TypeError` for what neither Chord nor the codec knows.

    >>> from datetime import date
    >>> lower({"price": Decimal("9.90"), "at": [date(2030, 1, 2)], "n": 1})[0]
    {'price': '9.90', 'at': ['2030-01-02'], 'n': 1}
    >>> lower({"price": Decimal("9.90"), "at": [date(2030, 1, 2)], "n": 1})[1]
    [(['price'], 'decimal'), (['at', 0], 'date')]
    """
    lowering = _Lowering(native_bytes, codec)
    return lowering.lower(value), lowering.types


def lower_changes(
    changes: Changes, *, native_bytes: bool = False, codec: Codec | None = None
) -> tuple[dict[str, Any], Types]:
    """Return a delta's tree as it is on the wire, and its types.

    >>> lower_changes({"a": {"b": Modified(1, 2)}, "c": Removed(3), "d": Added(b"x")})
    ({'a': {'b': ['m', 2]}, 'c': ['r'], 'd': ['a', 'eA==']}, [(['d', 1], 'bytes')])
    """
    lowering = _Lowering(native_bytes, codec)
    return lowering.lower_tree(changes), lowering.types


def lower_partial(
    partial: Mapping[str, Any], *, native_bytes: bool = False, codec: Codec | None = None
) -> tuple[dict[str, Any], Types]:
    """Return a partial state, which may hold write operators, as it is on the wire, and its types.

    >>> lower_partial({"n": Increment(), "old": REMOVE})
    ({'n': 1, 'old': None}, [(['n'], 'increment'), (['old'], 'remove')])
    """
    lowering = _Lowering(native_bytes, codec, operators=True)
    made: dict[str, Any] = lowering.lower(partial)
    return made, lowering.types


class _Lowering:
    """One walk: `path` leads to where it is, `types` is what it has noted."""

    __slots__ = ("_codec", "_native", "_operators", "_path", "types")

    def __init__(self, native: bool, codec: Codec | None, *, operators: bool = False) -> None:
        self._native = native
        self._codec = codec
        self._operators = operators
        self._path: list[Step] = []
        self.types: Types = []

    def lower(self, value: Any) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        if kind is int:
            return self._lower_int(value)
        if kind is float:
            return self._lower_float(value)
        if isinstance(value, dict):
            return self._lower_dict(value)
        if isinstance(value, (list, tuple)):
            return self._lower_list(value)
        if kind in _SAY_OPERATOR and self._operators:
            tag, operand = _SAY_OPERATOR[kind]
            return self._note(tag, self.lower(operand(value)))
        return self._lower_leaf(value, kind)

    def _lower_int(self, value: int) -> Any:
        wide = is_wide(value) if self._native else not -MAX_SAFE <= value <= MAX_SAFE
        return self._note("int", say_int(value)) if wide else value

    def _lower_float(self, value: float) -> Any:
        if self._native or value - value == 0:
            return value
        return self._note("float", say_float(value))

    def _lower_leaf(self, value: Any, kind: type) -> Any:
        if kind is bytes:
            return value if self._native else self._note("bytes", say_bytes(value))
        if kind in SAY:
            tag, say = SAY[kind]
            return self._note(tag, say(value))
        return self._note("other", say_bytes(_store_other(value, self._codec)))

    def _lower_dict(self, source: dict[str, Any]) -> dict[str, Any]:
        if self._native and not is_rich(source) and not self._operators:
            return source
        made: dict[str, Any] | None = None
        for key, value in source.items():
            if type(key) is not str:
                raise TypeError(f"a key is a str, not a {type(key).__name__}")
            low = self.lower_at(key, value)
            if low is not value:
                made = dict(source) if made is None else made
                made[key] = low
        return source if made is None else made

    def _lower_list(self, source: list[Any] | tuple[Any, ...]) -> Any:
        if self._native and not is_rich(source):
            return source
        return [self.lower_at(index, value) for index, value in enumerate(source)]

    def lower_at(self, step: Step, value: Any) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        self._path.append(step)
        low = self.lower(value)
        self._path.pop()
        return low

    def lower_tree(self, changes: Changes) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, change in changes.items():
            self._path.append(key)
            made[key] = self._lower_change(change)
            self._path.pop()
        return made

    def _lower_change(self, change: Any) -> Any:
        kind = type(change)
        if kind is Modified:
            return ["m", self.lower_at(1, change.value)]
        if kind is Added:
            return ["a", self.lower_at(1, change.value)]
        if kind is Removed:
            return ["r"]
        if kind is Spliced:
            return ["s", change.start, len(change.removed), self.lower_at(3, change.inserted)]
        return self.lower_tree(change)

    def _note(self, tag: str, low: Any) -> Any:
        self.types.append((list(self._path), tag))
        return low


def _store_other(value: Any, codec: Codec | None) -> bytes:
    if type(value) is Other:
        return value.data
    if codec is None or not codec.accepts(value):
        raise TypeError(f"a {type(value).__qualname__} has no form on the wire")
    return codec.encode_state(make_dict({"": value}, None, True))


# -- reading -------------------------------------------------------------------------------------


def raise_value(
    plain: Any, types: Types, *, operators: bool = False, codec: Codec | None = None
) -> Any:
    """Return the value that was said; `plain` stays as it is. The inverse of `lower`.

    Write operators are read only with `operators`. A value of an application's own type is an
    `Other` without a codec. Raises `WireError`. O(size of `types`, and of the containers on them).

    >>> raise_value({"n": 1, "due": "2030-01-02"}, [(["due"], "date")])
    {'n': 1, 'due': datetime.date(2030, 1, 2)}
    """
    return _Raising(operators, codec).read(plain, _gather(types, plain)) if types else plain


class _Notes:
    """What is noted of a place and of those below it; a `path` has who has a tag."""

    __slots__ = ("inner", "leaf", "operator", "path")

    def __init__(self) -> None:
        self.path: list[Step] = []
        self.inner: dict[Step, _Notes] = {}
        self.leaf: str | None = None
        self.operator: str | None = None


def _gather(types: Types, plain: Any) -> _Notes:
    """Note each at its place, which is there: so there are no more notes than there are values."""
    root = _Notes()
    for path, tag in types:
        place = _walk(root, plain, path)
        place.path = path
        if tag in _READ_OPERATOR and place.operator is None:
            place.operator = tag
        elif tag in _TAGS and place.leaf is None:
            place.leaf = tag
        else:
            raise _refuse(path, f"no type, or one too many: {show(tag)}")
    return root


def _walk(place: _Notes, plain: Any, path: list[Step]) -> _Notes:
    for depth, step in enumerate(path):
        _check_step(plain, path, depth)
        plain = plain[step]
        inner = place.inner.get(step)
        if inner is None:
            inner = place.inner[step] = _Notes()
        place = inner
    return place


def _check_step(plain: Any, path: list[Step], depth: int) -> None:
    if not isinstance(plain, (dict, list)):
        kind = type(plain).__name__
        raise _refuse(path[:depth], f"a {kind}, with types of what is in it")
    if not _is_step(plain, path[depth]):
        raise _refuse(path[: depth + 1], "nothing is there, but types name it")


def _refuse(path: list[Step], problem: str) -> WireError:
    return WireError(f"at {show_path(tuple(path))}: {problem}")


class _Raising:
    __slots__ = ("_codec", "_operators")

    def __init__(self, operators: bool, codec: Codec | None) -> None:
        self._operators = operators
        self._codec = codec

    def read(self, plain: Any, notes: _Notes) -> Any:
        value = self._read_inside(plain, notes) if notes.inner else plain
        if notes.leaf is not None:
            value = self._read_leaf(value, notes.leaf, notes.path)
        if notes.operator is not None:
            value = self._read_operator(value, notes.operator, notes.path)
        return value

    def _read_inside(self, plain: Any, notes: _Notes) -> Any:
        made: Any = dict(plain) if isinstance(plain, dict) else list(plain)
        for step, inner in notes.inner.items():
            made[step] = self.read(made[step], inner)
        return made

    def _read_leaf(self, text: Any, tag: str, path: list[Step]) -> Any:
        if type(text) is not str:
            raise _refuse(path, f"{_name(tag)} is said as text, not as a {type(text).__name__}")
        try:
            return self._read_other(text) if tag == "other" else READ[tag](text)
        except UNREADABLE:
            raise _refuse(path, f"not {_name(tag)}: {show(text)}") from None

    def _read_other(self, text: str) -> Any:
        data = read_bytes(text)
        if self._codec is None:
            return Other(data)
        value = self._codec.decode_state(data)[""]
        if not self._codec.accepts(value):
            raise ValueError("not of an application's type")
        return value

    def _read_operator(self, value: Any, tag: str, path: list[Step]) -> Any:
        if not self._operators:
            raise _refuse(path, f"the write operator {tag} has no place here")
        if not path:
            raise _refuse(path, "a write operator stands at a key")
        kinds, make = _READ_OPERATOR[tag]
        if type(value) not in kinds and kinds:
            raise _refuse(path, f"{tag} cannot have a {type(value).__name__}")
        return make(value)


def _is_step(container: Any, step: Step) -> bool:
    if isinstance(container, dict):
        return type(step) is str and step in container
    return type(step) is int and 0 <= step < len(container)


def _name(tag: str) -> str:
    return f"an {tag}" if tag[0] in "aeiou" else f"a {tag}"


def raise_changes(
    tree: Any, types: Types, state: Mapping[str, Any], *, codec: Codec | None = None
) -> Changes:
    """Return the changes that a delta told of; what was there before is taken from `state`.

    Raises `DeltaMismatch` where they do not fit the state, `WireError` where they are no changes.

    >>> raise_changes({"a": ["m", 2], "b": ["a", 3]}, [], {"a": 1})
    {'a': Modified(old_value=1, value=2), 'b': Added(value=3)}
    """
    if not isinstance(tree, dict):
        raise WireError(f"changes are an object, not a {type(tree).__name__}")
    return _complete_tree(raise_value(tree, types, codec=codec), state, ())


def _complete_tree(tree: dict[str, Any], state: Any, path: tuple[str, ...]) -> Tree:
    if not isinstance(state, dict):
        raise DeltaMismatch(path, f"changed inside, but it is a {type(state).__name__}")
    made = Tree()
    for key, change in tree.items():
        here = (*path, key)
        if isinstance(change, dict):
            complete = _complete_tree(change, _known(state, key, here), here)
        else:
            complete = _complete(change, state, key, here)
        dict.__setitem__(made, key, complete)
    return made


def _complete(change: Any, state: dict[str, Any], key: str, path: tuple[str, ...]) -> Any:
    match change:
        case ["a", value]:
            return Added(adopt(value))
        case ["m", value]:
            return Modified(_known(state, key, path), adopt(value))
        case ["r"]:
            return Removed(_known(state, key, path))
        case ["s", int(start), int(removed), list(items)]:
            return _complete_splice(_known(state, key, path), start, removed, items, path)
        case _:
            raise WireError(f"at {show_path(path)}: no change: {show(change)}")


def _complete_splice(
    old: Any, start: int, removed: int, items: list[Any], path: tuple[str, ...]
) -> Spliced:
    if not isinstance(old, list) or not 0 <= start <= start + removed == len(old):
        raise DeltaMismatch(path, "spliced, but it is not a list of that length")
    return Spliced(start, adopt(old[start:]), adopt(items))


def _known(state: dict[str, Any], key: str, path: tuple[str, ...]) -> Any:
    if key not in state:
        raise DeltaMismatch(path, "changed, but there is nothing")
    return state[key]


_TAGS: Final = {*READ, "other"}
_SAY_OPERATOR: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    type(REMOVE): ("remove", lambda operator: None),
    Replace: ("replace", lambda operator: operator.value),
    Append: ("append", lambda operator: operator.items),
    Increment: ("increment", lambda operator: operator.by),
}
_READ_OPERATOR: Final[dict[str, tuple[tuple[type, ...], Callable[[Any], Any]]]] = {
    "remove": ((type(None),), lambda value: REMOVE),
    "replace": ((), Replace),
    "append": ((list,), Append),
    "increment": ((int, float, Decimal), Increment),
}
