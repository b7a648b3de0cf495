"""Test how contexts are put and deleted over plain HTTP, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from chord import (
    Chord,
)
from chord.web.door import Door
from chord.web.limits import Limits
from tests.web.asking import (
    JSON,
    MERGE,
    PATCH,
    RICH,
    ROOM,
    STATE,
    browse,
    is_problem,
    send,
)

pytestmark = pytest.mark.anyio

LEAVES = {"price": Decimal("9.90"), "due": [date(2030, 1, 2)], "n": 2**60}


# -- putting -------------------------------------------------------------------------------------


async def test_a_context_is_created_then_replaced_then_left(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    answers = [await send(client, "PUT", ROOM, state) for state in (STATE, {"n": 1}, {"n": 1})]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json()["changed"] for answer in answers] == [True, True, False]
    context = await chord.get_context("room/1")
    assert context.state == {"n": 1}
    assert answers[-1].json()["position"] == str(context.position)
    assert answers[-1].headers["etag"] == f'"{context.position}"'


async def test_rich_leaves_are_put_with_their_types(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    await chord.set_context("first", LEAVES)
    said = await client.get("/contexts/first", headers={"accept": RICH})
    assert (await send(client, "PUT", ROOM, said.content, RICH)).status_code == 201
    assert (await chord.get_context("room/1")).state == LEAVES


async def test_only_where_it_is_expected_it_is_replaced(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    await chord.set_context("room/1", STATE)
    tag = (await client.get(ROOM)).headers["etag"]
    assert (await send(client, "PUT", ROOM, {"n": 1}, if_match=tag)).status_code == 200
    late = await send(client, "PUT", ROOM, {"n": 2}, if_match=tag)
    assert is_problem(late, 412, "conflict")
    assert late.json()["actual"] == str((await chord.get_context("room/1")).position)


async def test_it_is_created_only_where_there_is_none(client: httpx.AsyncClient) -> None:
    answers = [await send(client, "PUT", ROOM, {}, if_none_match="*") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 412]


async def test_it_is_replaced_only_where_there_is_one(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    missing = await send(client, "PUT", ROOM, {"n": 1}, if_match="*")
    assert is_problem(missing, 412, "conflict")
    await chord.set_context("room/1", STATE)
    assert (await send(client, "PUT", ROOM, {"n": 1}, if_match="*")).status_code == 200
    assert (await chord.get_context("room/1")).state == {"n": 1}


@pytest.mark.parametrize("name", ["click-81", '"click-81"'])
async def test_what_has_a_key_is_done_once(
    chord: Chord, client: httpx.AsyncClient, name: str
) -> None:
    await chord.set_context("room/1", {"log": []})
    patch = [{"op": "add", "path": "/log/-", "value": "click"}]
    answers = [
        await send(client, "PATCH", ROOM, patch, PATCH, idempotency_key=name) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert (await chord.get_context("room/1")).state == {"log": ["click"]}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", JSON, 400, "malformed"),
        (b"", JSON, 400, "malformed"),
        (b"\xff", JSON, 400, "malformed"),
        (b'{"a":1,"a":2}', JSON, 400, "malformed"),
        (b'{"a":NaN}', JSON, 400, "malformed"),
        (b'{"a":"\\ud800"}', JSON, 400, "malformed"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", JSON, 400, "malformed"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, 400, "malformed"),
        ([], JSON, 400, "malformed"),
        (None, JSON, 400, "malformed"),
        (STATE, RICH, 400, "malformed"),
        ({"state": {}, "more": 1}, RICH, 400, "malformed"),
        ({"state": {"a": "x"}, "types": [[["a"], "decimal"]]}, RICH, 400, "malformed"),
        ({"state": {}, "types": [[["a"], "date"]]}, RICH, 400, "malformed"),
        ({"state": {"a": None}, "types": [[["a"], "remove"]]}, RICH, 400, "malformed"),
        (STATE, "text/plain", 415, "invalid"),
        (STATE, MERGE, 415, "invalid"),
        (STATE, "", 415, "invalid"),
        (STATE, f"{JSON}; charset=latin-1", 415, "invalid"),
        (b'"' + b"a" * 2000 + b'"', JSON, 413, "too-large"),
    ],
)
async def test_a_body_that_is_no_state_is_refused(
    chord: Chord, body: Any, kind: str, status: int, code: str
) -> None:
    large = 1_000_000 if isinstance(body, bytes) and b"[" * 99 in body else 2000
    door = Door(chord, open_to_all=True, limits=Limits(max_message=large))
    async with browse(door) as client:
        assert is_problem(await send(client, "PUT", ROOM, body, kind), status, code)
    assert await chord.list_contexts() == []


async def test_a_body_that_grows_too_large_is_not_read_to_its_end(chord: Chord) -> None:
    sent = []

    async def send_on() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b"a" * 1000

    async with browse(Door(chord, open_to_all=True, limits=Limits(max_message=2000))) as client:
        answer = await client.put(ROOM, content=send_on(), headers={"content-type": JSON})
    assert is_problem(answer, 413, "too-large")
    assert len(sent) < 10


@pytest.mark.parametrize("kind", [f"{JSON}; charset=utf-8", f'{JSON.upper()};charset="UTF-8"'])
async def test_json_may_say_that_it_is_utf_8(client: httpx.AsyncClient, kind: str) -> None:
    assert (await send(client, "PUT", ROOM, STATE, kind)).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"if_match": "a:1"},
        {"if_match": '"a:1", "a:2"'},
        {"if_none_match": '"a:1"'},
        {"if_match": "*", "if_none_match": "*"},
    ],
)
async def test_a_condition_that_cannot_be_held_is_malformed(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert is_problem(await send(client, "PUT", ROOM, STATE, **headers), 400, "malformed")


# -- deleting ------------------------------------------------------------------------------------


async def test_a_context_is_deleted_once(chord: Chord, client: httpx.AsyncClient) -> None:
    await chord.set_context("room/1", STATE)
    gone = await client.delete(ROOM)
    assert (gone.status_code, gone.content) == (204, b"")
    assert is_problem(await client.delete(ROOM), 404, "not-found")
    missing = await client.delete(ROOM, headers={"if-match": "*"})
    assert is_problem(missing, 412, "conflict")


async def test_a_delete_takes_no_key(chord: Chord, client: httpx.AsyncClient) -> None:
    await chord.set_context("room/1", STATE)
    answer = await client.delete(ROOM, headers={"idempotency-key": "k"})
    assert is_problem(answer, 400, "malformed")
    assert (await chord.get_context("room/1")).state == STATE


async def test_only_where_it_is_expected_it_is_deleted(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    await chord.set_context("room/1", STATE)
    tag = (await client.get(ROOM)).headers["etag"]
    await chord.update_context("room/1", {"n": 1})
    late = await client.delete(ROOM, headers={"if-match": tag})
    assert is_problem(late, 412, "conflict")
    now = (await client.get(ROOM)).headers["etag"]
    assert (await client.delete(ROOM, headers={"if-match": now})).status_code == 204
