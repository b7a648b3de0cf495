"""Test that a report shows all that runs came to, by itself: what it says, not how it looks."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.comparison import Measured
from benchmarks.crash import Crash, Kill
from benchmarks.curve import Curve, draw
from benchmarks.durability.command import plan as plan_durability
from benchmarks.durability.sizes import Sizes as DurabilitySizes
from benchmarks.fanout.command import make as make_fanout
from benchmarks.fanout.sizes import TINY as TINY_FANOUT
from benchmarks.figure import Taken, Unit
from benchmarks.latency import sum_up
from benchmarks.micro.command import plan as plan_micro
from benchmarks.micro.theme import Sizes as MicroSizes
from benchmarks.peers.command import plan as plan_peers
from benchmarks.peers.theme import Sizes as PeersSizes
from benchmarks.play import Play, Timing
from benchmarks.report.advice import advise, classify
from benchmarks.report.command import REFUSED
from benchmarks.report.losses import find_losses
from benchmarks.report.parting import part
from benchmarks.report.sources import Source, Unreadable, read_sources
from benchmarks.report.spread import spread
from benchmarks.results import Failed, Results, Skipped, collect
from benchmarks.scale.command import make as make_scale
from benchmarks.scale.sizes import TINY as TINY_SCALE
from benchmarks.scenarios.command import plan as plan_scenarios
from benchmarks.scenarios.sizes import Sizes as ScenarioSizes
from benchmarks.timing import Effort, Samples
from chord.config import Durability
from examples.scenarios import Audit, Scenario

ONCE = Effort(rounds=3, fewest=1, round_seconds=0.0)
KEPT = Audit(3, 3, 2, 2)

pytestmark = pytest.mark.anyio


def play(
    durability: Durability | None,
    seconds: Sequence[float],
    timing: Timing = "fair",
    audit: Audit = KEPT,
) -> Play:
    return Play(
        scenario="single",
        store="SQLite",
        runtime="stateful" if durability else "stateless",
        durability=durability,
        timing=timing,
        operations=50,
        seconds=tuple(seconds),
        latency=sum_up([0.001, 0.002, 0.004]),
        durable=0,
        errors=0,
        audit=audit,
        rate=100.0 if timing == "open-loop" else None,
    )


def crash(durability: Durability, kept: int, durable: Audit) -> Crash:
    kill = Kill(seconds=1.0, audit=Audit(50, kept), durable=durable, unacknowledged=0, span=0.2)
    return Crash(
        store="Redis",
        runtime="stateful",
        durability=durability,
        flush_interval=None,
        kills=(kill,),
    )


def compared(name: str, ours: str, other: str, times: float, count: int = 5) -> Measured:
    def samples(of: str, seconds: float) -> Samples:
        return Samples(name=of, count=1, operations=1, seconds=(seconds,) * count)

    return Measured(
        theme="a theme",
        name=name,
        kind="peer",
        aim=None,
        ours=samples(ours, 1.0),
        others=(samples(other, times),),
    )


def grown(exponent: float, name: str = "a cost") -> Curve:
    return draw("a theme", name, "seconds", "keys", {x: [1e-6 * x**exponent] for x in (1, 10, 100)})


def make_results() -> Results:
    """Something of every kind; what was lost, failed and was skipped, too."""
    lost = play("write-behind", [0.1] * 3, audit=Audit(30, 29, 7, 6))
    return collect(
        "trial",
        None,
        {"size": 7},
        [compared("<&> is compared", "ours", "a peer", 2.0)],
        [Taken(theme="rooms", name="lost of 9: a naive one", unit="count", aim=None, value=8.0)],
        [Skipped("Valkey", "no valkey-server is here")],
        plays=[
            play(None, [0.2] * 3),
            play("write-through", [0.1] * 3),
            lost,
            play(None, [0.2] * 3, "open-loop"),
        ],
        curves=[
            grown(0.0),
            draw("held", "a watch", "bytes", "versions", {1: [-3.0], 10: [0.0], 100: [2000.0]}),
            draw("told", "replies", "count", "watchers", {1: [1.0], 10: [1.0]}),
            draw("none", "nobody", "count", "watchers", {}),
        ],
        crashes=[crash("memory", 10, Audit()), crash("write-through", 49, Audit(50, 49))],
        failed=[Failed("SQLite", "a part", "ValueError: seven")],
        interrupted=True,
    )


def report(folder: Path, *found: Results) -> str:
    files = [folder / f"{number}.json" for number, _ in enumerate(found)]
    for path, each in zip(files, found, strict=True):
        results.write(each, path)
    out = folder / "report.html"
    assert main(["report", *map(str, files), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(tmp_path_factory.mktemp("report"), make_results())


# -- the page ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    check_alone(page)


def check_alone(page: str) -> None:
    referred = re.findall(r"(?:src|href)=[\"']?([^\"'> ]*)|url\(([^)]*)\)|@import (.*)", page)
    assert all(target.startswith("#") for each in referred for target in each if target)
    assert "<script" not in page
    assert "<link" not in page


@pytest.mark.slow
def test_every_number_that_is_drawn_has_a_table_and_a_caption(page: str) -> None:
    captions = page.count("<figcaption>")
    assert captions == page.count("<summary>The numbers</summary>") > 5
    assert page.count("Made by <code>python -m benchmarks trial</code>") == captions
    assert page.count('<svg role="img" aria-label=') == page.count("<svg")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "SQLite: a part: ValueError: seven",
        "Valkey: no valkey-server is here",
        "was interrupted",
        "lost 1 of 30 acknowledged updates, 1 of 7 copies differ",
        "lost 40 of 50 acknowledged updates",
        "lost 1 of 50 acknowledged updates, 1 of those were said to be stored",
        "a naive one: lost 8",
    ],
)
def test_what_failed_was_skipped_or_lost_is_named_before_anything_else(
    page: str, words: str
) -> None:
    assert words in page.partition("<main>")[0]


@pytest.mark.slow
def test_broken_promises_stand_apart_from_losses_that_were_to_be_expected(page: str) -> None:
    broken, _, expected = page.partition("<main>")[0].partition("promise no more")
    assert "kill -9, write-through" in broken
    assert "kill -9, memory" in expected
    assert "Every audit found" not in page


@pytest.mark.slow
def test_names_are_written_as_they_are_and_not_taken_for_markup(page: str) -> None:
    assert "&lt;&amp;&gt; is compared" in page
    assert "<&>" not in page


@pytest.mark.slow
def test_an_axis_says_whether_it_is_logarithmic(page: str) -> None:
    assert "(log scale)" in page
    assert "(log above 100 B)" in page


@pytest.mark.slow
def test_machine_settings_and_versions_are_told(page: str) -> None:
    machine = results.describe_machine()
    assert machine.processor in page
    assert "{&quot;size&quot;: 7}" in page
    assert f"attrs {machine.packages['attrs']}" in page


@pytest.mark.slow
def test_a_report_made_twice_is_the_same_to_the_byte(tmp_path: Path, page: str) -> None:
    found = make_results()
    pages = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pages.add(report(tmp_path / name, found))
    assert len(pages) == 1


@pytest.mark.slow
def test_pictures_are_written_by_name_and_turn_in_the_dark(tmp_path: Path) -> None:
    results.write(make_results(), tmp_path / "trial.json")
    out, folder = tmp_path / "report.html", tmp_path / "pictures"
    words = [str(tmp_path / "trial.json"), "--out", str(out), "--pictures", str(folder)]
    assert main(["report", *words, "--only", "*-kills"]) == 0
    (path,) = folder.iterdir()
    assert path.name == "trial-kills.svg"
    svg = path.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "prefers-color-scheme: dark" in svg


@pytest.mark.slow
def test_a_run_that_came_to_nothing_makes_a_page_too(tmp_path: Path) -> None:
    check_alone(report(tmp_path, collect("trial", None, {})))


# -- each benchmark ------------------------------------------------------------------------------


async def measure_scenarios() -> Results:
    few = Scenario("few", 2, 6)
    sizes = ScenarioSizes(scenarios=(few,), runs=3, actions=1, rounds=2, paced=24, messages=(3,))
    return await harness.measure(plan_scenarios(sizes, ONCE, ["memory"]))


async def measure_scale() -> Results:
    return await harness.measure(make_scale(TINY_SCALE, ONCE), "behind: *")


async def measure_fanout() -> Results:
    return await harness.measure(make_fanout(TINY_FANOUT), "sent: *")


async def measure_durability() -> Results:
    sizes = DurabilitySizes(
        updates=3, kills=1, writers=4, contexts=2, seconds=0.05, flush_interval=0.01
    )
    return await harness.measure(plan_durability(sizes, ONCE, ["SQLite"]))


async def measure_peers() -> Results:
    sizes = PeersSizes(asks=3, deltas=3, lacking=3, updates=3, clients=5, each=2)
    return await harness.measure(plan_peers(["deltas", "sqlite"], sizes, ONCE))


async def measure_micro() -> Results:
    sizes = MicroSizes(keys=100, deltas=3, updates=3, watchers=3, weighed=3, crowd=3)
    return await harness.measure(plan_micro(["updates", "actors"], sizes, ONCE))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (measure_scenarios, ["Throughput", "Stateful against stateless", "Latency", "Audit"]),
        (measure_scale, ["Growth: behind", "What costs more", "behind, by versions behind"]),
        (measure_fanout, ["Bytes on the wire", "in full at each reading"]),
        (measure_durability, ["What each mode costs", "Killed while it wrote", "lost by 1 kill"]),
        (measure_peers, ["Against peers", "jsonpatch: Chord is", "Counted and weighed"]),
        (measure_micro, ["Against floors and peers", "a sync that lacks 10 versions: stateful is"]),
    ],
)
async def test_the_report_of_a_benchmark_shows_what_it_is_about(
    tmp_path: Path, measure: Callable[[], Awaitable[Results]], words: Sequence[str]
) -> None:
    found = await measure()
    assert not found.failed
    page = report(tmp_path, found)
    check_alone(page)
    for each in words:
        assert each in page


# -- what it says --------------------------------------------------------------------------------


def say(*plays: Play, measured: Sequence[Measured] = (), crashes: Sequence[Crash] = ()) -> str:
    found = collect("peers", None, {}, measured, plays=plays, crashes=crashes)
    advice = advise([Source("peers", found)])
    return "\n".join(line for each in advice for line in (each.answer, *each.sentences))


def test_a_mode_that_does_more_is_chosen_with_its_ratio() -> None:
    text = say(play(None, [0.31, 0.32, 0.33]), play("write-through", [0.2, 0.2, 0.2]))
    assert "Choose stateful" in text
    assert "1.6 times as many operations a second as stateless on SQLite." in text


def test_one_that_does_less_is_not() -> None:
    assert "Choose stateless" in say(play(None, [0.1] * 3), play("write-through", [0.2] * 3))


def test_a_difference_within_the_noise_is_called_so() -> None:
    text = say(play(None, [0.1, 0.2, 0.3]), play("write-through", [0.2, 0.18, 0.2]))
    assert "Neither is ahead" in text
    assert "on SQLite (noise)" in text


def test_of_a_run_or_two_nothing_is_concluded() -> None:
    text = say(play(None, [0.1]), play("write-through", [0.2]))
    assert "There are too few runs to tell" in text
    assert "(too few samples)" in text


def test_calls_are_said_for_all_stores() -> None:
    text = say(measured=[compared("stateful, Redis, a sync", "stateful", "stateless", 17.0)])
    assert "a sync: stateful is 17 times as fast as stateless on Redis." in text


def test_modes_that_lost_nothing_when_killed_are_recommended() -> None:
    kept, lost = crash("write-through", 50, Audit(50, 50)), crash("memory", 0, Audit())
    text = say(crashes=[kept, lost])
    assert "Choose stateful, write-through: nothing" in text
    assert "stateful, memory: 50 of 50 acknowledged updates lost by 1 kill, 100%" in text


def test_a_mode_that_lost_what_it_had_stored_is_not() -> None:
    text = say(crashes=[crash("write-through", 49, Audit(50, 49))])
    assert "PROMISE IS BROKEN" in text
    assert "No mode that was killed kept everything" in text


def test_a_peer_that_is_faster_is_said_to_be() -> None:
    text = say(measured=[compared("an ask", "ours", "a queue", 0.5)])
    assert "a queue: Chord is 0.50 times as fast; slower in 1 of 1." in text


@pytest.mark.parametrize(
    ("exponent", "words"),
    [
        (-1.0, "become less"),
        (0.0, "do not grow"),
        (0.5, "grow less than in proportion"),
        (1.0, "grow in proportion"),
        (2.0, "grow more than in proportion"),
    ],
)
def test_exponents_are_put_into_words(exponent: float, words: str) -> None:
    assert classify(grown(exponent)) == words


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ([1.1, 1.2, 1.3], "more"),
        ([0.9, 0.8, 0.7], "less"),
        ([0.9, *[1.2] * 7], "more"),  # one of many does not make it noise
        ([0.9, *[1.2] * 6], "noise"),  # one of few does
        ([*[0.9] * 3, *[1.2] * 7], "noise"),
        ([1.04, 1.04, 1.04], "noise"),
        ([2.0, 2.0], "unknown"),
    ],
)
def test_a_ratio_says_something_if_the_middle_half_is_beyond_one(
    samples: list[float], verdict: str
) -> None:
    assert spread(samples).verdict == verdict


def test_losses_that_break_a_promise_come_first() -> None:
    losses = list(find_losses(Source("trial", make_results())))
    assert [loss.is_broken for loss in losses] == [True, True, False, False]


# -- pictures ------------------------------------------------------------------------------------


def named(*names: str, unit: Unit = "seconds") -> list[Curve]:
    return [draw("a theme", name, unit, "keys", {1: [1.0], 10: [2.0]}) for name in names]


def test_curves_of_all_the_same_variants_are_parted() -> None:
    found = part(named("read, fast", "read, slow", "write, fast", "write, slow"))
    assert list(found) == ["read, by keys", "write, by keys"]


def test_others_stay_together() -> None:
    assert list(part(named("read, fast", "write, slow", "list"))) == ["time, by keys"]


def test_curves_of_another_unit_stand_apart_even_by_the_same_name() -> None:
    found = part([*named("a room: read"), *named("a room: read", unit="bytes")])
    assert list(found) == ["a room, by keys", "a room, by keys, bytes"]


# -- files ---------------------------------------------------------------------------------------


def write(folder: Path, *names: str, benchmark: str = "micro") -> None:
    for name in names:
        results.write(collect(benchmark, None, {}), folder / f"{name}.json")


def test_the_files_of_a_folder_are_read_in_the_order_of_the_benchmarks(tmp_path: Path) -> None:
    write(tmp_path, "a", benchmark="peers")
    write(tmp_path, "b", benchmark="scenarios")
    assert [each.name for each in read_sources([tmp_path])] == ["b", "a"]


def test_files_that_bear_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        write(folder, "micro")
    found = read_sources([tmp_path / "one", tmp_path / "two"])
    assert [each.name for each in found] == ["micro", "micro 2"]


def test_a_file_of_another_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "micro")
    path = tmp_path / "micro.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    assert main(["report", str(path)]) == REFUSED
    assert f"{path}: micro.json is of format 99" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"format": 2}', "\xff"])
def test_so_is_one_that_holds_no_results(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Unreadable, match=r"other\.json"):
        read_sources([path])


def test_so_are_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(Unreadable, match=str(path)):
            read_sources([path])


def test_a_run_is_called_as_its_file_is(tmp_path: Path) -> None:
    write(tmp_path, "last week")
    (found,) = read_sources([tmp_path / "last week.json"])
    assert found.name == "last week"
