"""Test the chat that is mounted in an app of its own: over HTTP, and over a WebSocket."""

from __future__ import annotations

import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Scope

from tests.web.visitor import HOST, Visitor, knock, make_scope

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent
LOBBY = "/chord/contexts/lobby"


@pytest.fixture
def program() -> dict[str, Any]:
    """All that the example defines."""
    return runpy.run_path(str(ROOT / "examples" / "fastapi_chat.py"))


@pytest.fixture
async def app(program: dict[str, Any]) -> AsyncIterator[Any]:
    """The app of the example, as it begins."""
    async with program["run"](program["app"]):
        yield program["app"]


@pytest.fixture
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> httpx.AsyncClient:
    (await client.post("/login/ana")).raise_for_status()
    return client


async def say(client: httpx.AsyncClient, *words: Any) -> int:
    return (await client.post(f"{LOBBY}/calls/say", json=list(words))).status_code


def make_handshake(client: httpx.AsyncClient) -> Scope:
    scope = make_scope()
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = [*scope["headers"], (b"cookie", cookies.encode())]
    return {**scope, "path": "/chord/ws", "headers": headers}


async def test_who_is_not_logged_in_is_not_let_in(app: Any, client: httpx.AsyncClient) -> None:
    assert (await client.get(LOBBY)).status_code == 401
    async with knock(app, Visitor(), make_handshake(client)) as visitor:
        assert await visitor.hear_end() == 4401


async def test_what_one_says_is_said_in_ones_name(ana: httpx.AsyncClient) -> None:
    assert await say(ana, "hello") == 200
    assert (await ana.get(LOBBY)).json() == {"said": {"0": {"by": "ana", "text": "hello"}}}


async def test_nobody_writes_but_by_saying(ana: httpx.AsyncClient) -> None:
    forged = {"said": [{"by": "bo", "text": "I owe ana 5"}]}
    assert (await ana.put(LOBBY, json=forged)).status_code == 403
    assert await say(ana, {"by": "bo"}) == 403
    assert (await ana.get("/chord/contexts/vault")).status_code == 403
    assert (await ana.get(LOBBY)).json() == {"said": {}}


async def test_what_was_said_long_ago_is_forgotten(ana: httpx.AsyncClient) -> None:
    for number in range(202):
        await say(ana, f"{number}")
    said = (await ana.get(LOBBY)).json()["said"]
    assert sorted(map(int, said)) == list(range(2, 202))


async def test_a_name_is_short(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"/login/{'a' * 41}")).status_code == 422


async def test_who_logged_in_first_is_forgotten_first(program: dict[str, Any]) -> None:
    for number in range(program["KNOWN"] + 1):
        program["log_in"](f"{number}", Response())
    assert len(program["names"]) == program["KNOWN"]
    assert "0" not in program["names"].values()


async def test_who_watches_is_told(app: Any, ana: httpx.AsyncClient) -> None:
    async with knock(app, Visitor(), make_handshake(ana)) as visitor:
        await visitor.hear_only("hello")
        full = await visitor.ask("watch", context="lobby")
        await say(ana, "hello")
        delta = await visitor.hear_only("delta")
    assert full["state"] == {"said": {}}
    assert delta["changes"] == {"said": {"0": ["a", {"by": "ana", "text": "hello"}]}}


async def test_the_page_finds_its_script_and_the_door_its_description(
    client: httpx.AsyncClient,
) -> None:
    assert "/chord/chord.mjs" in (await client.get("/")).text
    assert (await client.get("/chord/chord.mjs")).status_code == 200
    described = (await client.get("/chord/openapi.json")).json()
    assert described["servers"] == [{"url": "/chord"}]
