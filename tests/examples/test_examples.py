"""Run every example as a user would, and hold each to what it says."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

from chord.testing.servers import Server

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"

ON_ANY_STORE = {
    "quickstart": ["{'people': {'ana': Added(value={'typing': False})}}"],
    "chat_room": [
        "bo comes back, 2 messages later:\n  got a delta",
        "unread to bo: 2; same as ana's copy: True",
    ],
    "chat_actor": [
        "version 7: the last 3 messages are ['Bo?', 'Are you there?', 'Call me.']",
        "refused: bo is not in the room",
        "bo comes back, and missed 3 messages",
    ],
    "arena": ["............b.......a", "ana met 2 others", "full states would of"],
    "game_counters": [
        "100 hits at once are 100 points",
        "the pot keeps 2; refused: cy wants 4, the pot has 2",
        "1 of 2 moves was made; b2 is ana's",
    ],
    "two_processes": [
        "100 updates from two processes",
        "is {'total': 100, 'by': {'first': 50, 'other': 50}}",
    ],
    "own_types": [
        "value=Money(amount=Decimal('8.90'), currency='EUR')",
        "due 31 January 2030",
        "InvalidState at ['basket']",
    ],
    "own_formatter": ['"path": "/tags/1"', "title was Draft, is Plan"],
}
ON_ITS_OWN_STORE = {
    "idempotent_writes": ["OutcomeUnknown:", "the balance is 70, at version 2"],
    "export_restore": [
        "Report(expired=1, exported=1, trimmed=0, skipped=0, failed=0)",
        "doc:old was brought back",
        "the full state: epoch-changed",
    ],
}
PROGRAMS = ON_ANY_STORE | ON_ITS_OWN_STORE
PARTS = {"__init__", "fastapi_chat", "scenarios"}
"""Modules that are no programs; they have tests of their own."""


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_module(f"examples.{name}", run_name="__main__")


def assert_said(lines: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    said, complaints = capfd.readouterr()
    assert [line for line in lines if line not in said] == []
    assert complaints == ""


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == PROGRAMS.keys() | PARTS


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_does_what_it_says(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(name, monkeypatch=monkeypatch)
    assert_said(PROGRAMS[name], capfd)


@pytest.mark.parametrize("name", ON_ANY_STORE)
def test_an_example_runs_again_on_the_same_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run(name, f"sqlite:///{tmp_path / 'store.db'}", monkeypatch=monkeypatch)
        assert_said(ON_ANY_STORE[name], capfd)


@pytest.mark.server
@pytest.mark.parametrize("name", ON_ANY_STORE)
def test_an_example_runs_on_a_server(
    name: str,
    redis_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run(name, redis_server.url, monkeypatch=monkeypatch)
    assert_said(ON_ANY_STORE[name], capfd)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_is_short_and_opens_with_one_sentence(name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    opening = ast.get_docstring(ast.parse(source))
    assert opening
    assert re.fullmatch(r"[A-Z][^.]*\.", opening)
    assert len(source.splitlines()) < 80


def test_the_quickstart_is_the_readmes() -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block
    calls = [line.strip() for line in block[1].splitlines() if "await" in line]
    lines = [line.strip() for line in (EXAMPLES / "quickstart.py").read_text().splitlines()]
    assert [line for line in calls if line not in lines] == []
