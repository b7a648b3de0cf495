"""Test that a run loses no part for another's sake, and what it tells and keeps."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from rich.console import Console

from benchmarks import harness, results, table
from benchmarks.crash import Crash, Kill
from benchmarks.curve import draw
from benchmarks.figure import Figure, Taken
from benchmarks.harness import INTERRUPTED, SOUND, UNSOUND, Benchmark, CannotMeasure, Measurement
from benchmarks.latency import sum_up
from benchmarks.play import Play
from benchmarks.results import Failed, Outcome, Results, Skipped
from examples.scenarios import Audit

pytestmark = pytest.mark.anyio

Part = harness.Part


def make_benchmark(themes: Mapping[str, Sequence[Part]], **more: harness.Theme) -> Benchmark:
    opened = {name: offer(*parts) for name, parts in themes.items()}
    return Benchmark(name="trial", themes={**opened, **more}, settings={"size": 1})


def offer(*parts: Part) -> harness.Theme:
    @asynccontextmanager
    async def open_theme() -> AsyncIterator[Sequence[Part]]:
        yield parts

    return open_theme


def figure(name: str, value: float = 1.0) -> Figure:
    async def take() -> float:
        return value

    return Figure(name=name, unit="count", take=take)


def raising(name: str, error: BaseException) -> Measurement:
    async def measure() -> Outcome:
        raise error

    return Measurement(name, measure)


def giving(*outcomes: Outcome) -> Measurement:
    async def measure() -> Sequence[Outcome]:
        return outcomes

    return Measurement("some", measure)


def play(acknowledged: int = 3, kept: int = 3, errors: int = 0) -> Play:
    return Play(
        scenario="single",
        store="SQLite",
        runtime="stateful",
        durability="write-behind",
        timing="fair",
        operations=50,
        seconds=(0.5, 0.1, 0.2),
        latency=sum_up([0.001, 0.002]),
        durable=0,
        errors=errors,
        audit=Audit(acknowledged, kept),
    )


def crash(durable_kept: int = 2) -> Crash:
    kill = Kill(
        seconds=1.0, audit=Audit(5, 4), durable=Audit(2, durable_kept), unacknowledged=1, span=0.2
    )
    return Crash(
        store="Redis", runtime="stateless", durability=None, flush_interval=None, kills=(kill,)
    )


def run(benchmark: Benchmark, only: str = "*", out: Path | None = None) -> int:
    return harness.run(benchmark, argparse.Namespace(quick=True, only=only, out=out))


def test_what_is_written_names_the_command_that_makes_it_again(tmp_path: Path) -> None:
    out = tmp_path / "there.json"
    run(make_benchmark({"one": [figure("a")]}), "one: *", out)
    assert results.read(out).command.endswith("--quick --only 'one: *'")
    assert str(tmp_path) not in out.read_text()


# -- what goes wrong -----------------------------------------------------------------------------


async def test_a_part_that_fails_is_named_and_the_others_are_measured() -> None:
    bad = raising("bad", ValueError("seven"))
    found = await harness.measure(
        make_benchmark({"one": [figure("first"), bad, figure("last")], "two": [figure("next")]})
    )
    assert found.failed == (Failed("one", "bad", "ValueError: seven"),)
    assert [each.name for each in found.figures] == ["first", "last", "next"]


async def test_so_is_a_theme_that_cannot_be_opened() -> None:
    @asynccontextmanager
    async def open_theme() -> AsyncIterator[Sequence[Part]]:
        raise OSError("no room")
        yield []

    found = await harness.measure(make_benchmark({"two": [figure("a")]}, one=open_theme))
    assert found.failed == (Failed("one", "", "OSError: no room"),)
    assert len(found.figures) == 1


async def test_what_was_measured_is_kept_when_its_theme_cannot_be_left() -> None:
    @asynccontextmanager
    async def open_theme() -> AsyncIterator[Sequence[Part]]:
        yield [figure("a")]
        raise OSError("stuck")

    found = await harness.measure(make_benchmark({}, one=open_theme))
    assert len(found.figures) == 1
    assert found.failed == (Failed("one", "", "OSError: stuck"),)


async def test_a_part_that_cannot_be_measured_here_is_skipped_by_name() -> None:
    parts: list[Part] = [raising("a", CannotMeasure("no disk")), Skipped("b", "not installed")]
    found = await harness.measure(make_benchmark({"one": parts}))
    assert found.skipped == (Skipped("one", "no disk", "a"), Skipped("b", "not installed"))
    assert found.is_sound


async def test_a_theme_whose_module_is_missing_is_skipped_by_name() -> None:
    found = await harness.measure(make_benchmark({}, one=harness.load("benchmarks.nothing")))
    assert [skipped.theme for skipped in found.skipped] == ["one"]


async def test_a_theme_that_is_not_asked_for_is_not_opened() -> None:
    def refuse() -> Any:
        raise AssertionError("opened")

    benchmark = make_benchmark({"one": [figure("a"), figure("b")]}, two=refuse)
    found = await harness.measure(benchmark, "one: b")
    assert [each.name for each in found.figures] == ["b"]


# -- the exit code -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (figure("a"), SOUND),
        (Skipped("a", "not here"), SOUND),
        (raising("a", ValueError()), UNSOUND),
        (giving(play()), SOUND),
        (giving(play(acknowledged=3, kept=2)), UNSOUND),
        (giving(play(errors=1)), UNSOUND),
        (giving(crash(durable_kept=2)), SOUND),
        (giving(crash(durable_kept=1)), UNSOUND),
    ],
)
def test_the_exit_code_says_whether_all_is_well(part: Part, code: int) -> None:
    assert run(make_benchmark({"one": [part]})) == code


def test_a_pattern_that_nothing_fits_is_a_failure() -> None:
    assert run(make_benchmark({"one": [figure("a")]}), only="nothing") == UNSOUND


async def press_ctrl_c() -> Outcome:
    signal.raise_signal(signal.SIGINT)
    await asyncio.Event().wait()
    raise AssertionError("it goes on")


def test_ctrl_c_keeps_what_was_measured_until_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "trial.json"
    pressed = Measurement("pressed", press_ctrl_c)
    code = run(make_benchmark({"one": [figure("first"), pressed, figure("last")]}), out=out)
    assert code == INTERRUPTED
    found = results.read(out)
    assert found.interrupted
    assert [each.name for each in found.figures] == ["first"]
    assert "first" in capsys.readouterr().out


# -- what is kept --------------------------------------------------------------------------------


async def collect_all() -> Results:
    curve = draw("keys", "a write", "seconds", "keys", {1: [1e-6, 2e-6], 10: [1e-6]}, Audit(9, 8))
    failing = raising("bad", ValueError("x"))
    skipped = Skipped("SQLite", "gone", "part")
    parts: list[Part] = [figure("a", 7.0), giving(play(), curve, crash()), failing, skipped]
    return await harness.measure(make_benchmark({"one": parts}))


async def test_everything_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = await collect_all()
    results.write(found, tmp_path / "trial.json")
    assert results.read(tmp_path / "trial.json") == found


async def test_each_audit_says_in_the_file_what_was_lost(tmp_path: Path) -> None:
    results.write(await collect_all(), tmp_path / "trial.json")
    found = json.loads((tmp_path / "trial.json").read_text())
    assert found["format"] == 2
    assert found["curves"][0]["audit"]["lost"] == 1
    assert found["plays"][0]["audit"]["lost"] == 0
    assert found["crashes"][0]["kills"][0]["audit"]["lost"] == 1


@pytest.mark.parametrize(
    "field", ["python", "cores", "processor", "system", "packages", "revision", "modified"]
)
async def test_the_file_says_what_the_numbers_depend_on(tmp_path: Path, field: str) -> None:
    results.write(await collect_all(), tmp_path / "trial.json")
    assert field in json.loads((tmp_path / "trial.json").read_text())["machine"]


async def test_the_tables_name_all_that_was_found() -> None:
    console = Console(file=io.StringIO(), width=250)
    table.show(await collect_all(), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "single, fair, stateful, write-behind" in text
    assert "a write" in text
    assert "kill -9, stateless" in text
    assert "skipped SQLite: part: gone" in text
    assert "FAILED one: bad: ValueError: x" in text
    assert "LOST keys: a write" in text


def test_a_play_tells_operations_per_second_of_its_median_run() -> None:
    assert play().throughput == 250.0


# -- latencies -----------------------------------------------------------------------------------


def test_percentiles_are_those_of_the_latencies_to_a_hundredth() -> None:
    found = sum_up(number / 1000 for number in range(1, 1001))
    assert found.count == 1000
    assert found.p50 == pytest.approx(0.5, rel=0.01)
    assert found.p99 == pytest.approx(0.99, rel=0.01)
    assert found.p999 == pytest.approx(0.999, rel=0.01)
    assert found.max == pytest.approx(1.0, rel=0.01)


def test_buckets_have_every_latency_once() -> None:
    found = sum_up([0.001, 0.001, 0.5])
    assert [count for _, count in found.buckets] == [2, 1]
    assert [upto for upto, _ in found.buckets] == pytest.approx([0.001, 0.5], rel=0.01)


def test_of_no_latencies_all_is_zero() -> None:
    assert attrs.astuple(sum_up([])) == (0, 0.0, 0.0, 0.0, 0.0, ())


@pytest.mark.parametrize("seconds", [0.0, 1e-12, 1e9])
def test_a_latency_beyond_all_bounds_counts_as_the_nearest_one(seconds: float) -> None:
    assert sum_up([seconds]).count == 1


# -- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [("*", ["redis", "sqlite"]), ("sqlite: a*", ["sqlite"]), ("concurrent", ["redis", "sqlite"])],
)
def test_a_pattern_may_name_a_theme_before_its_colon(pattern: str, chosen: list[str]) -> None:
    assert harness.choose(["redis", "sqlite"], pattern) == chosen


def test_a_part_fits_a_pattern_that_is_anywhere_in_its_title() -> None:
    part = figure("a write")
    assert harness.fits("SQLite", part, "write")
    assert harness.fits("SQLite", part, "SQLite: a*")
    assert not harness.fits("SQLite", part, "Redis")


def test_a_figure_is_kept_with_its_theme() -> None:
    found = asyncio.run(harness.measure(make_benchmark({"one": [figure("a", 2.0)]})))
    assert found.figures == (Taken(theme="one", name="a", unit="count", aim=None, value=2.0),)
