"""Test how contexts are patched over plain HTTP, and commands called."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from chord import (
    Chord,
)
from chord.web.door import Door
from tests.web.asking import (
    JSON,
    MERGE,
    PATCH,
    RICH,
    ROOM,
    STATE,
    browse,
    carry_out,
    is_problem,
    send,
)

pytestmark = pytest.mark.anyio


# -- patching ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (MERGE, {"topic": None, "people": {"bo": {"typing": True}}}),
        (
            PATCH,
            [
                {"op": "test", "path": "/topic", "value": "standup"},
                {"op": "remove", "path": "/topic"},
                {"op": "add", "path": "/people/bo", "value": {"typing": True}},
            ],
        ),
        (
            RICH,
            {
                "changes": {"topic": None, "people": {"bo": {"typing": True}}},
                "types": [[["topic"], "remove"]],
            },
        ),
    ],
)
async def test_a_state_is_patched(
    chord: Chord, client: httpx.AsyncClient, kind: str, patch: Any
) -> None:
    await chord.set_context("room/1", STATE)
    answer = await send(client, "PATCH", ROOM, patch, kind)
    assert (answer.status_code, answer.json()["changed"]) == (200, True)
    context = await chord.get_context("room/1")
    people = {"ana": {"typing": False}, "bo": {"typing": True}}
    assert context.state == {"people": people, "log": ["a"]}
    assert answer.headers["etag"] == f'"{context.position}"'


async def test_operators_and_a_state_to_begin_with_are_taken(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    body = {
        "changes": {"n": 1, "log": ["b"]},
        "types": [[["n"], "increment"], [["log"], "append"]],
        "create": {"n": "10"},
        "create_types": [[["n"], "decimal"]],
    }
    answers = [await send(client, "PATCH", ROOM, body, RICH) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    state = (await chord.get_context("room/1")).state
    assert state == {"n": Decimal(12), "log": ["b", "b"]}


@pytest.mark.parametrize(("kind", "patch"), [(MERGE, {"n": 2}), (PATCH, []), (RICH, {})])
async def test_what_is_not_there_is_not_patched(
    client: httpx.AsyncClient, kind: str, patch: Any
) -> None:
    body = {"changes": {"n": 2}} if kind == RICH else patch
    assert is_problem(await send(client, "PATCH", ROOM, body, kind), 404, "not-found")
    there = await send(client, "PATCH", ROOM, body, kind, if_match="*")
    assert is_problem(there, 412, "conflict")


@pytest.mark.parametrize(("kind", "patch"), [(MERGE, {"n": 2}), (PATCH, [])])
async def test_a_patch_is_put_only_where_it_is_expected(
    chord: Chord, client: httpx.AsyncClient, kind: str, patch: Any
) -> None:
    await chord.set_context("room/1", STATE)
    tag = (await client.get(ROOM)).headers["etag"]
    assert (await send(client, "PATCH", ROOM, patch, kind, if_match=tag)).status_code == 200
    await chord.update_context("room/1", {"n": 3})
    late = await send(client, "PATCH", ROOM, patch, kind, if_match=tag)
    assert is_problem(late, 412, "conflict")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/topic", "value": "retro"},
        {"op": "test", "path": "/none", "value": None},
        {"op": "remove", "path": "/none"},
    ],
)
async def test_a_patch_that_does_not_fit_is_a_conflict_and_writes_nothing(
    chord: Chord, client: httpx.AsyncClient, operation: dict[str, Any]
) -> None:
    await chord.set_context("room/1", STATE)
    patch = [{"op": "add", "path": "/n", "value": 1}, operation]
    assert is_problem(await send(client, "PATCH", ROOM, patch, PATCH), 409, "conflict")
    assert (await chord.get_context("room/1")).state == STATE


@pytest.mark.parametrize(
    ("kind", "patch", "status", "code"),
    [
        (MERGE, [], 400, "malformed"),
        (PATCH, {}, 400, "malformed"),
        (PATCH, [{"op": "destroy", "path": ""}], 400, "malformed"),
        (PATCH, [{"op": "replace", "path": "", "value": 1}], 400, "invalid"),
        (RICH, {"n": 1}, 400, "malformed"),
        (RICH, {"changes": {"topic": 1}, "types": [[["topic"], "increment"]]}, 400, "invalid"),
        (JSON, {"n": 1}, 415, "invalid"),
    ],
)
async def test_a_patch_that_is_none_is_refused(
    chord: Chord, client: httpx.AsyncClient, kind: str, patch: Any, status: int, code: str
) -> None:
    await chord.set_context("room/1", STATE)
    answer = await send(client, "PATCH", ROOM, patch, kind)
    assert is_problem(answer, status, code)
    taken = f"{MERGE}, {PATCH}, {RICH}"
    assert answer.headers.get("accept-patch") == (taken if status == 415 else None)


# -- calling -------------------------------------------------------------------------------------


async def call(chord: Chord, name: str, body: Any, kind: str = JSON) -> httpx.Response:
    async with browse(Door(chord, open_to_all=True, call=carry_out)) as client:
        return await send(client, "POST", f"{ROOM}/calls/{name}", body, kind)


async def test_a_command_is_called_with_its_arguments(chord: Chord) -> None:
    answer = await call(chord, "a%2Fb", [1, {"c": 2}])
    assert answer.json() == {"value": ["room/1", "a/b", 1, {"c": 2}]}


async def test_a_command_takes_and_returns_rich_leaves(chord: Chord) -> None:
    said = {"arguments": ["9.90"], "types": [[[0], "decimal"]]}
    answer = await call(chord, "buy", said, RICH)
    assert answer.json() == {"value": ["room/1", "buy", "9.90"], "types": [[[2], "decimal"]]}


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("forbid", [], 403, "forbidden"),
        ("fail", [], 500, "internal"),
        ("nonsense", [], 500, "internal"),
        ("buy", {}, 400, "malformed"),
    ],
)
async def test_a_call_that_fails_is_told_without_its_words(
    chord: Chord, name: str, body: Any, status: int, code: str
) -> None:
    answer = await call(chord, name, body)
    assert is_problem(answer, status, code)
    assert "secret" not in answer.text
    assert (answer.json()["applied"] is None) == (code == "internal")


async def test_calls_are_json_so_that_no_other_site_can_make_them(chord: Chord) -> None:
    assert is_problem(await call(chord, "buy", [], "text/plain"), 415, "invalid")


async def test_without_a_hook_there_are_no_calls(client: httpx.AsyncClient) -> None:
    answer = await send(client, "POST", f"{ROOM}/calls/buy", [])
    assert is_problem(answer, 404, "not-found")


async def test_a_key_is_refused_where_it_would_not_be_kept(client: httpx.AsyncClient) -> None:
    answer = await send(client, "POST", f"{ROOM}/calls/buy", [], idempotency_key="1")
    assert is_problem(answer, 400, "malformed")
