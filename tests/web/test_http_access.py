"""Test who may do what over plain HTTP, what is seen, and what faults are told as."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import Message

from chord import (
    BackendUnavailable,
    Chord,
    ChordClosed,
    DeadlineExceeded,
    ManualClock,
    OutcomeUnknown,
    Overloaded,
    OwnedElsewhere,
)
from chord.web.door import Door
from chord.web.limits import Limits
from tests.web.asking import (
    JSON,
    MERGE,
    PATCH,
    ROOM,
    STATE,
    browse,
    carry_out,
    is_problem,
    send,
)
from tests.web.cards import GAME, SECRET, make_door, read_name

pytestmark = pytest.mark.anyio


# -- who may do what -----------------------------------------------------------------------------

REQUESTS: list[tuple[str, str, str, Any, str]] = [
    ("list", "GET", "/contexts", b"", JSON),
    ("read", "GET", ROOM, b"", JSON),
    ("read", "GET", f"{ROOM}?since=a:1", b"", JSON),
    ("read", "GET", f"{ROOM}/events", b"", JSON),
    ("read", "HEAD", f"{ROOM}/events", b"", JSON),
    ("write", "PUT", ROOM, {"n": 1}, JSON),
    ("write", "PATCH", ROOM, {"n": 1}, MERGE),
    ("write", "PATCH", ROOM, [], PATCH),
    ("read", "PATCH", ROOM, [{"op": "test", "path": "/topic", "value": "standup"}], PATCH),
    ("delete", "DELETE", ROOM, b"", JSON),
    ("call", "POST", f"{ROOM}/calls/buy", [], JSON),
]


@pytest.mark.parametrize(("action", "method", "path", "body", "kind"), REQUESTS)
async def test_what_is_not_allowed_is_forbidden(
    chord: Chord, action: str, method: str, path: str, body: Any, kind: str
) -> None:
    def allow_others(principal: Any, asked: str, context_id: str) -> bool:
        return asked not in (action, "create")

    await chord.set_context("room/1", STATE)
    door = Door(chord, authenticate=read_name, authorize=allow_others, call=carry_out)
    async with browse(door, "ana") as client:
        answer = await send(client, method, path, body, kind)
    assert answer.status_code == 403
    assert method == "HEAD" or is_problem(answer, 403, "forbidden")
    assert (await chord.get_context("room/1")).state == STATE


@pytest.mark.parametrize(("action", "method", "path", "body", "kind"), REQUESTS)
async def test_nobody_is_let_in_unless_a_hook_knows_them(
    chord: Chord, action: str, method: str, path: str, body: Any, kind: str
) -> None:
    await chord.set_context("room/1", STATE)
    for door in (Door(chord), Door(chord, authenticate=read_name, authorize=lambda *said: True)):
        async with browse(door) as client:
            answer = await send(client, method, path, body, kind)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_pages_of_other_sites_are_turned_away(client: httpx.AsyncClient) -> None:
    answer = await client.get("/contexts", headers={"origin": "https://evil.example"})
    assert is_problem(answer, 403, "forbidden")
    own = await client.get("/contexts", headers={"origin": "http://door.test"})
    assert own.status_code == 200


async def test_pages_of_welcome_sites_may_read_the_answers(chord: Chord) -> None:
    welcome = "https://app.example"
    async with browse(Door(chord, open_to_all=True, origins=[welcome])) as client:
        answers = {
            origin: await client.get("/contexts", headers={"origin": origin})
            for origin in (welcome, "https://evil.example")
        }
        asked = {
            "origin": welcome,
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "content-type, if-match",
        }
        may_ask = await client.options(ROOM, headers=asked)
    allowed = {
        origin: answer.headers.get("access-control-allow-origin")
        for origin, answer in answers.items()
    }
    assert allowed == {welcome: welcome, "https://evil.example": None}
    assert answers[welcome].headers["access-control-allow-credentials"] == "true"
    assert may_ask.status_code == 200


async def test_pages_of_all_sites_may_read_without_cookies(chord: Chord) -> None:
    async with browse(Door(chord, open_to_all=True, origins="*")) as client:
        answer = await client.get("/contexts", headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_who_asks_too_often_is_told_to_wait(chord: Chord) -> None:
    clock = ManualClock()
    limits = Limits(rate=0.5, burst=2)
    door = Door(
        chord,
        authenticate=read_name,
        authorize=lambda *said: True,
        limits=limits,
        clock=clock,
    )
    async with browse(door, "ana") as ana, browse(door, "bo") as bo:
        statuses = [(await ana.get("/contexts")).status_code for _ in range(2)]
        refused = await ana.get("/contexts")
        assert statuses == [200, 200]
        assert is_problem(refused, 429, "rate-limited")
        assert refused.headers["retry-after"] == "2"
        assert (await bo.get("/contexts")).status_code == 200
        clock.advance(2)
        assert (await ana.get("/contexts")).status_code == 200


async def test_a_principal_has_so_many_requests_under_way(chord: Chord) -> None:
    waiting, go = asyncio.Event(), asyncio.Event()

    async def wait(principal: Any, action: str, context_id: str) -> bool:
        if principal == "ana":
            waiting.set()
            await go.wait()
        return True

    door = Door(chord, authenticate=read_name, authorize=wait, limits=Limits(max_pending=1))
    async with browse(door, "ana") as ana, browse(door, "bo") as bo:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ana.get("/contexts"))
            await waiting.wait()
            refused = await ana.get("/contexts")
            other = await bo.get("/contexts")
            go.set()
        assert is_problem(refused, 429, "too-many")
        assert refused.headers["retry-after"] == "1"
        statuses = (first.result().status_code, (await ana.get("/contexts")).status_code)
        assert (*statuses, other.status_code) == (200, 200, 200)


async def test_a_door_that_is_closed_answers_that(chord: Chord) -> None:
    door = Door(chord, open_to_all=True)
    door.close()
    async with browse(door) as client:
        for path in ("/contexts", f"{ROOM}/events"):
            assert is_problem(await client.get(path), 503, "closing")


async def test_who_goes_in_the_middle_of_a_body_is_no_fault(
    chord: Chord, caplog: pytest.LogCaptureFixture
) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def note(message: Message) -> None:
        told.append(message)

    told: list[Message] = []
    headers = [(b"content-type", JSON.encode())]
    scope = {"type": "http", "method": "PUT", "path": "/contexts/a", "query_string": b""}
    scope |= {"headers": headers, "root_path": ""}
    await Door(chord, open_to_all=True)(scope, receive, note)
    assert told[0]["status"] == 400
    assert not caplog.records


@pytest.mark.parametrize(
    ("origins", "policy"), [(None, "same-origin"), (["https://app.example"], None)]
)
async def test_answers_are_no_parts_of_other_pages(
    chord: Chord, origins: list[str] | None, policy: str | None
) -> None:
    async with browse(Door(chord, open_to_all=True, origins=origins)) as client:
        for path in ("/contexts", "/nowhere", "/chord.mjs"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers.get("cross-origin-resource-policy") == policy


async def test_a_hook_that_raises_is_a_fault_that_tells_nothing(chord: Chord) -> None:
    def fail(*said: Any) -> bool:
        raise RuntimeError(SECRET)

    async with browse(Door(chord, authenticate=read_name, authorize=fail), "ana") as client:
        answer = await client.get(ROOM)
    assert is_problem(answer, 500, "internal")
    assert SECRET not in answer.text


# -- views ---------------------------------------------------------------------------------------

HIDDEN = [
    {"op": "test", "path": "/deck/1", "value": SECRET},
    {"op": "test", "path": "/hands/bo/2", "value": SECRET},
    {"op": "remove", "path": "/deck"},
    {"op": "replace", "path": "/hands/bo/2", "value": "two"},
    {"op": "copy", "from": "/hands/bo/2", "path": "/hands/ana/2"},
    {"op": "move", "from": "/deck/0", "path": "/hands/ana/2"},
]


@pytest.mark.parametrize("operation", HIDDEN)
async def test_a_patch_of_what_is_hidden_answers_as_if_it_were_not_there(
    chord: Chord, operation: dict[str, Any]
) -> None:
    seen = {"table": GAME["table"], "hands": {"ana": GAME["hands"]["ana"]}}
    await chord.set_context("full", GAME)
    await chord.set_context("bare", seen)
    async with browse(make_door(chord), "ana") as client:
        full, bare = [
            await send(client, "PATCH", f"/contexts/{name}", [operation], PATCH)
            for name in ("full", "bare")
        ]
    assert is_problem(full, 409, "conflict")
    assert full.json() == bare.json()
    assert (await chord.get_context("full")).state == GAME


@pytest.mark.parametrize("value", [SECRET, "two"])
@pytest.mark.parametrize("card", ["2", "3"])
async def test_nothing_can_be_added_out_of_sight(chord: Chord, card: str, value: str) -> None:
    await chord.set_context("game", GAME)
    patch = [{"op": "add", "path": "/hands/bo", "value": {card: value}}]
    async with browse(make_door(chord), "ana") as client:
        answer = await send(client, "PATCH", "/contexts/game", patch, PATCH)
    assert is_problem(answer, 403, "forbidden")
    assert SECRET not in answer.text


async def test_a_view_is_read_and_written_and_its_tags_are_its_own(chord: Chord) -> None:
    await chord.set_context("game", GAME)
    door = make_door(chord)
    async with browse(door, "ana") as ana, browse(door, "bo") as bo:
        hers, his = await ana.get("/contexts/game"), await bo.get("/contexts/game")
        assert SECRET not in hers.text
        assert hers.headers["etag"] != his.headers["etag"]
        known = await ana.get("/contexts/game", headers={"if-none-match": his.headers["etag"]})
        assert known.status_code == 200
        patch = {"hands": {"ana": {"1": "nine"}}}
        tag = his.headers["etag"]
        assert (
            await send(ana, "PATCH", "/contexts/game", patch, MERGE, if_match=tag)
        ).status_code == 412
        tag = hers.headers["etag"]
        answer = await send(ana, "PATCH", "/contexts/game", patch, MERGE, if_match=tag)
        assert answer.status_code == 200
        mine = await ana.get("/contexts/game")
    assert mine.json()["hands"] == {"ana": {"1": "nine"}}
    assert mine.headers["etag"] == answer.headers["etag"]
    assert (await chord.get_context("game")).state["deck"] == GAME["deck"]


async def test_what_happens_out_of_sight_leaves_the_tag(chord: Chord) -> None:
    await chord.set_context("game", GAME)
    async with browse(make_door(chord), "ana") as ana:
        tag = (await ana.get("/contexts/game")).headers["etag"]
        await chord.update_context("game", {"deck": []})
        known = await ana.get("/contexts/game", headers={"if-none-match": tag})
        assert known.status_code == 304
        patch = {"hands": {"ana": {"1": "nine"}}}
        answer = await send(ana, "PATCH", "/contexts/game", patch, MERGE, if_match=tag)
        assert answer.status_code == 200


# -- what goes wrong below -----------------------------------------------------------------------


class Broken:
    """A runtime of which every call raises this."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def fail(*said: Any, **options: Any) -> Any:
            raise self._error

        return fail


@pytest.mark.parametrize(
    ("error", "status", "code", "applied", "after"),
    [
        (BackendUnavailable("redis://secret", "down"), 503, "unavailable", False, "1"),
        (ChordClosed("secret"), 503, "closing", False, "1"),
        (Overloaded("room/1", 2.5), 503, "overloaded", False, "3"),
        (OutcomeUnknown("redis://secret", "down"), 503, "unknown-outcome", None, "1"),
        (DeadlineExceeded("room/1"), 504, "deadline", False, None),
        (OwnedElsewhere("room/1", "b", "http://b.test"), 421, "owned-elsewhere", False, None),
        (RuntimeError("secret"), 500, "internal", None, None),
    ],
)
async def test_each_fault_has_its_status(
    error: Exception, status: int, code: str, applied: bool | None, after: str | None
) -> None:
    broken: Any = Broken(error)
    async with browse(Door(broken, open_to_all=True)) as client:
        answer = await send(client, "PUT", ROOM, STATE)
    assert is_problem(answer, status, code)
    assert answer.json()["applied"] is applied
    assert answer.headers.get("retry-after") == after
    assert "secret" not in answer.text
    if code == "owned-elsewhere":
        assert answer.json()["address"] == "http://b.test"
