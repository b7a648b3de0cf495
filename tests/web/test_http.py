"""Test what is read of a door over plain HTTP."""

from __future__ import annotations

from datetime import date
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
    RICH,
    ROOM,
    STATE,
    browse,
    carry_out,
    is_problem,
    send,
)
from tests.web.cards import read_name

pytestmark = pytest.mark.anyio

LEAVES = {"price": Decimal("9.90"), "due": [date(2030, 1, 2)], "n": 2**60}


# -- reading -------------------------------------------------------------------------------------


async def test_a_state_is_read_with_its_position(chord: Chord, client: httpx.AsyncClient) -> None:
    commit = await chord.set_context("room/1", STATE)
    answer = await client.get(ROOM)
    assert (answer.status_code, answer.json()) == (200, STATE)
    assert answer.headers["etag"] == f'"{commit.position}"'
    assert answer.headers["content-type"] == JSON


@pytest.mark.parametrize("context_id", ["a/b", "é~%/..", "?#&", " ", "a/events", "\U0001f600"])
async def test_an_id_may_be_any_text(client: httpx.AsyncClient, context_id: str) -> None:
    path = "/contexts/" + "".join(f"%{byte:02x}" for byte in context_id.encode())
    assert (await send(client, "PUT", path, STATE)).status_code == 201
    assert (await client.get(path)).json() == STATE
    (found,) = (await client.get("/contexts")).json()["contexts"]
    assert found["context"] == context_id


async def test_who_knows_the_position_is_told_nothing(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    await chord.set_context("room/1", STATE)
    tag = (await client.get(ROOM)).headers["etag"]
    known = await client.get(ROOM, headers={"if-none-match": f"W/{tag}"})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    await chord.update_context("room/1", {"n": 1})
    assert (await client.get(ROOM, headers={"if-none-match": tag})).status_code == 200


async def test_rich_leaves_are_text_in_plain_json(chord: Chord, client: httpx.AsyncClient) -> None:
    await chord.set_context("room/1", LEAVES)
    said = (await client.get(ROOM)).json()
    assert said == {"price": "9.90", "due": ["2030-01-02"], "n": str(2**60)}


@pytest.mark.parametrize("accept", [RICH, f"text/html, {RICH.upper()};q=0.5", f"{JSON}, {RICH}"])
async def test_who_names_the_rich_type_is_told_the_types(
    chord: Chord, client: httpx.AsyncClient, accept: str
) -> None:
    await chord.set_context("room/1", LEAVES)
    answer = await client.get(ROOM, headers={"accept": accept})
    assert answer.headers["content-type"] == RICH
    types = [[["price"], "decimal"], [["due", 0], "date"], [["n"], "int"]]
    assert answer.json()["types"] == types


async def test_each_media_type_has_a_tag_of_its_own(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    await chord.set_context("room/1", LEAVES)
    plain = (await client.get(ROOM)).headers["etag"]
    rich = (await client.get(ROOM, headers={"accept": RICH})).headers["etag"]
    statuses = [
        (await client.get(ROOM, headers={"accept": RICH, "if-none-match": tag})).status_code
        for tag in (plain, rich)
    ]
    assert statuses == [200, 304]
    assert (await send(client, "PUT", ROOM, {}, if_match=rich)).status_code == 200


@pytest.mark.parametrize("accept", [f"{RICH};q=0", "*/*", "application/*", f"{RICH}; q=0.00"])
async def test_who_does_not_name_the_rich_type_gets_plain_json(
    chord: Chord, client: httpx.AsyncClient, accept: str
) -> None:
    await chord.set_context("room/1", LEAVES)
    assert (await client.get(ROOM, headers={"accept": accept})).headers["content-type"] == JSON


async def test_what_is_lacking_since_a_position_is_told(
    chord: Chord, client: httpx.AsyncClient
) -> None:
    first = (await chord.set_context("room/1", STATE)).position
    last = (await chord.update_context("room/1", {"topic": "retro"})).position
    answer = await client.get(ROOM, params={"since": str(first)})
    assert answer.json() == {
        "type": "delta",
        "context": "room/1",
        "from": str(first),
        "position": str(last),
        "changes": {"topic": ["m", "retro"]},
    }
    assert answer.headers["etag"] == f'"{last}"'
    current = await client.get(ROOM, params={"since": str(last)})
    assert current.json() == {"type": "current", "context": "room/1", "position": str(last)}
    full = await client.get(ROOM, params={"since": "another:1"})
    assert (full.json()["type"], full.json()["reason"]) == ("full", "epoch-changed")


async def test_a_head_is_all_but_the_body(chord: Chord, client: httpx.AsyncClient) -> None:
    await chord.set_context("room/1", STATE)
    head, whole = await client.head(ROOM), await client.get(ROOM)
    assert head.status_code == 200
    assert dict(head.headers) == dict(whole.headers)


async def test_options_are_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options(ROOM)
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (ROOM, 404, "not-found"),
        ("/nowhere", 404, "not-found"),
        ("/contexts/", 404, "not-found"),
        ("/contexts/a/b", 404, "not-found"),
        ("/contexts/%FF", 400, "malformed"),
        ("/contexts/%00", 400, "invalid"),
        ("/contexts/" + "a" * 513, 400, "invalid"),
        ("/contexts/made?since=0", 400, "invalid"),
        ("/contexts/made?since=", 400, "invalid"),
        ("/contexts?limit=0", 400, "invalid"),
        ("/contexts?limit=all", 400, "invalid"),
        ("/contexts?limit=" + "9" * 99, 400, "invalid"),
        ("/contexts?prefix=%00", 400, "invalid"),
    ],
)
async def test_what_cannot_be_read_is_said(
    chord: Chord, client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    await chord.set_context("made", {})
    assert is_problem(await client.get(path), status, code)


# -- listing -------------------------------------------------------------------------------------


async def test_contexts_are_listed_by_pages(chord: Chord, client: httpx.AsyncClient) -> None:
    for name in ("a:1", "b:1", "b:2", "b:3", "c:1"):
        await chord.set_context(name, {})
    first = (await client.get("/contexts", params={"prefix": "b:", "limit": "2"})).json()
    assert [each["context"] for each in first["contexts"]] == ["b:1", "b:2"]
    next_page = {"prefix": "b:", "limit": "2", "after": first["after"]}
    last = (await client.get("/contexts", params=next_page)).json()
    assert [each["context"] for each in last["contexts"]] == ["b:3"]
    assert last["after"] is None


async def test_a_list_tells_where_and_when(chord: Chord, client: httpx.AsyncClient) -> None:
    commit = await chord.set_context("room/1", {})
    (found,) = (await client.get("/contexts")).json()["contexts"]
    assert found["position"] == str(commit.position)
    assert found["updated_at"] == (await chord.get_context("room/1")).updated_at


async def test_a_list_tells_only_what_may_be_read(chord: Chord) -> None:
    def authorize(principal: Any, action: str, context_id: str) -> bool:
        return action == "list" or context_id == "open"

    for name in ("open", "shut"):
        await chord.set_context(name, {})
    async with browse(Door(chord, authenticate=read_name, authorize=authorize), "ana") as client:
        found = (await client.get("/contexts")).json()["contexts"]
    assert [each["context"] for each in found] == ["open"]


# -- what is the same for all --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/openapi.json", "/messages.json", "/chord.mjs"])
async def test_descriptions_and_the_client_need_no_name(chord: Chord, path: str) -> None:
    async with browse(Door(chord)) as client:
        assert (await client.get(path)).status_code == 200


async def test_the_description_is_of_this_door(chord: Chord, client: httpx.AsyncClient) -> None:
    assert "/contexts/{id}/calls/{name}" not in (await client.get("/openapi.json")).json()["paths"]
    async with browse(Door(chord, call=carry_out)) as other:
        described = (await other.get("/openapi.json")).json()
    assert "/contexts/{id}/calls/{name}" in described["paths"]
    assert described["servers"] == [{"url": "/"}]


async def test_the_client_is_a_script_for_pages_of_all_sites(client: httpx.AsyncClient) -> None:
    answer = await client.get("/chord.mjs")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "export" in answer.text
    tag = answer.headers["etag"]
    again = await client.get("/chord.mjs", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
