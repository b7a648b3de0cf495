"""Hold `Gate`: who is let in, and what they may do to a context. Who asks nothing decides nothing.

It is shut by default: where the application gave no hook, the answer is no, unless the door was
opened to all, as is right for development only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs
from starlette.requests import HTTPConnection

from chord.hooks import settle
from chord.requests import check_context_id
from chord.web.faults import Forbidden, HookFailed, Unauthenticated, WrongOrigin

Principal: TypeAlias = Hashable
"""Who asks: whatever `authenticate` returned."""

Action: TypeAlias = Literal["read", "write", "create", "delete", "list", "call"]

Authenticate: TypeAlias = Callable[[HTTPConnection], Awaitable[Any] | Any]
Authorize: TypeAlias = Callable[[Any, Action, str], Awaitable[bool] | bool]
Project: TypeAlias = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
ViewKey: TypeAlias = Callable[[Any], Hashable]
Call: TypeAlias = Callable[[Any, str, str, list[Any]], Awaitable[Any] | Any]


class Anyone:
    """The principal of who was not asked for a name, at a door that is open to all."""

    def __repr__(self) -> str:
        return "anyone"


ANYONE: Final = Anyone()


@attrs.frozen(kw_only=True)
class Hooks:
    """What an application decides. All but `project` and `view_key` may be sync or async.

    `authenticate(connection)` returns a principal, hashable, or refuses by None, False or ``""``.
    Its `repr` stays the same across restarts and processes: op ids are remembered by it.
    `authorize(principal, action, context_id)` says whether it may; for ``"list"`` the id is the
    prefix. `project(state, principal)` returns what it may see: it is pure, and principals of equal
    `view_key(principal)` see the same. `call(principal, context_id, name, arguments)` is for
    commands of the application's own. A `PermissionError` that one raises is a no.
    """

    authenticate: Authenticate | None = None
    authorize: Authorize | None = None
    project: Project | None = None
    view_key: ViewKey | None = None
    call: Call | None = None


@attrs.frozen
class Permit:
    """What a principal may do to a context, as it was decided a moment ago."""

    principal: Principal
    context_id: str
    actions: frozenset[Action]

    def may(self, action: Action) -> bool:
        return action in self.actions

    def require(self, *actions: Action) -> None:
        """Raise `Forbidden` unless it may do one of these.

        >>> Permit("ana", "room:1", frozenset({"read"})).require("write", "read")
        """
        if self.actions.isdisjoint(actions):
            raise Forbidden(f"not allowed to {actions[0]} this context")


class Gate:
    """Asks the application's hooks. `origins` are the sites whose pages are welcome.

    None: only those of the door's own host; ``"*"`` among them: all. Who says no origin is no
    browser, and passes.
    """

    def __init__(
        self, hooks: Hooks, *, origins: Collection[str] | None = None, open_to_all: bool = False
    ) -> None:
        self.hooks = hooks
        self._origins = None if origins is None else frozenset(map(_trim, _gather(origins)))
        self._open = open_to_all

    @property
    def origins(self) -> Collection[str] | None:
        """The sites whose pages are welcome, None where those of the door's own host are."""
        return self._origins

    async def admit(self, connection: HTTPConnection) -> Principal:
        """Return who it is. Raises `WrongOrigin`, `Unauthenticated`, `Forbidden`, `HookFailed`."""
        if not self.welcomes(connection):
            raise WrongOrigin
        authenticate = self.hooks.authenticate
        if authenticate is None:
            if self._open:
                return ANYONE
            raise Unauthenticated
        principal = await ask("authenticate", authenticate, connection)
        if principal is None or principal is False or principal == "":
            raise Unauthenticated
        return _check_hashable("authenticate", principal)

    def welcomes(self, connection: HTTPConnection) -> bool:
        """Whether it comes from a page of a welcome site, or from no browser."""
        origin = connection.headers.get("origin")
        if origin is None:
            return True
        if self._origins is None:
            host = connection.headers.get("host", "").lower()
            return host != "" and _host_of(origin) == host
        return "*" in self._origins or _trim(origin) in self._origins

    async def allows(self, principal: Principal, action: Action, context_id: str) -> bool:
        """Whether the principal may do this, asked now. Raises `HookFailed`."""
        authorize = self.hooks.authorize
        if authorize is None:
            return self._open
        try:
            return bool(await ask("authorize", authorize, principal, action, context_id))
        except Forbidden:
            return False

    async def permit(self, principal: Principal, context_id: str, *actions: Action) -> Permit:
        """Return which of these it may do; raise `Forbidden` where it is none.

        Raises `InvalidContextId` and `HookFailed`, too.
        """
        check_context_id(context_id)
        allowed = [each for each in actions if await self.allows(principal, each, context_id)]
        permit = Permit(principal, context_id, frozenset(allowed))
        permit.require(*actions)
        return permit

    async def permit_list(self, principal: Principal, prefix: str) -> None:
        """Raise `Forbidden` unless the principal may list contexts of this prefix."""
        if not await self.allows(principal, "list", prefix):
            raise Forbidden("not allowed to list these contexts")

    def __repr__(self) -> str:
        return f"<Gate{' open to all' if self._open else ''} {self.hooks}>"


async def consult(hook: Callable[..., Any], *arguments: Any) -> Any:
    """Call a hook, sync or async. Where what it waits for is cancelled, that is its failure."""
    try:
        return await settle(hook(*arguments))
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # we are cancelled, not what the hook waits for
        raise RuntimeError("what it waited for was cancelled") from error


async def ask(name: str, hook: Callable[..., Any], *arguments: Any) -> Any:
    """Call a hook. Raises `Forbidden` for its `PermissionError`, `HookFailed` for all else."""
    try:
        return await consult(hook, *arguments)
    except PermissionError:
        raise Forbidden from None
    except Exception as error:
        raise HookFailed(name) from error


def key_of(hooks: Hooks, principal: Principal) -> Hashable:
    """Return the view key of a principal: which others see the same. Raises `HookFailed`."""
    if hooks.view_key is None:
        return principal
    try:
        return _check_hashable("view_key", hooks.view_key(principal))
    except HookFailed:
        raise
    except Exception as error:
        raise HookFailed("view_key") from error


def _check_hashable(hook: str, value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError as error:
        raise HookFailed(hook) from error
    key: Hashable = value
    return key


def _gather(origins: Collection[str]) -> Collection[str]:
    return [origins] if isinstance(origins, str) else origins


def _trim(origin: str) -> str:
    return origin.rstrip("/").lower()


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
