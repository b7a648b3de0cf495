"""Read patches as HTTP knows them, and say what they ask of a context, as changes. Pure.

A list is told whole unless it only grew: the algebra of changes knows no edit inside of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from chord.changes import REMOVE, Added, Append, Changes, Modified, Removed, Replace, Spliced
from chord.codec import Codec
from chord.delta.difference import diff
from chord.errors import ChordError, InvalidState
from chord.position import is_digits
from chord.state import thaw
from chord.web.leaves import WireError, lower

COPIED: Final = 1024 * 1024
"""Bytes that one patch may copy, about: a few words could ask for more than there is memory."""

VALUE: Final = 10
"""Bytes that a value counts for when it is copied, beside its text and its keys'."""

Steps: TypeAlias = tuple[str, ...]
"""The reference tokens of a JSON Pointer (RFC 6901)."""


class PatchFailed(ChordError):
    """A JSON Patch does not fit the state: its operation of this number, counted from 0.

    A `test` found another value, or a path leads nowhere. It says nothing of what is there.
    """

    def __init__(self, number: int, path: str, problem: str) -> None:
        super().__init__(f"operation {number}: {problem} at {path[:200]!r}")
        self.number = number
        self.path = path


# -- merge patches (RFC 7396) --------------------------------------------------------------------


def read_merge_patch(patch: Any) -> dict[str, Any]:
    """Say a merge patch as a partial update, which fits any state.

    >>> read_merge_patch({"topic": None, "people": {"ana": {"typing": True}}})
    {'topic': REMOVE, 'people': {'ana': {'typing': True}}}

    Raises `WireError` where it is no object: what it would leave is no state.
    """
    if not isinstance(patch, dict):
        raise WireError("a merge patch of a state is an object")
    return {key: _read_member(value) for key, value in patch.items()}


def _read_member(value: Any) -> Any:
    if value is None:
        return REMOVE
    return read_merge_patch(value) if isinstance(value, dict) else value


# -- JSON Patches (RFC 6902) ---------------------------------------------------------------------


class Add(msgspec.Struct, tag_field="op", tag="add"):
    """Put a value where there may be none; in a list, in front of what is there."""

    path: str
    value: Any


class Put(msgspec.Struct, tag_field="op", tag="replace"):
    """Put a value in the place of one that is there."""

    path: str
    value: Any


class Expect(msgspec.Struct, tag_field="op", tag="test"):
    """Fail unless this value is there."""

    path: str
    value: Any


class Drop(msgspec.Struct, tag_field="op", tag="remove"):
    """Take a value away that is there."""

    path: str


class Move(msgspec.Struct, tag_field="op", tag="move", rename={"source": "from"}):
    """Take a value away, and add it elsewhere."""

    path: str
    source: str


class Copy(msgspec.Struct, tag_field="op", tag="copy", rename={"source": "from"}):
    """Add a value that is there elsewhere, too."""

    path: str
    source: str


Operation: TypeAlias = Add | Put | Expect | Drop | Move | Copy


class JsonPatch:
    """A JSON Patch, as a pure function from a state to the changes that it asks for.

    >>> patch = JsonPatch([{"op": "replace", "path": "/n", "value": 2}])
    >>> patch({"n": 1})
    {'n': 2}

    Making it raises `WireError` where it is no patch; calling it, `PatchFailed` where it does not
    fit the state, and `InvalidState` where it would leave something else than an object. The
    `codec` is what knows the application's own types, where a `test` meets one.
    """

    def __init__(self, operations: Any, *, codec: Codec | None = None) -> None:
        self._codec = codec
        try:
            self._operations = msgspec.convert(operations, list[Operation])
        except msgspec.ValidationError as error:
            raise WireError(f"not a JSON Patch: {error}") from None
        for number, operation in enumerate(self._operations):
            _check_operation(number, operation)

    def __call__(self, state: Mapping[str, Any]) -> dict[str, Any]:
        new = self.apply(state)
        if not isinstance(new, dict):
            raise InvalidState((), f"a state is a dict, not a {type(new).__name__}")
        return ask_for(diff(state, new), new)

    def apply(self, state: Any) -> Any:
        """Carry the operations out in order. The state given stays as it is, and parts are shared.

        O(size of the containers on the paths), each copied once, and of what is to be copied.
        """
        copying = _Copying()
        for number, operation in enumerate(self._operations):
            try:
                state = self._act(state, operation, copying)
            except _Misfit as misfit:
                raise PatchFailed(number, misfit.path, misfit.problem) from None
        return state

    def _act(self, state: Any, operation: Operation, copying: _Copying) -> Any:
        if isinstance(operation, Copy):
            return copying.carry_out(state, operation)
        if isinstance(operation, Expect):
            return _expect(state, operation, self._codec)
        return _ACTS[type(operation)](state, operation)

    def __repr__(self) -> str:
        return f"<JsonPatch of {len(self._operations)}>"


class _Misfit(Exception):
    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


def _check_operation(number: int, operation: Operation) -> None:
    try:
        steps = read_pointer(operation.path)
        source = read_pointer(getattr(operation, "source", ""))
    except ValueError as error:
        raise WireError(f"operation {number}: {error}") from None
    if type(operation) is Drop and not steps:
        raise WireError(f"operation {number}: a patch cannot remove the whole state")
    if type(operation) is Move and source != steps and steps[: len(source)] == source:
        raise WireError(f"operation {number}: a value cannot move into itself")


def read_pointer(pointer: str) -> Steps:
    """Read a JSON Pointer; raise `ValueError` where it is none.

    >>> read_pointer("/a~1b//~01")
    ('a/b', '', '~1')
    """
    if not pointer:
        return ()
    if pointer[0] != "/":
        raise ValueError(f"a path is empty or begins with a slash, not {pointer[:200]!r}")
    if pointer.count("~") != pointer.count("~0") + pointer.count("~1"):
        raise ValueError(f"in a path '~' is written '~0', not as in {pointer[:200]!r}")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))


# -- what the operations do ----------------------------------------------------------------------


def _add(state: Any, operation: Add) -> Any:
    return _insert(state, operation.path, operation.value)


def _replace(state: Any, operation: Put) -> Any:
    _find(state, operation.path)
    value = operation.value

    def put(node: Any, key: Any) -> None:
        node[key] = value

    return _edit(state, operation.path, put) if operation.path else value


def _remove(state: Any, operation: Drop) -> Any:
    return _take_out(state, operation.path)


def _move(state: Any, operation: Move) -> Any:
    value = _find(state, operation.source)
    if operation.source == operation.path:
        return state
    return _insert(_take_out(state, operation.source), operation.path, value)


class _Copying:
    """Copies what one patch wants to be copied, as long as there is room."""

    def __init__(self) -> None:
        self._room = COPIED

    def carry_out(self, state: Any, operation: Copy) -> Any:
        value = _find(state, operation.source)
        self._room -= _weigh(value, self._room)
        if self._room < 0:
            raise _Misfit(operation.path, "more to copy than a patch may")
        try:
            # copied indeed: a later operation may write one of the two in place
            return _insert(state, operation.path, thaw(value))
        except RecursionError:  # moves made it that deep
            raise _Misfit(operation.path, "nested too deep to copy") from None


def _weigh(value: Any, room: int) -> int:
    """About how many bytes a value takes, or any number beyond `room`. Does not recurse."""
    weight = 0
    waiting = [value]
    while waiting and weight <= room:
        inner = waiting.pop()
        weight += VALUE
        if isinstance(inner, dict):
            weight += sum(map(len, inner))
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)
        elif isinstance(inner, (str, bytes)):
            weight += len(inner)
    return weight


def _expect(state: Any, operation: Expect, codec: Codec | None) -> Any:
    if not _is_same(_find(state, operation.path), operation.value, codec):
        raise _Misfit(operation.path, "another value")
    return state


_ACTS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    Add: _add,
    Put: _replace,
    Drop: _remove,
    Move: _move,
}


class _OwnDict(dict[str, Any]):
    """A copy that this patch has made, and may write."""


class _OwnList(list[Any]):
    """A copy that this patch has made, and may write."""


def _insert(state: Any, path: str, value: Any) -> Any:
    def put(node: Any, key: Any) -> None:
        if isinstance(node, list):
            node.insert(key, value)
        else:
            node[key] = value

    return _edit(state, path, put) if path else value


def _take_out(state: Any, path: str) -> Any:
    def drop(node: Any, key: Any) -> None:
        del node[key]

    _find(state, path)
    return _edit(state, path, drop)


def _find(node: Any, path: str) -> Any:
    for step in read_pointer(path):
        node = node[_find_key(node, step, path)]
    return node


def _edit(state: Any, path: str, act: Callable[[Any, Any], None]) -> Any:
    """Do `act` to the last container on the path, and to copies of all that are on it."""
    *steps, last = read_pointer(path)
    root = node = _own(state)
    for step in steps:
        key = _find_key(node, step, path)
        inner = node[key] = _own(node[key])
        node = inner
    act(node, _find_key(node, last, path, new=True))
    return root


def _own(node: Any) -> Any:
    """A container that this patch made, or else a copy; what is none stays what it is."""
    if isinstance(node, (_OwnDict, _OwnList)):
        return node
    if isinstance(node, dict):
        return _OwnDict(node)
    return _OwnList(node) if isinstance(node, list) else node


def _find_key(node: Any, step: str, path: str, *, new: bool = False) -> Any:
    """The key or index that a step means in this container; a `new` one need not be there yet."""
    if isinstance(node, dict) and (new or step in node):
        return step
    if isinstance(node, list):
        if step == "-" and new:
            return len(node)
        if is_digits(step) and str(int(step)) == step and int(step) < len(node) + new:
            return int(step)
    raise _Misfit(path, "nothing")


_NUMBERS: Final = frozenset({int, float})


def _is_same(value: Any, wanted: Any, codec: Codec | None) -> bool:
    """Whether a value of a state is what a patch says: numbers by size, rich leaves by text."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(
            _is_same(inner, wanted[key], codec) for key, inner in value.items()
        )
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(
            _is_same(*pair, codec) for pair in zip(value, wanted, strict=True)
        )
    if type(value) in _NUMBERS and type(wanted) in _NUMBERS:
        return bool(value == wanted)
    if isinstance(value, (dict, list)) or _is_longer(value, wanted):
        return False
    plain, _ = lower(value, codec=codec)
    return type(plain) is type(wanted) and bool(plain == wanted)


def _is_longer(value: Any, wanted: Any) -> bool:
    """Whether bytes need not even be said as text to be told from what is wanted."""
    return type(value) is bytes and (type(wanted) is not str or len(value) > len(wanted))


# -- what is asked for ---------------------------------------------------------------------------


def ask_for(changes: Changes, new: Mapping[str, Any]) -> dict[str, Any]:
    """Say the changes that led to the state `new` as a partial update.

    >>> ask_for({"log": Spliced(1, [], ["b"]), "old": Removed(1)}, {"log": ["a", "b"]})
    {'log': Append(items=['b']), 'old': REMOVE}
    """
    return {key: _ask_for_one(change, new.get(key)) for key, change in changes.items()}


def _ask_for_one(change: Any, new: Any) -> Any:
    match change:
        case Removed():
            return REMOVE
        case Added() | Modified():
            return Replace(new) if isinstance(new, dict) else new
        case Spliced(_, removed, inserted):
            return new if removed else Append(inserted)
        case _:
            return ask_for(change, new)
