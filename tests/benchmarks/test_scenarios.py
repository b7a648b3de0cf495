"""Test that the scenarios are played in every mode and audited, and what is told: no times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.modes import MODES, Mode
from benchmarks.play import Play
from benchmarks.results import Results
from benchmarks.scenarios.acting import act_at_once, act_at_rate
from benchmarks.scenarios.command import HISTORY, plan
from benchmarks.scenarios.player import Player
from benchmarks.scenarios.sizes import Sizes
from benchmarks.side import join_side
from benchmarks.timing import Effort
from chord import Chord, Commit, MemoryBackend, StatelessChord
from chord.testing.servers import find_redis, find_valkey
from examples.scenarios import MULTIPLE, Scenario, prepare
from tests.examples.lossy import LossyBackend
from tests.servers import find_program

FEW = Scenario("few", 2, 6)
TINY = Sizes(scenarios=(FEW,), runs=2, actions=1, rounds=2, paced=24, messages=(3,))
ONCE = Effort(rounds=2, fewest=1, round_seconds=0.0)
TIMINGS = ("published", "fair", "open-loop")

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("store", ["memory", "SQLite"])
async def test_a_store_is_played_on_in_every_mode_with_every_timing(store: str) -> None:
    check_shape(await harness.measure(plan(TINY, ONCE, [store]), f"{store}: *"), store)


@pytest.mark.server
@pytest.mark.parametrize(("store", "find"), [("Redis", find_redis), ("Valkey", find_valkey)])
async def test_so_is_a_server(store: str, find: object) -> None:
    find_program(find)  # type: ignore[arg-type]
    check_shape(await harness.measure(plan(TINY, ONCE, [store]), f"{store}: *"), store)


def check_shape(found: Results, store: str) -> None:
    assert found.is_sound
    assert not found.skipped
    seen = {(each.timing, Mode(each.runtime, each.durability)) for each in found.plays}
    assert seen == {(timing, mode) for timing in TIMINGS for mode in MODES}
    assert len(found.plays) == len(seen) == len({each.name for each in found.plays})
    for each in found.plays:
        assert each.theme == store
        check_play(each)


def check_play(each: Play) -> None:
    waves = 2 if each.timing == "open-loop" else 1
    runs = 2
    assert each.operations == waves * 12
    assert len(each.seconds) == runs
    assert all(seconds > 0 for seconds in each.seconds)
    assert each.latency.count == runs * each.operations
    assert each.errors == 0
    assert each.audit.acknowledged == each.audit.kept == runs * each.operations * 2 // 3
    assert each.audit.copies == each.audit.equal == runs * each.operations // 3
    is_stored = each.durability in (None, "write-through")
    assert each.durable == (each.audit.acknowledged if is_stored else 0)
    assert (each.rate is None) == (each.lateness is None) == (each.timing != "open-loop")


async def test_without_its_server_a_store_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    found = await harness.measure(plan(TINY, ONCE, ["Redis"]), "Redis: *")
    assert [(each.theme, each.reason) for each in found.skipped] == [
        ("Redis", "redis-server is not on the PATH")
    ]


async def test_the_paced_play_finds_its_rate_by_itself() -> None:
    found = await harness.measure(plan(TINY, ONCE, ["memory"]), "memory: few, open-loop")
    assert {each.timing for each in found.plays} == {"open-loop"}
    assert len({each.rate for each in found.plays}) == 1


async def test_published_and_fair_are_of_the_same_runs() -> None:
    found = await harness.measure(plan(TINY, ONCE, ["memory"]), "memory: few, at once")
    published = {each.durability: each for each in found.plays if each.timing == "published"}
    for fair in (each for each in found.plays if each.timing == "fair"):
        whole = published[fair.durability]
        assert whole.latency == fair.latency
        assert all(a > b for a, b in zip(whole.seconds, fair.seconds, strict=True))


async def test_a_chat_as_a_list_is_compared_with_a_dict_in_time_and_in_bytes() -> None:
    found = await harness.measure(plan(TINY, ONCE, []))
    assert {each.theme for each in found.measured} == {HISTORY}
    assert len(found.measured) == 2
    weights = {each.name: each.value for each in found.figures}
    edited = "edit the oldest message, of 3: its delta, in a"
    assert weights[f"{edited} dict keyed by id"] < weights[f"{edited} list"]


def test_the_command_writes_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.scenarios.command.QUICK", TINY)
    out = tmp_path / "scenarios.json"
    assert main(["scenarios", "--quick", "--only", "memory: *", "--out", str(out)]) == 0
    assert results.read(out).plays
    assert "few, fair, stateless" in capsys.readouterr().out


# -- what is lost --------------------------------------------------------------------------------


async def play_on(backend: MemoryBackend, mode: Mode) -> Play:
    await backend.open()
    async with join_side(mode.kind, backend, **mode.fields) as side:
        player = Player(mode, side, MULTIPLE)
        await player.play_at_once()
        return player.tell_at_once("memory")[1]


async def test_a_store_that_loses_updates_is_caught_by_the_audit() -> None:
    found = await play_on(LossyBackend(), Mode("stateless"))
    assert found.audit.lost > 0
    assert not found.holds


async def test_the_same_without_loss_holds() -> None:
    assert (await play_on(MemoryBackend(), Mode("stateless"))).holds


async def test_one_that_loses_them_at_a_constant_rate_is_caught_too() -> None:
    backend = LossyBackend()
    await backend.open()
    async with join_side(StatelessChord, backend) as side:
        player = Player(Mode("stateless"), side, MULTIPLE)
        await player.play_at_rate(1, 1e6)
    assert player.tell_at_rate("memory", 1, 1e6).audit.lost > 0


async def test_actions_that_raise_are_errors_and_not_acknowledged() -> None:
    async with StatelessChord.open("memory://") as chord:
        begun = await prepare(chord, FEW)
        for context_id in FEW.ids():
            await chord.delete_context(context_id)
        acted = await act_at_once(chord, FEW, begun)
    assert acted.runs[0].errors == 12


# -- acting --------------------------------------------------------------------------------------


async def test_every_action_is_begun_once_and_none_before_its_time() -> None:
    async with StatelessChord.open("memory://") as chord:
        waves = [await prepare(chord, FEW, prefix) for prefix in ("1/", "2/")]
        acted = await act_at_rate(chord, FEW, waves, rate=10_000.0)
    assert len(acted.latencies) == len(acted.lateness) == 24
    assert all(late >= 0 for late in acted.lateness)
    assert acted.seconds >= 23 / 10_000
    answers = [answer for run in acted.runs for _, _, answer in run.each()]
    assert sum(isinstance(answer, Commit) for answer in answers) == 16


async def test_an_action_is_begun_though_those_before_it_are_not_done() -> None:
    class Stuck:
        """Answers nothing until as many ask as are ever to be there."""

        def __init__(self, chord: Chord) -> None:
            self._chord = chord
            self._all = asyncio.Barrier(12)

        async def update_context(self, context_id: str, changes: object) -> Commit:
            await self._all.wait()
            return await self._chord.update_context(context_id, changes)  # type: ignore[arg-type]

        async def sync_context(self, context_id: str, since: object) -> object:
            await self._all.wait()
            return await self._chord.sync_context(context_id, since)  # type: ignore[arg-type]

    async with StatelessChord.open("memory://") as chord:
        begun = await prepare(chord, FEW)
        acted = await act_at_rate(Stuck(chord), FEW, [begun], rate=10_000.0)  # type: ignore[arg-type]
    assert acted.runs[0].errors == 0
    assert max(acted.latencies) >= 11 / 10_000
