"""Hold how tests ask a door over plain HTTP, and what they look for in its answers."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx

JSON: Final = "application/json"
RICH: Final = "application/vnd.chord+json"
MERGE: Final = "application/merge-patch+json"
PATCH: Final = "application/json-patch+json"

ROOM: Final = "/contexts/room%2F1"
STATE: Final[dict[str, Any]] = {
    "topic": "standup",
    "people": {"ana": {"typing": False}},
    "log": ["a"],
}


def browse(door: Any, name: str | None = None) -> httpx.AsyncClient:
    """A client of a door; `name` is who it says it is."""
    headers = {} if name is None else {"authorization": name}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(door), base_url="http://door.test", headers=headers
    )


async def send(
    client: httpx.AsyncClient, method: str, path: str, body: Any, kind: str = JSON, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.request(
        method, path, content=content, headers={"content-type": kind, **named}
    )


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Whether it tells of this, in the form that each error has."""
    said = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (said["type"], said["status"]) == ("about:blank", answer.status_code)
    assert said["title"]
    assert said["detail"]
    assert said["applied"] in (False, None)
    return (answer.status_code, said["code"]) == (status, code)


async def carry_out(principal: Any, context_id: str, name: str, arguments: list[Any]) -> Any:
    """A hook for calls: it says what it was given, or fails as it is called."""
    if name == "fail":
        raise RuntimeError("a secret")
    if name == "forbid":
        raise PermissionError("a secret")
    return object() if name == "nonsense" else [context_id, name, *arguments]
