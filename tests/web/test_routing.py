"""Test that requests are told apart by their path as it was sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Router
from starlette.types import ASGIApp

from chord.web.routing import AnyPath, PathRoute, split_path

pytestmark = pytest.mark.anyio


async def tell(request: Request) -> Response:
    return PlainTextResponse(repr(sorted(request.path_params.items())))


async def fail(request: Request) -> Response:
    raise RuntimeError("a secret")


ROUTER = Router(
    routes=[
        PathRoute("things", {"GET": tell}),
        PathRoute("things/{id}", {"GET": tell, "PUT": fail}),
        PathRoute("things/{id}/parts/{part}", {"GET": tell}),
        AnyPath(),
    ]
)
APPS: dict[str, ASGIApp] = {
    "": ROUTER,
    "/app": Starlette(routes=[Mount("/app", ROUTER)]),
    "/a b/c": Starlette(routes=[Mount("/a b", Starlette(routes=[Mount("/c", ROUTER)]))]),
}


async def ask(path: str, method: str = "GET", mount: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(APPS[mount])
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        return await client.request(method, mount + path)


@pytest.mark.parametrize("mount", APPS)
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/things", []),
        ("/things/a", [("id", "a")]),
        ("/things/a%2Fb", [("id", "a/b")]),
        ("/things/a%2fparts%2Fb", [("id", "a/parts/b")]),
        ("/things/%C3%A9%20%25/parts/%2F", [("id", "é %"), ("part", "/")]),
        ("/things/a?b=c/d", [("id", "a")]),
        ("/things/%2E%2E", [("id", "..")]),
    ],
)
async def test_slashes_that_are_encoded_are_of_the_id(
    path: str, found: list[tuple[str, str]], mount: str
) -> None:
    answer = await ask(path, mount=mount)
    assert (answer.status_code, answer.text) == (200, repr(found))


@pytest.mark.parametrize("mount", APPS)
@pytest.mark.parametrize("path", ["/", "/things/", "/things/a/b", "/things/a/parts/", "/thing"])
async def test_any_other_path_is_not_found(path: str, mount: str) -> None:
    answer = await ask(path, mount=mount)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_path_that_is_no_text_is_malformed() -> None:
    answer = await ask("/things/%FF")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_another_method_is_refused_with_those_there_are() -> None:
    answer = await ask("/things/a", "POST")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
    assert answer.json()["applied"] is False


async def test_options_are_the_methods_of_the_path() -> None:
    answer = await ask("/things", "OPTIONS")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_what_an_endpoint_raises_is_told_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await ask("/things/a", "PUT")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "a secret" not in answer.text
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("scope", "segments"),
    [
        ({"path": "/things/a/b", "raw_path": b"/things/a%2Fb"}, ["things", "a%2Fb"]),
        ({"path": "/m/things/a", "root_path": "/m", "raw_path": b"/m/things/a"}, ["things", "a"]),
        ({"path": "/things/a", "root_path": "/m", "raw_path": b"/things/a"}, ["things", "a"]),
        ({"path": "/things/a", "root_path": "/m", "raw_path": b"/m/things/a"}, ["things", "a"]),
        ({"path": "/things/a b"}, ["things", "a%20b"]),
        ({"path": "/m/m/a", "root_path": "/m", "raw_path": b"/m/m/a"}, ["m", "a"]),
        ({"path": "/m", "root_path": "/m", "raw_path": b"/m"}, ["m"]),
    ],
)
def test_the_path_below_a_mount_is_found_whatever_the_server_says_of_it(
    scope: dict[str, Any], segments: list[str]
) -> None:
    assert split_path(scope) == segments


@pytest.mark.parametrize(
    ("path", "raw", "segments"),
    [
        ("/contexts/room:1/", b"/app/contexts/room%3A1", ["contexts", "room%3A1"]),
        ("/contexts/a/", b"/app/contexts/a%2F", ["contexts", "a%2F"]),
        ("/contexts/a/b/", b"/app/contexts/a%2Fb", ["contexts", "a%2Fb"]),
        ("/contexts/a/", b"/app/contexts/a/", ["contexts", "a", ""]),
    ],
)
def test_a_slash_that_nobody_sent_is_not_in_the_path(
    path: str, raw: bytes, segments: list[str]
) -> None:
    assert split_path({"path": path, "root_path": "", "raw_path": raw}) == segments


@pytest.mark.parametrize("raw", [b"http://door/things", b"things", b"*"])
def test_what_does_not_begin_with_a_slash_is_no_path(raw: bytes) -> None:
    assert split_path({"path": raw.decode(), "raw_path": raw}) == []


@pytest.mark.parametrize("root", ["", "/app"])
def test_a_path_of_many_slashes_is_decoded_twice_at_the_most(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []

    def decode(path: str) -> bytes:
        decoded.append(path)
        return unquote_to_bytes(path)

    monkeypatch.setattr("chord.web.routing.unquote_to_bytes", decode)
    path = f"{root}/" + "/" * 2000
    raw = path.replace("app/", "app%2F").encode()
    assert split_path({"path": path, "root_path": root, "raw_path": raw}) in ([], [""] * 2001)
    assert len("".join(decoded)) <= 2 * len(raw)


def test_a_path_is_split_once_for_all_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, Any] = {"type": "http", "path": "/m/things", "raw_path": b"/m/things"}
    assert ROUTER.routes[0].matches(scope)[0] is Match.NONE
    with monkeypatch.context() as patched:
        patched.setattr("chord.web.routing.split_path", lambda scope: pytest.fail("split again"))
        assert ROUTER.routes[1].matches(scope)[0] is Match.NONE
    scope["root_path"] = "/m"
    assert ROUTER.routes[0].matches(scope)[0] is Match.FULL


def test_a_route_is_for_http_only() -> None:
    scope = {"type": "websocket", "path": "/things", "raw_path": b"/things"}
    assert [route.matches(scope)[0] for route in ROUTER.routes] == [Match.NONE] * 4
