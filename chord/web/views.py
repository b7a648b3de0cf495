"""Hold `Views`: what each principal sees of a context, and what of it a principal may write.

A projection is the application's pure function. It is made once for each position and view key, and
the last ones are remembered, so that a client that comes back is told what changed in *its* view.
A view that did not change keeps the position at which it was first seen: what happens out of sight
does not show.

A write is put to the view first, and to the state then. If both come to the very same changes, it
touches only what is seen. Whatever it adds must be seen afterwards, and only what is seen can be
removed; so the answer is the same whether there is something hidden or not.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from chord.changes import Added, Changes, Remove
from chord.delta.difference import diff
from chord.delta.equality import MISSING, equal
from chord.delta.writing import update
from chord.errors import InvalidArgument, InvalidState
from chord.position import Position
from chord.records import Context
from chord.web.faults import Forbidden, HookFailed
from chord.web.gate import Hooks, Principal, key_of

State: TypeAlias = Mapping[str, Any]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@attrs.frozen(kw_only=True, eq=False)
class Sight:
    """What principals of one view key see; `position` is where it was first seen so.

    `changes` led to it from what was seen at `before`, where that is known.
    """

    key: Hashable
    tag: str
    position: Position
    view: State
    before: Position | None = None
    changes: Changes = attrs.field(factory=dict)

    @property
    def told(self) -> str:
        """Its position in public: whose view it is stands in it."""
        return write_position(self.position, self.tag)


@attrs.frozen
class Latest:
    """The newest position that was looked at, and what is seen there."""

    position: Position
    sight: Sight


class OutOfSight(Forbidden):
    """A write that touches what the principal does not see, whether it is there or not."""

    def __init__(self) -> None:
        super().__init__("not allowed to write this part of the context")


class Views:
    """Projects contexts, and remembers the last `limit` projections."""

    def __init__(self, hooks: Hooks, limit: int) -> None:
        self._hooks = hooks
        self._limit = limit
        self._tags: OrderedDict[Hashable, str] = OrderedDict()
        self._latest: OrderedDict[tuple[str, Hashable], Latest] = OrderedDict()
        self._sights: OrderedDict[tuple[str, Hashable, Position], Sight] = OrderedDict()
        self.projections = 0

    @property
    def projected(self) -> bool:
        """Whether anything is hidden from anyone."""
        return self._hooks.project is not None

    # -- looking ---------------------------------------------------------------------------------

    def look(self, principal: Principal, context: Context) -> Sight:
        """Return what the principal sees. Raises `HookFailed`, `Forbidden`. O(1) if remembered."""
        key = key_of(self._hooks, principal)
        spot = (context.context_id, key)
        latest = self._latest.get(spot)
        if latest is not None and latest.position == context.position:
            self._latest.move_to_end(spot)
            return latest.sight
        known = self._sights.get((*spot, context.position))
        if known is not None:
            return known
        sight = self._make(principal, key, context, latest)
        if latest is None or not _is_older(context.position, latest.position):
            self._put(self._latest, spot, Latest(context.position, sight))
        self.keep(context.context_id, sight)
        return sight

    def glance(self, principal: Principal, context_id: str, position: Position) -> Sight | None:
        """Return what is seen at `position`, or later in that life, if that was looked at."""
        latest = self._latest.get((context_id, key_of(self._hooks, principal)))
        if latest is None or latest.position.epoch != position.epoch:
            return None
        return None if _is_older(latest.position, position) else latest.sight

    def recall(self, context_id: str, key: Hashable, position: Position) -> Sight | None:
        """Return what was seen at a position, if that is remembered."""
        return self._sights.get((context_id, key, position))

    def is_same(self, context_id: str, position: Position, now: Sight) -> bool:
        """Whether what was seen at a position is what is seen now, as far as is remembered."""
        if position == now.position:
            return True
        old = self.recall(context_id, now.key, position)
        return old is not None and equal(old.view, now.view)

    def keep(self, context_id: str, sight: Sight) -> None:
        """Remember it for longer: somebody is there."""
        self._put(self._sights, (context_id, sight.key, sight.position), sight)

    def project(self, principal: Principal, state: State) -> State:
        """Return a state as the principal sees it. Raises `HookFailed`, `Forbidden`."""
        project = self._hooks.project
        if project is None:
            return state
        self.projections += 1
        try:
            view = project(state, principal)
        except PermissionError:
            raise Forbidden from None
        except Exception as error:
            raise HookFailed("project") from error
        if not isinstance(view, dict):
            kind = type(view).__name__
            raise HookFailed("project") from TypeError(f"a view is a dict, not a {kind}")
        return view

    def _make(
        self, principal: Principal, key: Hashable, context: Context, latest: Latest | None
    ) -> Sight:
        view = self.project(principal, context.state)
        before = changes = None
        if latest is not None and latest.position.epoch == context.position.epoch:
            before = latest.sight.position
            changes = diff(latest.sight.view, view)
            if not changes:
                return latest.sight
        return Sight(
            key=key,
            tag=self._tag(key),
            position=context.position,
            view=view,
            before=before,
            changes=changes or {},
        )

    def _tag(self, key: Hashable) -> str:
        """A word for a view key, which tells nothing of it, and is not told to another."""
        tag = self._tags.get(key) or secrets.token_hex(6)
        self._put(self._tags, key, tag)
        return tag

    def _put(self, memory: OrderedDict[K, V], key: K, value: V) -> None:
        memory[key] = value
        memory.move_to_end(key)
        if len(memory) > self._limit:
            memory.popitem(last=False)

    # -- positions in public ---------------------------------------------------------------------

    def tell(self, principal: Principal, position: Position) -> str:
        """Return a position as the principal is told it."""
        if not self.projected:
            return str(position)
        return write_position(position, self._tag(key_of(self._hooks, principal)))

    def read(self, principal: Principal, name: str, text: str) -> Position | None:
        """Read a position that a principal was told; None if it was told in another view.

        Raises `InvalidArgument` for what is no position; `name` says of which field.
        """
        words, mark, tag = text.partition("~")
        try:
            position = Position.parse(words)
        except ValueError:
            raise InvalidArgument(name, text, "a position, or null") from None
        if not self.projected:
            return None if mark else position
        return position if tag == self._tag(key_of(self._hooks, principal)) else None

    # -- writing ---------------------------------------------------------------------------------

    def check_write(self, principal: Principal, state: State, view: State, changes: State) -> None:
        """Raise `Forbidden` unless a partial update touches nothing but what is in the view.

        Raises `InvalidState` where it does not fit what is seen.
        """
        if not self.projected:
            return
        _, seen = update(view, changes)
        try:
            written, real = update(state, changes)
        except InvalidState:
            raise OutOfSight from None
        if not equal(seen, real) or _removes_unseen(view, changes):
            raise OutOfSight
        if not self._shows(principal, written, real):
            raise OutOfSight

    def check_creation(self, principal: Principal, state: State) -> None:
        """Raise `Forbidden` unless the principal would see all of a new state."""
        changes = {key: Added(value) for key, value in state.items()}
        if self.projected and not self._shows(principal, state, changes):
            raise OutOfSight

    def _shows(self, principal: Principal, state: State, changes: Changes) -> bool:
        """Whether all that was added would be seen. What cannot be projected is not."""
        try:
            return _shows(self.project(principal, state), changes)
        except (HookFailed, Forbidden):
            return False

    # -- in numbers ------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        return {"views": len(self._sights), "projections": self.projections}

    def check(self) -> None:
        """Assert every invariant."""
        for memory in (self._tags, self._latest, self._sights):
            assert len(memory) <= self._limit
        for (_, key), latest in self._latest.items():
            assert latest.sight.key == key
            assert latest.sight.position.epoch == latest.position.epoch
            assert latest.sight.position.version <= latest.position.version

    def __repr__(self) -> str:
        return f"<Views {len(self._sights)} of {self._limit}>"


def write_position(position: Position, tag: str | None) -> str:
    """Say a position in public; with a tag where it is one of a view.

    >>> write_position(Position("k3f9", 41), "a0")
    'k3f9:41~a0'
    """
    return str(position) if tag is None else f"{position}~{tag}"


def between(old: Sight, new: Sight) -> Changes:
    """Return what became of each key from one sight to another of the same key.

    O(1) where one follows the other.
    """
    if old is new:
        return {}
    return new.changes if new.before == old.position else diff(old.view, new.view)


def _is_older(position: Position, other: Position) -> bool:
    return position.epoch == other.epoch and position.version < other.version


def _removes_unseen(view: Any, changes: Any) -> bool:
    """Whether it removes a key that is not in the view, somewhere."""
    known: Callable[[str, Any], Any] = view.get if isinstance(view, dict) else _nothing
    return any(
        known(key, MISSING) is MISSING
        if type(change) is Remove
        else isinstance(change, dict) and _removes_unseen(known(key, None), change)
        for key, change in changes.items()
    )


def _nothing(key: str, otherwise: Any) -> Any:
    return otherwise


def _shows(view: Any, changes: Any) -> bool:
    """Whether all that was added is in the view, as it was added."""
    for key, change in changes.items():
        value = view.get(key, MISSING) if isinstance(view, dict) else MISSING
        if type(change) is Added:
            if value is MISSING or not equal(value, change.value):
                return False
        elif isinstance(change, dict) and not _shows(value, change):
            return False
    return True
