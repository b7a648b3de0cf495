"""Show how costs grow: the curves of one theme and unit in one picture, each with its exponent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from textwrap import fill
from typing import Final

from matplotlib.axes import Axes

from benchmarks.curve import Curve, Point
from benchmarks.report.advice import SENT, write_exponent
from benchmarks.report.canvas import count_up, draw, measure, stretch
from benchmarks.report.exhibit import Exhibit, Picture, Table, write_amount
from benchmarks.report.looks import choose
from benchmarks.report.parting import QUANTITIES, part, shorten
from benchmarks.report.sources import Source
from benchmarks.report.spread import spread
from benchmarks.report.words import group

_LETTERS: Final = 54
"""Of one line below a picture."""


def show_curves(source: Source) -> Iterator[Exhibit]:
    measured = [each for each in source.results.curves if each.points]
    for theme, curves in group(measured, lambda each: each.theme).items():
        yield _show_theme(source, theme, curves)


def _show_theme(source: Source, theme: str, curves: Sequence[Curve]) -> Exhibit:
    parts = part(curves)
    drawn = {title: some for title, some in parts.items() if not _is_flat(some)}
    pictures = [
        _draw(f"{source.name}-{theme}-{title}", f"{theme}: {title}", some)
        for title, some in drawn.items()
    ]
    return Exhibit(
        title="Bytes on the wire" if theme == SENT else f"Growth: {theme}",
        caption=f"{_SENT if theme == SENT else _GROWTH}{_say_flat(parts)}",
        pictures=tuple(pictures),
        table=Table(
            ("what", "exponent", "at", "median (middle half)", "samples", "lost"),
            tuple(row for curve in curves for row in _list_points(curve)),
        ),
    )


_GROWTH: Final = (
    "Medians with lines for the middle half of the samples, against size; the number behind a "
    "name is the fitted exponent: a cost of exponent 0 does not grow, one of 1 doubles where its "
    "cause does (least squares on logarithmic scales)."
)
_SENT: Final = (
    "Bytes for each version that a client is sent which reads only now and then: conflated into "
    "one delta at each reading, as Chord does it, every delta by itself, or the full state at each "
    "reading. Medians with lines for the middle half of the readings; the number behind a name is "
    "the fitted exponent. Encoded by Chord's codec."
)


def _is_flat(curves: Sequence[Curve]) -> bool:
    """Whether there is nothing to draw: a count that is the same everywhere, or nothing at all."""
    medians = {point.median for point in _find_points(curves)}
    return len(medians) == 1 and (curves[0].unit == "count" or medians == {0.0})


def _say_flat(parts: Mapping[str, Sequence[Curve]]) -> str:
    said = [
        f"{title}: always {write_amount(some[0].points[0].median, some[0].unit)}"
        for title, some in parts.items()
        if _is_flat(some)
    ]
    return f" Not drawn: {'; '.join(said)}." if said else ""


def _list_points(curve: Curve) -> Iterator[tuple[str, ...]]:
    exponent = "none" if curve.exponent is None else write_exponent(curve.exponent)
    lost = "not written" if curve.audit is None else f"{curve.audit.lost:,}"
    for point in curve.points:
        found = spread(point.samples)
        amounts = found.write(partial(write_amount, unit=curve.unit))
        at = f"{point.x:,} {curve.of}"
        yield curve.name, exponent, at, amounts, str(found.count), lost


# -- the picture ---------------------------------------------------------------------------------


def _draw(name: str, title: str, curves: Sequence[Curve]) -> Picture:
    return draw(
        name,
        title,
        lambda axes: _paint(axes, title.partition(": ")[2], curves),
        height=2.7 + 0.17 * len(curves),
    )


def _paint(axes: Axes, title: str, curves: Sequence[Curve]) -> None:
    for number, curve in enumerate(curves):
        _paint_curve(axes, curve, number, shorten(curve.name, title))
    measure(axes, "x", "count", [point.x for point in _find_points(curves)])
    axes.set_xlabel(f"{curves[0].of} (log scale)")
    axes.set_ylabel(_measure_costs(axes, curves))


def _measure_costs(axes: Axes, curves: Sequence[Curve]) -> str:
    unit = curves[0].unit
    medians = [point.median for point in _find_points(curves)]
    if unit == "count":
        count_up(axes, unit)
        return QUANTITIES[unit]
    return f"{QUANTITIES[unit]} ({measure(axes, 'y', unit, medians)})"


def _find_points(curves: Sequence[Curve]) -> list[Point]:
    return [point for curve in curves for point in curve.points]


def _paint_curve(axes: Axes, curve: Curve, number: int, name: str) -> None:
    drawn = choose(name, number)
    spreads = [spread(point.samples) for point in curve.points]
    lows, highs = zip(*(stretch(found) for found in spreads), strict=True)
    exponent = "" if curve.exponent is None else f"  [{write_exponent(curve.exponent)}]"
    axes.errorbar(
        [point.x for point in curve.points],
        [found.median for found in spreads],
        yerr=[[low for (low,) in lows], [high for (high,) in highs]],
        color=drawn.colour,
        marker=drawn.marker,
        label=fill(f"{name}{exponent}", _LETTERS),
        elinewidth=1,
    )
