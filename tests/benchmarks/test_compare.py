"""Test how two runs are paired, and what is called a change."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from benchmarks import results
from benchmarks.__main__ import main
from benchmarks.compare.command import show
from benchmarks.compare.pairing import Pair, Sampled, compare, find_ours
from benchmarks.comparison import Measured
from benchmarks.curve import draw
from benchmarks.figure import Taken, Unit
from benchmarks.latency import sum_up
from benchmarks.play import Play, Timing
from benchmarks.results import Failed, Results, collect
from benchmarks.timing import Samples
from examples.scenarios import Audit


def pair(before: Sequence[float], after: Sequence[float], unit: Unit = "seconds") -> Pair:
    return Pair(
        theme="a theme",
        name="a name",
        before=Sampled(unit, tuple(before)),
        after=Sampled(unit, tuple(after)),
    )


# -- the verdict ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([2.0, 2.1, 2.2], [1.0, 1.1, 1.2], "faster"),
        ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2], "slower"),
        ([1.0, 2.0, 3.0], [2.0, 2.6, 4.0], "same"),  # the middle halves overlap
        ([1.0, 1.0, 1.0], [1.04, 1.04, 1.04], "same"),  # too little
        ([1.0, 1.0, 1.0, 1.0, 90.0], [2.0, 2.0, 2.0, 2.0, 0.1], "slower"),  # outliers
        ([1.0], [1.2], "same"),  # taken once, so little is known
        ([1.0], [1.3], "slower"),
        ([1.0], [0.5], "faster"),
        ([0.0], [0.0], "same"),
    ],
)
def test_a_time_changed_if_it_did_by_more_than_its_spread(
    before: list[float], after: list[float], verdict: str
) -> None:
    assert pair(before, after).verdict == verdict


@pytest.mark.parametrize(
    ("after", "verdict"), [(100.0, "same"), (104.0, "same"), (110.0, "more"), (90.0, "less")]
)
def test_bytes_become_less_or_more(after: float, verdict: str) -> None:
    assert pair([100.0], [after], "bytes").verdict == verdict


def test_what_was_nothing_and_is_something_became_more() -> None:
    assert pair([0.0], [3.0], "count").verdict == "more"


def test_the_ratio_is_that_of_the_medians() -> None:
    assert pair([1.0, 2.0, 9.0], [4.0, 3.0, 5.0]).ratio == 2.0


# -- pairs ---------------------------------------------------------------------------------------


def measured(name: str, ours: float, other: float = 1.0) -> Measured:
    def samples(of: str, seconds: float) -> Samples:
        return Samples(name=of, count=1, operations=1, seconds=(seconds,) * 3)

    return Measured(
        theme="updates",
        name=name,
        kind="peer",
        aim=None,
        ours=samples("ours", ours),
        others=(samples("peer", other),),
    )


def run(*some: Measured, benchmark: str = "micro") -> Results:
    return collect(benchmark, None, {}, some)


def test_things_are_paired_by_their_names() -> None:
    found = compare(run(measured("a", 1.0), measured("b", 2.0)), run(measured("b", 4.0)))
    assert [(each.name, each.ratio) for each in found.pairs] == [("b", 2.0)]
    assert found.gone == (("updates", "a"),)
    assert found.new == ()


def test_what_is_new_is_named() -> None:
    assert compare(run(), run(measured("a", 1.0))).new == (("updates", "a"),)


def test_that_the_machine_became_slower_is_seen_by_what_is_not_ours() -> None:
    found = compare(run(measured("a", 1.0, 1.0)), run(measured("a", 1.0, 3.0)))
    assert found.drift == pytest.approx(3.0)


def test_where_nothing_else_was_measured_nothing_is_said_of_the_machine() -> None:
    assert compare(run(), run()).drift is None


def test_different_benchmarks_are_not_compared() -> None:
    with pytest.raises(ValueError, match="scale cannot be compared with micro"):
        compare(run(benchmark="scale"), run())


def play(timing: Timing) -> Play:
    return Play(
        scenario="single",
        store="SQLite",
        runtime="stateless",
        durability=None,
        timing=timing,
        operations=10,
        seconds=(1.0, 2.0),
        latency=sum_up([0.5]),
        durable=1,
        errors=0,
        audit=Audit(1, 1),
    )


def test_a_play_is_compared_by_its_time_for_an_action_and_its_latencies() -> None:
    found = dict(find_ours(attrs.evolve(run(), plays=(play("fair"),))))
    name = "single, fair, stateless"
    assert found["SQLite", f"{name}, each action"].samples == (0.1, 0.2)
    assert found["SQLite", f"{name}, p50"].samples == pytest.approx((0.5,), rel=0.01)
    assert found["SQLite", f"{name}, p99"].samples == pytest.approx((0.5,), rel=0.01)


def test_one_whose_rate_was_given_only_by_its_latencies() -> None:
    found = dict(find_ours(attrs.evolve(run(), plays=(play("open-loop"),))))
    assert len(found) == 2


def test_a_curve_is_compared_point_by_point() -> None:
    curve = draw("state", "a write", "bytes", "keys", {1: [5.0], 10: [6.0]})
    found = dict(find_ours(attrs.evolve(run(), curves=(curve,))))
    assert list(found) == [("state", "a write, 1 keys"), ("state", "a write, 10 keys")]


def test_a_figure_is_compared_in_its_unit() -> None:
    figure = Taken(theme="weights", name="a room", unit="bytes", aim=None, value=7.0)
    found = dict(find_ours(attrs.evolve(run(), figures=(figure,))))
    assert found["weights", "a room"] == Sampled("bytes", (7.0,))


# -- the command ---------------------------------------------------------------------------------


def tell(before: Results, after: Results, *, only_changed: bool = False) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(before, after, console, only_changed=only_changed)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_table_says_the_verdicts_and_sums_them_up() -> None:
    text = tell(run(measured("a", 1.0), measured("b", 1.0)), run(measured("a", 3.0)))
    assert "slower" in text
    assert "1 slower" in text
    assert "only before: updates: b" in text


def test_what_is_the_same_can_be_left_out() -> None:
    both = run(measured("a certain name", 1.0))
    assert "a certain name" in tell(both, both)
    assert "a certain name" not in tell(both, both, only_changed=True)


def test_a_failure_of_either_run_is_said() -> None:
    failing = attrs.evolve(run(), failed=(Failed("updates", "a", "ValueError: x"),))
    assert "FAILED after: updates: a: ValueError: x" in tell(run(), failing)


def test_another_machine_or_other_settings_are_said() -> None:
    other = attrs.evolve(
        run(), machine=attrs.evolve(run().machine, python="CPython 9"), settings={"keys": 3}
    )
    text = tell(run(), other)
    assert "another python" in text
    assert "other settings" in text


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seconds in (("before", 1.0), ("after", 2.0)):
        results.write(run(measured("a", seconds)), tmp_path / f"{name}.json")
    assert main(["compare", f"{tmp_path}/before.json", f"{tmp_path}/after.json"]) == 0
    assert "slower" in capsys.readouterr().out


def test_of_two_folders_those_files_that_bear_the_same_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, names in (("before", ["micro", "scale"]), ("after", ["micro"])):
        (tmp_path / folder).mkdir()
        for name in names:
            results.write(run(measured("a", 1.0)), tmp_path / folder / f"{name}.json")
    assert main(["compare", f"{tmp_path}/before", f"{tmp_path}/after"]) == 0
    assert capsys.readouterr().out.count("1 same") == 1
