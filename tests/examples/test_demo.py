"""Test the demonstration: that it ends well on sound stores, and tells of a store that loses."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from chord import Backend, MemoryBackend, StatelessChord
from examples.demo.__main__ import QUICK, main, play
from examples.demo.room import Plan, Room
from examples.demo.screen import Screen
from examples.demo.tally import KINDS
from examples.scenarios import Audit
from tests.examples.lossy import LossyBackend

pytestmark = pytest.mark.anyio

PLAN = Plan(**QUICK)


async def play_on(backend: Backend, width: int = 80) -> tuple[bool, str]:
    """Play on a backend; return whether all was kept, and what was said."""
    console = Console(file=io.StringIO(), width=width)
    await backend.open()
    kept = await play(backend, PLAN, Screen(console))
    assert isinstance(console.file, io.StringIO)
    return kept, console.file.getvalue()


async def play_room(backend: Backend, plan: Plan) -> Room:
    await backend.open()
    async with StatelessChord(backend) as chord, StatelessChord(backend) as reader:
        room = Room(chord, reader, "room", plan)
        await room.play(lambda room: None)
    return room


@pytest.mark.parametrize("place", [pytest.param("memory://", marks=pytest.mark.slow), "sqlite"])
def test_ends_with_status_0_when_all_was_kept(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'demo.db'}" if place == "sqlite" else place
    assert main(["--quick", "--backend", url]) == 0
    assert "Nothing was lost" in capsys.readouterr().out


@pytest.mark.slow
def test_without_a_backend_it_uses_a_temporary_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--clients", "3"]) == 0
    assert "a temporary SQLite file" in capsys.readouterr().out


def test_ends_with_status_2_when_there_is_no_such_store(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--quick", "--backend", "nowhere://"]) == 2
    assert "no backend for nowhere://" in capsys.readouterr().out


@pytest.mark.slow
def test_ends_with_status_1_when_a_store_loses_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chord.backends.memory.MemoryBackend", LossyBackend)
    assert main(["--quick", "--backend", "memory://"]) == 1
    assert "LOST:" in capsys.readouterr().out


@pytest.mark.slow
async def test_a_lossy_store_is_told_by_writes_and_by_copies() -> None:
    kept, said = await play_on(LossyBackend())
    assert not kept
    found = re.search(r"LOST: ([\d,]+) of .* and ([\d,]+) of", said.replace("\n", ""))
    assert found
    assert found[1] != "0"


async def test_each_kind_of_reply_is_given() -> None:
    room = await play_room(MemoryBackend(), PLAN)
    assert [kind for kind in KINDS if room.tally.counts[kind].replies == 0] == []


async def test_full_replies_weigh_what_full_states_weigh_and_deltas_less() -> None:
    counts = (await play_room(MemoryBackend(), PLAN)).tally.counts
    for kind, count in counts.items():
        if kind.startswith("full"):
            assert count.sent == count.full
        elif kind != "deleted":
            assert count.sent < count.full / 10


async def test_every_life_is_audited() -> None:
    room = await play_room(MemoryBackend(), PLAN)
    assert len(room.audits) == PLAN.lives
    assert all(audit.holds and audit.kept == PLAN.updates for audit in room.audits)


async def test_at_the_end_all_clients_are_compared() -> None:
    room = await play_room(MemoryBackend(), PLAN)
    assert room.audits[-1] == Audit(PLAN.updates, PLAN.updates, PLAN.clients, PLAN.clients)


async def test_a_seed_tells_the_course() -> None:
    one, same, other = [
        (await play_room(MemoryBackend(), Plan(seed=seed, **QUICK))).tally.counts
        for seed in (1, 1, 2)
    ]
    assert one == same != other


@pytest.mark.slow
async def test_nothing_is_left_in_the_store() -> None:
    backend = MemoryBackend()
    await play_on(backend)
    assert backend.statistics()["contexts"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
async def test_what_is_no_terminal_gets_plain_lines_that_fit(width: int) -> None:
    _, said = await play_on(MemoryBackend(), width)
    assert "\x1b" not in said
    assert "\r" not in said
    assert max(map(len, said.splitlines())) <= width


@pytest.mark.slow
async def test_at_80_columns_no_cell_is_cut() -> None:
    _, narrow = await play_on(MemoryBackend(), 80)
    for text in KINDS.values():
        assert text.format(threshold=PLAN.threshold) in narrow


async def test_a_terminal_sees_it_move() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    screen = Screen(console)
    async with StatelessChord.open("memory://", watch_poll=None) as chord:
        room = Room(chord, chord, "room", PLAN)
        with screen.moving():
            await room.play(screen.show)
    assert isinstance(console.file, io.StringIO)
    assert f"of {PLAN.total} updates" in console.file.getvalue()
