"""Test that curves keep their samples, and how their exponents are fitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.curve import Curve, Point, draw, fit_exponent
from benchmarks.timing import Effort
from examples.scenarios import Audit


def draw_costs(samples: dict[int, list[float]], audit: Audit | None = None) -> Curve:
    return draw("a theme", "a curve", "seconds", "keys", samples, audit)


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_power_that_made_the_costs(exponent: float) -> None:
    points = [Point(x, (3e-6 * x**exponent,)) for x in (1, 10, 100, 1000)]
    assert fit_exponent(points) == pytest.approx(exponent)


def test_the_exponent_is_of_the_medians() -> None:
    points = [Point(x, (0.0, float(x), 1e9)) for x in (1, 10, 100)]
    assert fit_exponent(points) == pytest.approx(1.0)


def test_through_fewer_than_three_points_nothing_is_fitted() -> None:
    assert fit_exponent([Point(1, (1.0,)), Point(10, (10.0,))]) is None


def test_what_is_not_above_zero_is_left_out_of_the_fit() -> None:
    points = [Point(0, (1.0,)), *(Point(x, (float(x),)) for x in (1, 10, 100))]
    assert fit_exponent([*points, Point(1000, (0.0,))]) == pytest.approx(1.0)
    assert fit_exponent([*points[:3], Point(1000, (-1.0,))]) is None


def test_points_are_in_order_and_keep_every_sample() -> None:
    curve = draw_costs({10: [2.0, 3.0], 1: [1.0]})
    assert curve.points == (Point(1, (1.0,)), Point(10, (2.0, 3.0)))
    assert curve.points[1].median == 2.5


@pytest.mark.parametrize("audit", [None, Audit(acknowledged=3, kept=3, copies=1, equal=1)])
def test_curves_are_read_back_as_they_were_written(tmp_path: Path, audit: Audit | None) -> None:
    curves = [draw_costs({1: [1.0], 2: [2.0], 4: [4.0]}, audit), draw_costs({1: [1.0]})]
    found = results.collect("scale", Effort(), {}, curves=curves)
    results.write(found, tmp_path / "scale.json")
    assert results.read(tmp_path / "scale.json").curves == tuple(curves)


def test_a_curve_whose_audit_misses_something_is_broken() -> None:
    kept, lost = (draw_costs({1: [1.0]}, Audit(acknowledged=2, kept=kept)) for kept in (2, 1))
    assert results.collect("scale", None, {}, curves=[kept, lost]).broken == (lost,)
