"""Route requests by their path as it was sent: an id may have slashes, percent-encoded.

What decodes a path before it is split, as servers and routers do, can't tell those apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from chord.web.leaves import WireError
from chord.web.problems import NoSuchMethod, NoSuchPath, answer

Endpoint: TypeAlias = Callable[[Request], Awaitable[ASGIApp]]

_SEGMENTS: Final = "chord.segments"
"""Where a scope holds them, with the mount that they are below."""


def split_path(scope: Scope) -> list[str]:
    """Return the segments of the path below the mount, as they were sent.

    >>> split_path({"path": "/app/contexts/a/b", "root_path": "/app",
    ...             "raw_path": b"/app/contexts/a%2Fb"})
    ['contexts', 'a%2Fb']
    """
    here = _get_path_below(scope)
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path: str = raw.partition(b"?")[0].decode("latin-1")
    segments = path.split("/")[1:] if path.startswith("/") else []
    below = _find_below(segments, here)
    if below or path.endswith("/"):
        return below
    return _find_below(segments, here.removesuffix("/"))  # Litestar adds one to a mounted path


def _find_below(segments: list[str], here: str) -> list[str]:
    """The last segments, as far as they are the path `here`; none if they are not."""
    below = segments[_find_start(segments, len(here)) :]
    return below if _decode_loosely("".join(f"/{each}" for each in below)) == here else []


def _find_start(segments: list[str], length: int) -> int:
    """Where those begin that are as long as the path below, decoded, or longer. O(length)."""
    start = len(segments)
    while start > 0 and length > 0:
        start -= 1
        length -= 1 + len(_decode_loosely(segments[start]))
    return start


def _recall_segments(scope: Scope) -> list[str]:
    """As `split_path`, once for all routes of a mount."""
    root: str = scope.get("root_path", "")
    known: tuple[str, list[str]] | None = scope.get(_SEGMENTS)
    if known is None or known[0] != root:
        known = scope[_SEGMENTS] = (root, split_path(scope))
    return known[1]


def _get_path_below(scope: Scope) -> str:
    """The path without that of the mount; there are servers that leave the latter out at first."""
    path: str = scope["path"]
    root = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if path.startswith(f"{root}/") else path


def _decode_loosely(path: str) -> str:
    return unquote_to_bytes(path).decode(errors="replace")


def decode_segment(segment: str) -> str:
    """Decode a segment; raise `WireError` where it is not UTF-8."""
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise WireError("a path is percent-encoded UTF-8") from None


class PathRoute(BaseRoute):
    """All methods of one path, such as ``contexts/{id}/events``. It answers errors itself."""

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self.path = path
        self._pattern = path.split("/")
        reads = {"HEAD": endpoints["GET"]} if "GET" in endpoints else {}
        self._endpoints = {**endpoints, **reads, "OPTIONS": self._say_methods}
        self._allowed = ", ".join(sorted(self._endpoints))

    @property
    def methods(self) -> frozenset[str]:
        return frozenset(self._endpoints)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        segments = _recall_segments(scope)
        if len(segments) != len(self._pattern) or not all(map(_fits, self._pattern, segments)):
            return Match.NONE, {}
        return Match.FULL, {"path_params": dict(self._name(segments)), "endpoint": self}

    def _name(self, segments: list[str]) -> list[tuple[str, str]]:
        pairs = zip(self._pattern, segments, strict=True)
        return [(name[1:-1], segment) for name, segment in pairs if name.startswith("{")]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        try:
            params = request.path_params
            request.scope["path_params"] = {
                name: decode_segment(segment) for name, segment in params.items()
            }
            endpoint = self._endpoints.get(request.method)
            if endpoint is None:
                raise NoSuchMethod(self._allowed)
            return await endpoint(request)
        except Exception as error:
            return answer(error)

    async def _say_methods(self, request: Request) -> Response:
        return Response(status_code=204, headers={"Allow": self._allowed})

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)

    def __repr__(self) -> str:
        return f"<PathRoute {self.path} {self._allowed}>"


def _fits(name: str, segment: str) -> bool:
    return bool(segment) if name.startswith("{") else name == segment


class AnyPath(BaseRoute):
    """What no other route takes: there is nothing."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(NoSuchPath())(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)
