"""Test who is let in, and who may do what, hook by hook."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from chord.errors import InvalidContextId
from chord.web.faults import Forbidden, HookFailed, Unauthenticated, WrongOrigin
from chord.web.gate import ANYONE, Gate, Hooks, Permit, key_of
from tests.web.visitor import HOST, make_scope

pytestmark = pytest.mark.anyio


def ring(origin: str | None = None, name: str | None = "ana") -> HTTPConnection:
    return HTTPConnection(make_scope(origin=origin, name=name))


def read_name(connection: HTTPConnection) -> str | None:
    return connection.headers.get("authorization")


# -- who it is -----------------------------------------------------------------------------------


async def test_without_a_hook_nobody_is_let_in() -> None:
    with pytest.raises(Unauthenticated):
        await Gate(Hooks()).admit(ring())


async def test_whoever_comes_is_anyone_where_it_is_open_to_all() -> None:
    assert await Gate(Hooks(), open_to_all=True).admit(ring()) is ANYONE


async def test_a_principal_is_what_the_hook_returns() -> None:
    assert await Gate(Hooks(authenticate=read_name)).admit(ring()) == "ana"


@pytest.mark.parametrize("nobody", [None, False, ""])
async def test_what_says_that_it_is_nobody_is_refused(nobody: Any) -> None:
    with pytest.raises(Unauthenticated):
        await Gate(Hooks(authenticate=lambda connection: nobody)).admit(ring())


async def test_zero_is_a_principal() -> None:
    assert await Gate(Hooks(authenticate=lambda connection: 0)).admit(ring()) == 0


async def test_the_hook_may_be_async() -> None:
    async def authenticate(connection: HTTPConnection) -> str:
        return "bo"

    assert await Gate(Hooks(authenticate=authenticate)).admit(ring()) == "bo"


async def test_the_hook_is_asked_where_it_is_open_to_all_too() -> None:
    gate = Gate(Hooks(authenticate=read_name), open_to_all=True)
    with pytest.raises(Unauthenticated):
        await gate.admit(ring(name=None))


async def test_a_permission_error_of_the_hook_is_a_no() -> None:
    def authenticate(connection: HTTPConnection) -> str:
        raise PermissionError("the secret reason")

    with pytest.raises(Forbidden) as caught:
        await Gate(Hooks(authenticate=authenticate)).admit(ring())
    assert "secret" not in str(caught.value)


async def test_what_else_the_hook_raises_is_the_cause() -> None:
    with pytest.raises(HookFailed) as caught:
        await Gate(Hooks(authenticate=lambda connection: 1 / 0)).admit(ring())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_a_hook_whose_work_is_cancelled_has_failed() -> None:
    async def authenticate(connection: HTTPConnection) -> str:
        raise asyncio.CancelledError

    with pytest.raises(HookFailed):
        await Gate(Hooks(authenticate=authenticate)).admit(ring())


async def test_who_is_cancelled_while_a_hook_works_is_cancelled() -> None:
    waits = asyncio.Event()

    async def authenticate(connection: HTTPConnection) -> str:
        waits.set()
        await asyncio.Event().wait()
        return "ana"

    admitting = asyncio.create_task(Gate(Hooks(authenticate=authenticate)).admit(ring()))
    await waits.wait()
    admitting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await admitting


async def test_a_principal_is_hashable() -> None:
    with pytest.raises(HookFailed):
        await Gate(Hooks(authenticate=lambda connection: {"name": "ana"})).admit(ring())


# -- where it comes from -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origins", "origin", "welcome"),
    [
        (None, None, True),
        (None, f"https://{HOST}", True),
        (None, f"HTTPS://{HOST.upper()}", True),
        (None, f"https://{HOST}.evil.test", False),
        (None, f"https://{HOST}:8443", False),
        (None, "null", False),
        (None, "https://[", False),
        (None, "", False),
        ([], f"https://{HOST}", False),
        ([], None, True),
        (["https://good.test"], "https://good.test", True),
        (["https://good.test/"], "https://GOOD.test", True),
        (["https://good.test"], "http://good.test", False),
        ("https://good.test", "https://good.test", True),
        (["*"], "https://evil.test", True),
        ("*", "null", True),
    ],
)
async def test_only_pages_of_welcome_sites_are_let_in(
    origins: Any, origin: str | None, welcome: bool
) -> None:
    assert Gate(Hooks(), origins=origins).welcomes(ring(origin)) is welcome


@pytest.mark.parametrize("headers", [[], [(b"host", b"")]])
async def test_no_page_is_of_a_host_that_has_no_name(headers: list[tuple[bytes, bytes]]) -> None:
    scope = {"type": "http", "headers": [*headers, (b"origin", b"null")]}
    assert not Gate(Hooks()).welcomes(HTTPConnection(scope))


async def test_who_comes_from_elsewhere_is_not_even_asked_for_a_name() -> None:
    asked: list[Any] = []
    gate = Gate(Hooks(authenticate=asked.append), open_to_all=True)
    with pytest.raises(WrongOrigin):
        await gate.admit(ring("https://evil.test"))
    assert not asked


# -- what it may ---------------------------------------------------------------------------------


async def test_without_a_hook_nobody_may_do_anything() -> None:
    with pytest.raises(Forbidden):
        await Gate(Hooks(authenticate=read_name)).permit("ana", "room:1", "read")


async def test_everybody_may_do_everything_where_it_is_open_to_all() -> None:
    permit = await Gate(Hooks(), open_to_all=True).permit("ana", "room:1", "write", "create")
    assert permit.may("write")
    assert permit.may("create")


async def test_the_hook_is_asked_for_each_action() -> None:
    hooks = Hooks(authorize=lambda principal, action, context_id: action == "write")
    permit = await Gate(hooks).permit("ana", "room:1", "write", "create")
    assert permit == Permit("ana", "room:1", frozenset({"write"}))


async def test_a_permission_error_of_authorize_is_a_no() -> None:
    async def authorize(principal: Any, action: Any, context_id: str) -> bool:
        raise PermissionError

    with pytest.raises(Forbidden):
        await Gate(Hooks(authorize=authorize)).permit("ana", "room:1", "read")


async def test_an_authorize_that_fails_is_no_yes() -> None:
    hooks = Hooks(authorize=lambda principal, action, context_id: 1 / 0 > 0)
    with pytest.raises(HookFailed):
        await Gate(hooks).permit("ana", "room:1", "read")


async def test_what_is_no_id_is_not_asked_about() -> None:
    with pytest.raises(InvalidContextId):
        await Gate(Hooks(), open_to_all=True).permit("ana", "", "read")


async def test_listing_is_asked_for_by_prefix() -> None:
    asked = []

    def authorize(*question: Any) -> bool:
        asked.append(question)
        return len(asked) == 1

    gate = Gate(Hooks(authorize=authorize))
    await gate.permit_list("ana", "room:")
    with pytest.raises(Forbidden):
        await gate.permit_list("ana", "")
    assert asked == [("ana", "list", "room:"), ("ana", "list", "")]


# -- what it sees --------------------------------------------------------------------------------


async def test_a_view_key_is_the_principal_unless_a_hook_says_another() -> None:
    assert key_of(Hooks(), "ana") == "ana"
    assert key_of(Hooks(view_key=len), "ana") == 3


@pytest.mark.parametrize("view_key", [lambda principal: 1 / 0, lambda principal: []])
async def test_a_view_key_that_is_none_is_a_fault(view_key: Any) -> None:
    with pytest.raises(HookFailed):
        key_of(Hooks(view_key=view_key), "ana")
