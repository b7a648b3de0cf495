"""Test that costs are followed over all sizes, tiny ones here, and audited: no times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.clicks import Clicks, dig, nest
from benchmarks.curve import Curve
from benchmarks.harness import Measurement
from benchmarks.scale.chart import Chart
from benchmarks.scale.command import THEMES, make
from benchmarks.scale.sizes import TINY
from benchmarks.scale.state import DEEP, LEVELS, WIDE, Shape
from benchmarks.side import join_side, open_side
from benchmarks.timing import Effort
from chord import StatelessChord
from chord.testing.servers import find_redis, find_valkey
from tests.benchmarks.curves import check_curves
from tests.examples.lossy import LossyBackend
from tests.servers import find_program

ONCE = Effort(rounds=2, fewest=1, round_seconds=0.0)
SIZES = list(attrs.astuple(TINY))
SERVERS: dict[str, Callable[[], str]] = {
    "clients on Redis": find_redis,
    "clients on Valkey": find_valkey,
}
QUICK = {"behind"}
HERE = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in THEMES
    if name not in SERVERS
]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("theme", HERE)
async def test_a_theme_is_followed_over_all_sizes(theme: str) -> None:
    found = await harness.measure(make(TINY, ONCE), f"{theme}: *")
    check_curves(found, theme, SIZES)


@pytest.mark.server
@pytest.mark.parametrize("theme", SERVERS)
async def test_so_is_one_on_a_server(theme: str) -> None:
    find_program(SERVERS[theme])
    found = await harness.measure(make(TINY, ONCE), f"{theme}: *")
    check_curves(found, theme, SIZES)


async def test_a_theme_without_its_server_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    found = await harness.measure(make(TINY, ONCE), "clients on Redis: *")
    assert [skipped.theme for skipped in found.skipped] == ["clients on Redis"]


async def test_what_a_client_is_told_of_one_field_does_not_grow() -> None:
    found = await harness.measure(make(TINY, ONCE), "behind: what is told, one field*")
    (curve,) = found.curves
    assert curve.points[-1].median <= curve.points[0].median


def test_the_command_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "scale.json"
    assert main(["scale", "--quick", "--only", "behind: what*", "--out", str(out)]) == 0
    found = results.read(out)
    assert found.benchmark == "scale"
    assert [each.theme for each in found.curves] == ["behind", "behind"]


# -- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [1, 2, LEVELS - 1, LEVELS, LEVELS + 1, 1000])
@pytest.mark.parametrize("shape", [WIDE, DEEP], ids=lambda shape: shape.name)
def test_a_state_has_as_many_numbers_as_asked_for(shape: Shape, keys: int) -> None:
    assert count_numbers(shape.build(keys)) == keys


@pytest.mark.parametrize("keys", [1, 2, LEVELS + 1, 1000])
@pytest.mark.parametrize("shape", [WIDE, DEEP], ids=lambda shape: shape.name)
def test_the_number_that_is_counted_up_is_there_at_first(shape: Shape, keys: int) -> None:
    assert dig(shape.build(keys), shape.path(keys)) == 0


def count_numbers(state: dict[str, object]) -> int:
    return sum(count_numbers(each) if isinstance(each, dict) else 1 for each in state.values())


# -- the audit -----------------------------------------------------------------------------------


async def follow_clicks(clicks: Clicks) -> Curve:
    chart = Chart(theme="clicks", of="clients", sizes=[5, 10, 20], effort=ONCE)
    measurement = chart.time("click", lambda count: clicks.contend_at_once("", count), [clicks])
    return await take(measurement)


async def take(measurement: Measurement) -> Curve:
    curve = await measurement.measure()
    assert isinstance(curve, Curve)
    return curve


async def test_clicks_are_kept_and_counted() -> None:
    async with open_side(StatelessChord, "memory://") as side:
        await side.chord.set_context("room:1", nest(["n"], 0))
        curve = await follow_clicks(Clicks(side, ["room:1"], ["n"]))
    assert curve.audit is not None
    assert curve.audit.holds
    assert curve.audit.acknowledged == 3 * (5 + 10 + 20)  # to calibrate, and in two rounds


async def test_the_audit_catches_a_store_that_loses_clicks() -> None:
    backend = LossyBackend()
    await backend.open()
    async with join_side(StatelessChord, backend) as side:
        for context_id in ("room:1", "room:2"):
            await side.chord.set_context(context_id, nest(["n"], 0))
        clicks = Clicks(side, ["room:1", "room:2"], ["n"])
        chart = Chart(theme="clicks", of="", sizes=[1] * 8, effort=ONCE)
        curve = await take(chart.time("click", lambda _: clicks.contend(""), [clicks]))
    assert curve.audit is not None
    assert curve.audit.lost > 0


async def test_a_context_that_is_gone_has_lost_all_clicks() -> None:
    async with open_side(StatelessChord, "memory://") as side:
        await side.chord.set_context("room:1", nest(["n"], 0))
        clicks = Clicks(side, ["room:1"], ["n"])
        await follow_clicks(clicks)
        await side.chord.delete_context("room:1")
        audit = await clicks.audit()
    assert audit.kept == 0
    assert audit.lost == audit.acknowledged
