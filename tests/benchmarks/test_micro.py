"""Test that the micro benchmarks run, on tiny sizes, and the shape of what they tell: no times."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from benchmarks import results, table
from benchmarks.__main__ import main
from benchmarks.comparison import Measured
from benchmarks.figure import Taken, Unit
from benchmarks.micro.command import THEMES, measure_themes
from benchmarks.micro.playing import Stage
from benchmarks.micro.theme import Sizes
from benchmarks.results import Results, Skipped
from benchmarks.timing import Effort, Samples, measure
from chord import StatelessChord, open_backend
from chord.backends.base import Backend
from chord.testing.servers import find_redis, find_valkey
from examples.scenarios import MULTIPLE, SINGLE, Scenario
from tests.examples.lossy import LossyBackend
from tests.servers import find_program

TINY = Sizes(keys=100, deltas=3, updates=3, watchers=3, weighed=3, crowd=3)
ONCE = Effort(rounds=2, fewest=1, round_seconds=0.0)
SERVERS: dict[str, Callable[[], str]] = {
    "redis": find_redis,
    "valkey": find_valkey,
    "redis_actors": find_redis,
    "valkey_actors": find_valkey,
}
QUICK = {"updates", "mailbox"}
HERE = [theme for theme in THEMES if theme not in SERVERS]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "theme",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in HERE],
)
async def test_a_theme_measures_each_of_its_comparisons_in_every_round(theme: str) -> None:
    found = await measure_themes([theme], TINY, ONCE)
    check_shape(found, theme)


@pytest.mark.server
@pytest.mark.parametrize("theme", SERVERS)
async def test_so_does_a_theme_on_a_server(theme: str) -> None:
    find_program(SERVERS[theme])
    found = await measure_themes([theme], TINY, ONCE)
    check_shape(found, theme)


@pytest.mark.parametrize("theme", ["redis", "redis_actors"])
async def test_a_theme_without_its_server_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, theme: str
) -> None:
    monkeypatch.setenv("PATH", "")
    found = await measure_themes([theme], TINY, ONCE)
    assert found.skipped == (Skipped(theme, "redis-server is not on the PATH"),)


def check_shape(found: Results, theme: str) -> None:
    assert found.skipped == ()
    assert found.measured
    assert len({each.name for each in found.measured}) == len(found.measured)
    for each in found.measured:
        assert each.theme == theme
        assert each.others
        assert all(len(samples.seconds) == 2 for samples in (each.ours, *each.others))
        assert all(
            second > 0 for samples in (each.ours, *each.others) for second in samples.seconds
        )
        assert each.is_met is None if each.aim is None else each.is_met in (True, False)
    for figure in found.figures:
        assert figure.theme == theme
        assert figure.value >= 0


async def test_only_what_fits_the_pattern_is_measured() -> None:
    found = await measure_themes(HERE, TINY, ONCE, "codecs: encode the room")
    assert {each.theme for each in found.measured} == {"codecs"}
    assert {each.name for each in found.measured} == {
        "encode the room",
        "encode the room, application's classes",
    }


async def test_a_theme_that_lacks_a_package_is_skipped_by_name() -> None:
    found = await measure_themes(["nothing"], TINY, ONCE)
    assert [skipped.theme for skipped in found.skipped] == ["nothing"]


async def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    found = await measure_themes(["histories"], TINY, ONCE)
    results.write(found, tmp_path / "micro.json")
    assert results.read(tmp_path / "micro.json") == found


async def test_figures_are_read_back_with_the_rest(tmp_path: Path) -> None:
    found = attrs.evolve(await measure_themes([], TINY, ONCE), figures=(figure(7.0, aim=8.0),))
    results.write(found, tmp_path / "micro.json")
    assert results.read(tmp_path / "micro.json") == found


def test_the_results_that_are_kept_can_be_read() -> None:
    kept = Path(results.__file__).parent / "results" / "micro.json"
    assert results.read(kept).measured


async def test_results_of_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "micro.json").write_text('{"format": 0}')
    with pytest.raises(ValueError, match="format 0"):
        results.read(tmp_path / "micro.json")


async def test_the_table_names_everything_that_was_measured() -> None:
    found = await measure_themes(["histories", "nothing"], TINY, ONCE)
    console = Console(file=io.StringIO(), width=200)
    table.show(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(each.name in text for each in found.measured)
    assert "skipped nothing" in text


async def test_the_table_tells_a_figure_in_its_unit_and_its_aim() -> None:
    figures = (figure(1234.0, "bytes"), figure(0.002, "seconds", aim=0.001), figure(1.5, "count"))
    found = attrs.evolve(await measure_themes([], TINY, ONCE), figures=figures)
    console = Console(file=io.StringIO(), width=200)
    table.show(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1,234 B" in text
    assert "2 ms" in text
    assert "<= 1 ms" in text
    assert "NO" in text
    assert "1.5" in text


def test_the_command_writes_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.micro.command.QUICK", ONCE)
    out = tmp_path / "micro.json"
    assert main(["micro", "--quick", "--only", "histories: since*", "--out", str(out)]) == 0
    assert [each.theme for each in results.read(out).measured] == ["histories"]
    assert "since()" in capsys.readouterr().out


# -- the judgement -------------------------------------------------------------------------------


def sample(*seconds: float) -> Samples:
    return Samples(name="", count=1, operations=1, seconds=seconds)


def measured(kind: str, aim: float | None, ours: Samples, *others: Samples) -> Measured:
    return Measured(theme="", name="", kind=kind, aim=aim, ours=ours, others=others)  # type: ignore[arg-type]


def test_a_floor_is_judged_by_how_often_we_cost_as_much() -> None:
    found = measured("floor", 2, sample(3.0, 40.0, 5.0), sample(2.0, 20.0, 1.0))
    assert found.ratio == 2.0
    assert found.is_met is True


def test_a_peer_is_judged_by_how_often_as_fast_we_are() -> None:
    found = measured("peer", 4, sample(1.0, 2.0), sample(3.0, 6.0))
    assert found.ratio == 3.0
    assert found.is_met is False


def test_among_peers_the_fastest_counts() -> None:
    found = measured("peer", 4, sample(1.0), sample(9.0), sample(3.0), sample(5.0))
    assert found.ratio == 3.0


def test_without_an_aim_nothing_is_judged() -> None:
    assert measured("floor", None, sample(1.0), sample(1.0)).is_met is None


def figure(value: float, unit: Unit = "count", aim: float | None = None) -> Taken:
    return Taken(theme="a theme", name=f"a figure of {value}", unit=unit, aim=aim, value=value)


@pytest.mark.parametrize(("aim", "is_met"), [(2.0, True), (1.0, True), (0.5, False), (None, None)])
def test_a_figure_is_to_be_its_aim_at_most(aim: float | None, is_met: bool | None) -> None:
    assert figure(1.0, aim=aim).is_met is is_met


# -- scenarios -----------------------------------------------------------------------------------


async def play(backend: Backend, scenario: Scenario) -> None:
    async with StatelessChord(backend) as chord, StatelessChord(backend) as reader:
        stage = Stage(chord, reader, scenario)
        await measure([stage.contend("stateless")], ONCE)
        await stage.clear()
        assert await reader.list_contexts() == []


@pytest.mark.parametrize("scenario", [SINGLE, MULTIPLE], ids=lambda scenario: scenario.name)
async def test_a_scenario_is_played_in_new_contexts_and_clears_up(scenario: Scenario) -> None:
    async with open_backend("memory://") as backend:
        await play(backend, scenario)


async def test_a_store_that_loses_updates_gets_no_time() -> None:
    backend = LossyBackend()
    await backend.open()
    with pytest.raises(RuntimeError, match="multiple: 0 errors, Audit"):
        await play(backend, MULTIPLE)
