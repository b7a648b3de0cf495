"""Hold `Writing`: what principals change, each no more than it may, and than it sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Final, TypeAlias, TypeVar

import attrs

from chord.api import Chord
from chord.delta.difference import diff
from chord.delta.writing import update
from chord.errors import (
    ContextNotFound,
    InvalidArgument,
    InvalidState,
    VersionConflict,
    VersionGone,
)
from chord.position import Position
from chord.records import Commit, Context
from chord.requests import check_op_id
from chord.web.faults import Elsewhere, Forbidden, HookFailed
from chord.web.gate import Gate, Permit, Principal
from chord.web.patches import ask_for
from chord.web.views import Sight, State, Views

Expected: TypeAlias = str | int | None
"""Where a write expects the context: at a position, nowhere yet (0), or anywhere."""

T = TypeVar("T")

Ask: TypeAlias = Callable[[State], State]
"""What is to change, by what is seen: pure."""

TRIES: Final = 32
"""How often a write begins again because something happened meanwhile that it did not expect."""

NOWHERE: Final = Position("nowhere", 1)
"""A position that no context has: where it is expected, only what was done before passes."""


@attrs.frozen(kw_only=True)
class Receipt:
    """What a write came to. `position` is as the principal is told it, None where there is none."""

    position: str | None
    changed: bool
    created: bool = False


@attrs.frozen(kw_only=True)
class Wish:
    """A write with care: what is asked of what is seen, or the state to begin with."""

    permit: Permit
    ask: Ask
    begin: Callable[[], State] | None
    expected: Expected
    op_id: str | None
    timeout: float | None


class Writing:
    """Writes for principals. Raises what `Chord` does, `Forbidden`, and what the hooks cause.

    Whoever sees all, and may both write and create, writes straight to the runtime. Else the change
    is asked of what is seen, and checked, in the same turn in which it is written. An `op_id` is
    the principal's own. A conflict tells only who may read where the context is, as they see it.
    """

    def __init__(self, chord: Chord, views: Views, gate: Gate) -> None:
        self._chord = chord
        self._views = views
        self._gate = gate

    async def set(
        self,
        permit: Permit,
        state: State,
        *,
        expected: Expected = None,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Create the context, or lead what is seen of it to `state`; what is hidden stays.

        Needs ``"create"`` where there is none, else ``"write"``.
        """
        op_id = name_operation(permit.principal, op_id)
        if self._is_plain(permit, True):
            setting = self._chord.set_context(
                permit.context_id,
                state,
                expected=self._read_expected(permit, expected),
                op_id=op_id,
                timeout=timeout,
            )
            return await self._acknowledge(permit, setting)
        return await self._carry_out(
            Wish(
                permit=permit,
                ask=partial(_lead_to, state),
                begin=lambda: state,
                expected=expected,
                op_id=op_id,
                timeout=timeout,
            )
        )

    async def update(
        self,
        permit: Permit,
        changes: State,
        *,
        expected: Expected = None,
        op_id: str | None = None,
        create: State | None = None,
        ephemeral: bool = False,
        timeout: float | None = None,
    ) -> Receipt:
        """Change the context in part, as `Chord.update_context` does.

        Needs ``"write"``, and ``"create"`` where there is none.
        """
        op_id = name_operation(permit.principal, op_id)
        if self._is_plain(permit, create is not None):
            updating = self._chord.update_context(
                permit.context_id,
                changes,
                expected=self._read_expected(permit, expected),
                op_id=op_id,
                create=create,
                ephemeral=ephemeral,
                timeout=timeout,
            )
            return await self._acknowledge(permit, updating)
        return await self._carry_out(
            Wish(
                permit=permit,
                ask=lambda view: changes,
                begin=None if create is None else partial(_begin_with, create, changes),
                expected=expected,
                op_id=op_id,
                timeout=timeout,
            )
        )

    async def transform(
        self,
        permit: Permit,
        ask: Ask,
        *,
        expected: Expected = None,
        op_id: str | None = None,
        timeout: float | None = None,
    ) -> Receipt:
        """Change the context by what `ask` wants of what is seen. It is pure, and may be run again.

        Needs ``"write"``. Raises `ContextNotFound`, and what `ask` raises.
        """
        return await self._carry_out(
            Wish(
                permit=permit,
                ask=ask,
                begin=None,
                expected=expected,
                op_id=name_operation(permit.principal, op_id),
                timeout=timeout,
            )
        )

    async def delete(self, permit: Permit, *, expected: Expected = None) -> bool:
        """End this life of the context; return whether there was one. Needs ``"delete"``."""
        permit.require("delete")
        where = self._read_expected(permit, expected)
        if self._views.projected and isinstance(where, Position):
            return await self._veil(permit, self._delete_at(permit, where))
        deleting = self._chord.delete_context(permit.context_id, expected=where)
        return await self._veil(permit, deleting)

    # -- with care -------------------------------------------------------------------------------

    def _is_plain(self, permit: Permit, may_begin: bool) -> bool:
        """Whether nothing is to be checked that the runtime does not check."""
        if self._views.projected:
            return False
        return permit.may("write") and (not may_begin or permit.may("create"))

    async def _carry_out(self, wish: Wish) -> Receipt:
        try:
            return await self._acknowledge(wish.permit, self._find_way(wish))
        except InvalidState as error:
            if error.path or not self._views.projected:
                raise
            # how large the whole is, as the words for it may tell, is not for who sees a part
            raise InvalidState((), "it cannot be stored so") from None

    async def _find_way(self, wish: Wish) -> Commit:
        permit = wish.permit
        where = self._read_expected(permit, wish.expected)
        if isinstance(where, Position):
            permit.require("write")
            return await self._write_at(wish, where)
        if where == 0:
            permit.require("create")
            return await self._begin(wish)
        if wish.begin is None:
            permit.require("write")
            return await self._transform(wish)
        if not permit.may("write"):
            return await self._begin_only(wish)
        for _ in range(TRIES):
            try:
                return await self._transform(wish)
            except ContextNotFound:
                permit.require("create")
            try:
                return await self._begin(wish)
            except VersionConflict as error:  # somebody else began it just now
                conflict = error
        raise conflict

    async def _transform(self, wish: Wish) -> Commit:
        return await self._chord.transform_context(
            wish.permit.context_id,
            partial(self._ask, wish),
            op_id=wish.op_id,
            timeout=wish.timeout,
        )

    def _ask(self, wish: Wish, state: State) -> State:
        view = self._views.project(wish.permit.principal, state)
        changes = wish.ask(view)
        self._views.check_write(wish.permit.principal, state, view, changes)
        return changes

    async def _begin(self, wish: Wish) -> Commit:
        """Create the context, where there is none yet."""
        if wish.begin is None:
            raise ContextNotFound(wish.permit.context_id)
        state = wish.begin()
        self._views.check_creation(wish.permit.principal, state)
        return await self._chord.set_context(
            wish.permit.context_id, state, expected=0, op_id=wish.op_id, timeout=wish.timeout
        )

    async def _begin_only(self, wish: Wish) -> Commit:
        wish.permit.require("create")
        try:
            return await self._begin(wish)
        except VersionConflict:
            raise Forbidden("not allowed to write this context") from None

    async def _write_at(self, wish: Wish, where: Position) -> Commit:
        """Write where what is seen is what it was at a position, whatever happened unseen."""
        permit = wish.permit
        for _ in range(TRIES):
            context = await self._find(permit, wish.begin is not None, where)
            try:
                self._require_at(permit, context, where)
            except VersionConflict as conflict:
                return await self._repeat(wish, conflict)
            changes = self._ask(wish, context.state)
            try:
                return await self._chord.update_context(
                    permit.context_id,
                    changes,
                    expected=context.position,
                    op_id=wish.op_id,
                    timeout=wish.timeout,
                )
            except VersionConflict:
                continue
        raise VersionConflict(permit.context_id, None, context.position)

    async def _delete_at(self, permit: Permit, where: Position) -> bool:
        """Delete where what is seen is what it was at a position."""
        for _ in range(TRIES):
            try:
                context = await self._chord.get_context(permit.context_id)
            except ContextNotFound:
                return False
            self._require_at(permit, context, where)
            try:
                return await self._chord.delete_context(
                    permit.context_id, expected=context.position
                )
            except VersionConflict:
                continue
        raise VersionConflict(permit.context_id, None, context.position)

    async def _find(self, permit: Permit, may_begin: bool, where: Position) -> Context:
        try:
            return await self._chord.get_context(permit.context_id)
        except ContextNotFound:
            if may_begin:
                raise VersionConflict(permit.context_id, where, None) from None
            raise

    async def _repeat(self, wish: Wish, conflict: VersionConflict) -> Commit:
        """What the same operation came to before, if it was done before; else the conflict."""
        if wish.op_id is None:
            raise conflict
        try:
            return await self._chord.update_context(
                wish.permit.context_id, {}, expected=NOWHERE, op_id=wish.op_id, timeout=wish.timeout
            )
        except VersionConflict:
            raise conflict from None

    def _require_at(self, permit: Permit, context: Context, where: Position) -> None:
        """Raise `VersionConflict` unless what is seen is what was seen at `where`."""
        if not self._views.projected:
            if context.position != where:
                raise VersionConflict(permit.context_id, where, context.position)
            return
        # not by the position itself: who guesses it would learn what happens unseen
        now = self._views.look(permit.principal, context)
        if not self._views.is_same(permit.context_id, where, now):
            raise VersionConflict(permit.context_id, where, now.position)

    def _read_expected(self, permit: Permit, expected: Expected) -> Position | int | None:
        if expected is None or (type(expected) is int and expected == 0):
            return expected
        if not isinstance(expected, str):
            raise InvalidArgument("expected", expected, "a position, 0 or null")
        return self._views.read(permit.principal, "expected", expected) or NOWHERE

    # -- what is answered ------------------------------------------------------------------------

    async def _acknowledge(self, permit: Permit, writing: Awaitable[Commit]) -> Receipt:
        return self._receive(permit, await self._veil(permit, writing))

    async def _veil(self, permit: Permit, work: Awaitable[T]) -> T:
        """Carry it out; a conflict tells no more than the principal may know."""
        try:
            return await work
        except VersionConflict as conflict:
            raise await self._blur(permit, conflict) from None

    async def _blur(self, permit: Permit, conflict: VersionConflict) -> VersionConflict:
        if conflict.actual is None:
            return conflict
        hidden = Elsewhere(permit.context_id, conflict.expected, conflict.actual)
        if not await self._gate.allows(permit.principal, "read", permit.context_id):
            return hidden
        if not self._views.projected:
            return conflict
        try:
            context = await self._chord.get_context(permit.context_id)
            sight = self._views.look(permit.principal, context)
        except (ContextNotFound, HookFailed, Forbidden):
            return hidden
        return VersionConflict(permit.context_id, conflict.expected, sight.position)

    def _receive(self, permit: Permit, commit: Commit) -> Receipt:
        delta = commit.delta
        return Receipt(
            position=self._tell(permit, commit),
            changed=commit.changed,
            created=commit.changed and delta is not None and delta.from_version == 0,
        )

    def _tell(self, permit: Permit, commit: Commit) -> str:
        """Where the write led, as the principal is told it: it was done, whatever fails now."""
        if self._views.projected:
            try:
                sight: Sight = self._views.look(permit.principal, commit.context)
            except (VersionGone, HookFailed, Forbidden):
                pass
            else:
                return sight.told
        return self._views.tell(permit.principal, commit.position)

    def __repr__(self) -> str:
        return f"<Writing {self._chord!r}>"


def name_operation(principal: Principal, op_id: str | None) -> str | None:
    """Return the op id that the runtime is given: the same word of another is another operation.

    Raises `InvalidArgument` for what is no op id.

    >>> name_operation("ana", "1") == name_operation("bor", "1")
    False
    """
    check_op_id(op_id)
    if op_id is None:
        return None
    who = repr(principal)
    return sha256(f"{len(who)}:{who}{op_id}".encode(errors="surrogatepass")).hexdigest()


def _lead_to(state: State, view: State) -> State:
    return ask_for(diff(view, state), state)


def _begin_with(create: State, changes: State) -> State:
    return update(create, changes)[0]
