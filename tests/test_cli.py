"""Test `chord serve`: what it refuses, and as a process that is told to end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from actors import StatefulChord
from chord import StatelessChord
from chord.cli import find_runtime, load_hooks, main
from chord.errors import ConfigurationError
from chord.web.gate import Hooks
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent
PAGE = "/contexts/page"
MERGE = {"content-type": "application/merge-patch+json"}
INCREMENT = {
    "content": b'{"changes":{"clicks":1},"types":[[["clicks"],"increment"]]}',
    "headers": {"content-type": "application/vnd.chord+json"},
}
HOOKS = """
from chord.web.gate import Hooks

def who(connection):
    return connection.headers.get("authorization")

def make_hooks(chord):
    async def call(principal, context_id, name, arguments):
        return [principal, len(await chord.list_contexts())]
    return Hooks(authenticate=who, authorize=lambda *said: True, call=call)

hooks = Hooks(authenticate=who)
nothing = 1
"""


class Served:
    """A process that serves, and where."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def end(self, number: signal.Signals) -> int:
        """Tell it to end, and return its status."""
        self.process.send_signal(number)
        with anyio.fail_after(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def serve(*options: str, folder: Path = ROOT) -> AsyncIterator[Served]:
    """Run ``chord serve`` on a free port meanwhile."""
    command = (sys.executable, "-m", "chord", "serve", "--port", "0", *options)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=folder
    )
    assert process.stdout is not None
    try:
        with anyio.fail_after(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert " at http" in line
        yield Served(process, line.split()[-1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


# -- as a process --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_all_that_was_acknowledged_is_stored_when_it_is_told_to_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    url = f"sqlite:///{tmp_path / 'pages.db'}"
    behind = ("--set", "durability=write-behind", "--set", "flush_interval=3600")
    asked = acknowledged = 0
    async with serve(url, "--open", *behind) as served, httpx.AsyncClient(timeout=60) as client:
        page = served.url + PAGE
        await client.put(page, json={"clicks": 0})

        async def click() -> None:
            nonlocal asked, acknowledged
            while True:
                asked += 1
                try:
                    answer = await client.patch(page, **INCREMENT)  # type: ignore[arg-type]
                except httpx.TransportError:
                    return
                if answer.status_code != 200:
                    return
                acknowledged += 1

        async with asyncio.TaskGroup() as clients:
            for _ in range(5):
                clients.create_task(click())
            await until(lambda: acknowledged >= 50)
            status = await served.end(number)
    async with StatelessChord.open(url) as chord:
        clicks = (await chord.get_context("page")).state["clicks"]
    assert status == 0
    assert acknowledged <= clicks <= asked


async def test_an_open_door_is_not_for_pages_whose_own_name_leads_to_it() -> None:
    async with serve("--open") as served, httpx.AsyncClient(timeout=60) as client:
        url = f"{served.url}/contexts"
        assert (await client.get(url)).status_code == 200
        assert (await client.get(url, headers={"host": "evil.example"})).status_code == 403


async def test_who_is_connected_is_told_that_it_goes_away() -> None:
    async with serve("--open") as served, httpx.AsyncClient(timeout=60) as client:
        await client.put(served.url + PAGE, json={})
        at = served.url.replace("http", "ws") + "/ws"
        async with (
            connect(at, subprotocols=[Subprotocol("chord.v1.json")]) as socket,
            client.stream("GET", f"{served.url}{PAGE}/events") as events,
        ):
            lines = events.aiter_lines()
            assert await anext(lines) == "event: full"
            assert await served.end(signal.SIGTERM) == 0
            assert "hello" in str(await socket.recv())
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            told = [line async for line in lines]
    assert socket.close_code in (1001, 1012)
    assert "event: error" in told


async def test_hooks_are_found_in_the_folder_that_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "guards.py").write_text(HOOKS)
    async with (
        serve("--mode", "stateless", "--hooks", "guards:make_hooks", folder=tmp_path) as served,
        httpx.AsyncClient(timeout=60) as client,
    ):
        ana = {"authorization": "ana"}
        nobody = await client.put(served.url + PAGE, json={})
        created = await client.put(served.url + PAGE, json={}, headers=ana)
        called = await client.post(f"{served.url}{PAGE}/calls/count", json=[], headers=ana)
    assert (nobody.status_code, created.status_code) == (401, 201)
    assert called.json() == {"value": ["ana", 1]}


def test_it_explains_itself() -> None:
    asked = [sys.executable, "-m", "chord", "serve", "--help"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--hooks MODULE:NAME" in said


# -- what it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("", "give --hooks"),
        ("--hooks a:b --open", "or --open to develop"),
        ("--open --host 0.0.0.0", "this machine only"),
        ("--open --host door.example", "this machine only"),
        ("--open --mode stateles", "no mode 'stateles'; there are stateful, stateless"),
        ("--open --set idle_ttl", "NAME=VALUE"),
        ("--open --set idle=1", "no such setting: idle"),
        ("--open --set durability=none", "durability must be"),
        ("nowhere:// --open", "no backend for nowhere://"),
        ("--hooks nowhere:hooks", "no hooks 'nowhere:hooks'"),
        ("--hooks :hooks", "no hooks ':hooks'"),
        ("--hooks chord.web.gate:nothing", "no hooks"),
        ("--hooks chord.web.gate:ANYONE", "Hooks, not Anyone"),
        ("--open --host 192.0.2.1 --open-to-network", ""),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_serves(
    options: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *options.split(), "--port", "0"]) == 2
    said = capsys.readouterr()
    assert problem in said.err
    assert said.err.startswith("chord: ")


def test_without_its_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import chord.web

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "chord.web.serving", raising=False)
    monkeypatch.delattr(chord.web, "serving", raising=False)
    assert main(["serve", "--open"]) == 2
    assert "pip install 'chord-sync[web]'" in capsys.readouterr().err


# -- what it finds -------------------------------------------------------------------------------


def test_a_runtime_is_found_by_its_name() -> None:
    assert find_runtime("stateless") is StatelessChord
    assert find_runtime("stateful") is StatefulChord


async def test_hooks_are_named_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wards.py").write_text(HOOKS)
    monkeypatch.syspath_prepend(tmp_path)
    async with StatelessChord.open("memory://") as chord:
        assert isinstance(load_hooks("wards", chord), Hooks)
        assert load_hooks("wards:hooks", chord).call is None
        assert load_hooks("wards:make_hooks", chord).call is not None
        with pytest.raises(ConfigurationError, match="Hooks, not int"):
            load_hooks("wards:nothing", chord)
