"""Test a door behind a real server by curl, as a stranger would."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

import pytest

from chord.stateless import StatelessChord
from chord.web.door import Door
from tests.web.programs import find_program
from tests.web.served import served

MERGE = "content-type: application/merge-patch+json"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room", {"clicks": 0})
        async with served(Door(chord, open_to_all=True)) as address:
            yield f"http://{address}/contexts/room"


async def start(*words: str) -> Process:
    program = find_program("curl")
    return await asyncio.create_subprocess_exec(program, "-sS", *words, stdout=PIPE, stderr=PIPE)


async def curl(*words: str) -> str:
    said, complaints = await (await start(*words)).communicate()
    assert complaints == b""
    return said.decode()


async def test_it_reads_and_writes(address: str) -> None:
    assert json.loads(await curl(address)) == {"clicks": 0}
    done = json.loads(await curl("-X", "PATCH", address, "-H", MERGE, "-d", '{"clicks": 1}'))
    assert done["changed"]
    assert json.loads(await curl(address)) == {"clicks": 1}


async def test_it_is_told_that_somebody_was_faster(address: str) -> None:
    stale = (await curl("-o", "/dev/null", "-w", "%header{etag}", address)).strip()
    await curl("-X", "PATCH", address, "-H", MERGE, "-d", '{"clicks": 1}')
    late = await curl(
        *("-X", "PATCH", address, "-H", MERGE, "-d", '{"clicks": 2}'),
        *("-H", f"if-match: {stale}", "-w", " %{http_code}"),
    )
    assert late.endswith(" 412")
    assert json.loads(late[:-4])["code"] == "conflict"


async def test_it_follows_the_events(address: str) -> None:
    following = await start("-N", f"{address}/events")
    assert following.stdout is not None
    assert await following.stdout.readline() == b"event: full\n"
    await curl("-X", "PATCH", address, "-H", MERGE, "-d", '{"clicks": 1}')
    assert b"event: delta\n" in [await following.stdout.readline() for _ in range(4)]
    await curl("-X", "DELETE", address)
    assert b"event: deleted\n" in [await following.stdout.readline() for _ in range(4)]
    assert await following.wait() == 0
