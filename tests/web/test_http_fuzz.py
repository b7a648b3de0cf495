"""Test that whatever a stranger sends over plain HTTP is answered, and tells nothing hidden."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.stateless import StatelessChord
from chord.web.faults import STATUSES
from chord.web.limits import Limits
from tests.web.asking import JSON, MERGE, PATCH, RICH, browse
from tests.web.cards import GAME, SECRET, make_door

LIMITS = Limits(max_message=2048, max_depth=6, rate=1e6, burst=1e6)
STATUSES_OF_ALL = {200, 201, 204, 304, 405, 409, 415, *STATUSES.values()} - {500}

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
keys = st.sampled_from(["table", "deck", "hands", "ana", "bo", "log", "-", "0", "1", "", "x"])
trees = st.dictionaries(keys, plain | st.dictionaries(keys, plain, max_size=2), max_size=3)
pointers = st.lists(keys, max_size=3).map(lambda steps: "".join(f"/{step}" for step in steps))
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
        "path": pointers | st.text(max_size=4),
    },
    optional={"from": pointers, "value": plain},
)
tags = st.sampled_from(["append", "remove", "replace", "increment", "decimal", "int", "bytes", ""])
types = st.lists(st.tuples(st.lists(keys | st.integers(-1, 1), max_size=3), tags), max_size=3)
forms = st.fixed_dictionaries(
    {},
    optional={
        "state": trees | plain,
        "changes": trees | plain,
        "create": trees | plain,
        "arguments": st.lists(plain, max_size=2),
        "types": types | plain,
        "create_types": types,
    },
)
said = st.one_of(trees, st.lists(operations, max_size=3), forms, plain).map(
    lambda value: json.dumps(value).encode()
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A body with some of it cut out, or put in."""
    body = draw(said)
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    return body[:start] + draw(st.binary(max_size=4)) + body[end:]


requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST", "HEAD", "TRACE"]),
        "url": st.sampled_from(
            [
                *("/contexts/game", "/contexts/new", "/contexts/game?since=e:1", "/contexts"),
                *("/contexts/game/calls/x", "/contexts/%FF", "/contexts/%00", "/contexts/"),
                *("/contexts?limit=9&after=a", "/contexts?limit=-1", "/contexts/game?since=%F0"),
            ]
        ),
        "content": said | damaged() | st.binary(max_size=8),
        "headers": st.fixed_dictionaries(
            {"content-type": st.sampled_from([JSON, RICH, MERGE, PATCH, "text/plain"])},
            optional={
                "if-match": st.sampled_from(["*", '"e:1"', '"e:1~0"', "e:1", "W/", '""', "\xe9"]),
                "if-none-match": st.sampled_from(["*", '"e:1"', 'W/"e:1", "', ","]),
                "idempotency-key": st.sampled_from(["", '"', "a", '"a"', "x" * 600, "\xe9"]),
                "content-length": st.sampled_from(["", "-1", "99999999", "x"]),
                "accept": st.sampled_from([RICH, ";;,,", f"{RICH};q=x", "*/*"]),
            },
        ),
    }
)


@given(requests)
def test_each_request_is_answered_by_what_the_protocol_says(request: dict[str, Any]) -> None:
    asyncio.run(ask_and_look(request))


async def ask_and_look(request: dict[str, Any]) -> None:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("game", GAME)
        door = make_door(chord, limits=LIMITS)
        async with browse(door, "ana") as client:
            answer = await client.request(**encode(request))
            assert answer.status_code in STATUSES_OF_ALL
            assert SECRET not in answer.text
            if answer.status_code >= 400 and request["method"] != "HEAD":
                assert answer.json()["detail"]
            if answer.status_code >= 400:
                assert (await chord.get_context("game")).state == GAME
        door.check()


def encode(request: dict[str, Any]) -> dict[str, Any]:
    """With headers as bytes, as whatever comes over a socket is."""
    headers = {name: value.encode("latin-1") for name, value in request["headers"].items()}
    return {**request, "headers": headers}


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Any:
    with caplog.at_level(logging.ERROR, "chord.web"):
        yield
    assert caplog.records == []
