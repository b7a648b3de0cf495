"""Show what is held against others: ratios to peers and to floors, what modes cost, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from textwrap import wrap
from typing import Final

import attrs
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from benchmarks.comparison import Kind, Measured
from benchmarks.figure import Taken
from benchmarks.report.canvas import draw, measure, name_ticks, stretch
from benchmarks.report.exhibit import Exhibit, Picture, Table, write_amount, write_count
from benchmarks.report.looks import INK, LOOKS, NAMES, PAPER, look
from benchmarks.report.sources import Source
from benchmarks.report.spread import Spread, rate, spread
from benchmarks.report.words import group, join
from benchmarks.timing import Samples

_LINE: Final = 56
"""Letters that stand in a line above what was compared."""
_SCALES: Final[dict[Kind, str]] = {"peer": "times as fast", "floor": "times the cost of the floor"}


def show_comparisons(source: Source) -> Iterator[Exhibit]:
    """By theme, but for those of modes, which stand beside each other for all stores."""
    modes = [each for each in source.results.measured if _is_of_modes(each)]
    if modes:
        yield _show_modes(source, modes)
    others = [each for each in source.results.measured if not _is_of_modes(each)]
    if others:
        yield _show_ratios(source, others)
    if source.results.figures:
        yield _show_figures(source.results.figures)


def _is_of_modes(measured: Measured) -> bool:
    return {each.name for each in (measured.ours, *measured.others)} <= set(LOOKS)


# -- ratios --------------------------------------------------------------------------------------


def _show_ratios(source: Source, measured: Sequence[Measured]) -> Exhibit:
    kinds = group(measured, lambda each: each.kind)
    pictures = group(measured, lambda each: (each.theme, each.kind))
    return Exhibit(
        title=f"Against {join([f'{kind}s' for kind in kinds])}",
        caption=f"Ratios of the rounds, each of Chord against one of the others right beside it: "
        f"medians, and lines for the middle half. {' '.join(map(_explain, kinds))} Blue dots are "
        "above 1, orange squares below, crosses within the noise. The axes are logarithmic.",
        pictures=tuple(_draw_ratios(source, *key, some) for key, some in pictures.items()),
        table=Table(
            ("what", "ours", "takes", "against", "takes", "ratio (middle half)", "verdict", "aim"),
            tuple(_list_ratio(each, other) for each in measured for other in each.others),
        ),
    )


def _explain(kind: Kind) -> str:
    if kind == "peer":
        return "A peer does the same work: to the right of 1, Chord is faster."
    return "A floor is the least that could be done: to the right of 1, Chord costs more."


def _list_ratio(each: Measured, other: Samples) -> tuple[str, ...]:
    found = rate(each, other)
    return (
        f"{each.theme}: {each.name}",
        each.ours.name,
        write_amount(each.ours.median, "seconds"),
        other.name,
        write_amount(other.median, "seconds"),
        f"{found.write(write_count)} {_SCALES[each.kind]}",
        judge(found, each.kind),
        _say_aim(each),
    )


def _say_aim(each: Measured) -> str:
    """What it was to be against the fastest of the others."""
    if each.aim is None:
        return "none"
    bound = "at most" if each.kind == "floor" else "at least"
    return f"{bound} {each.aim:g}, {'met' if each.is_met else 'NOT MET'}"


def judge(found: Spread, kind: Kind) -> str:
    """What a ratio comes to, in a word or two."""
    verdicts = {"noise": "within the noise", "unknown": "too few rounds to tell"}
    if kind == "peer":
        return {**verdicts, "more": "faster", "less": "slower"}[found.verdict]
    return {**verdicts, "more": "costs more", "less": "costs less"}[found.verdict]


@attrs.frozen
class _Row:
    """A line of a picture: a name that is compared, or, with a spread, one of the others."""

    words: str
    found: Spread | None = None


def _draw_ratios(source: Source, theme: str, kind: Kind, measured: Sequence[Measured]) -> Picture:
    rows = [row for each in measured for row in _lay_out(each)]
    return draw(
        f"{source.name}-{theme}-{kind}s",
        f"{theme}: Chord against {kind}s",
        lambda axes: _paint_ratios(axes, rows, _SCALES[kind]),
        height=0.7 + 0.19 * len(rows),
    )


def _lay_out(measured: Measured) -> Iterator[_Row]:
    yield from (_Row(line) for line in wrap(measured.name, _LINE))
    for other in measured.others:
        yield _Row(_abridge(other.name), rate(measured, other))


def _abridge(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:28].rstrip(' ,')}…"


def _paint_ratios(axes: Axes, rows: Sequence[_Row], scale: str) -> None:
    for y, row in enumerate(rows):
        if row.found is None:
            _name(axes, row.words, y)
        else:
            _paint_row(axes, row.found, y)
    axes.axvline(1, color=INK, lw=1)
    name_ticks(axes, "y", [row.words if row.found else "" for row in rows])
    axes.tick_params("y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    bounds = [bound for row in rows if row.found for bound in (row.found.low, row.found.high)]
    limits = min(0.7, *bounds) * 0.8, max(1.5, *bounds) * 1.25
    axes.set_xlabel(f"{scale} ({measure(axes, 'x', 'count', limits)})")
    axes.set_xlim(limits)


def _name(axes: Axes, words: str, y: float) -> None:
    """Across the whole picture, over whatever is there."""
    across = blended_transform_factory(axes.figure.transSubfigure, axes.transData)
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    text = axes.text(0.01, y, words, transform=across, va="center", fontsize=8, bbox=behind)
    text.set_fontweight("bold")
    text.set_in_layout(False)


def _paint_row(axes: Axes, found: Spread, y: float) -> None:
    drawn = look({"more": 0, "less": 1}.get(found.verdict, 6))
    axes.errorbar(found.median, y, xerr=stretch(found), color=drawn.colour, marker=drawn.marker)
    axes.text(
        1.02,
        y,
        write_count(found.median),
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=8,
    )


# -- what modes cost -----------------------------------------------------------------------------


def _show_modes(source: Source, measured: Sequence[Measured]) -> Exhibit:
    by_name = group(measured, lambda each: each.name)
    return Exhibit(
        title="What each mode costs",
        caption="The time of one update: medians, and lines for the middle half of the rounds. "
        "The axis is logarithmic.",
        pictures=tuple(_draw_modes(source, *each) for each in by_name.items()),
        table=Table(
            ("what", "store", "mode", "one takes (middle half)", "rounds"),
            tuple(_list_mode(each, mode) for each in measured for mode in _find_modes(each)),
        ),
    )


def _find_modes(measured: Measured) -> list[Samples]:
    """In the order in which modes always stand."""
    return sorted((measured.ours, *measured.others), key=lambda each: list(LOOKS).index(each.name))


def _list_mode(measured: Measured, mode: Samples) -> tuple[str, ...]:
    found = spread(mode.seconds)
    amounts = found.write(partial(write_amount, unit="seconds"))
    return measured.name, measured.theme, mode.name, amounts, str(found.count)


def _draw_modes(source: Source, name: str, measured: Sequence[Measured]) -> Picture:
    return draw(
        f"{source.name}-modes-{name}",
        f"{name}: seconds of one update",
        lambda axes: _paint_modes(axes, measured),
        height=2.9,
        columns=2,
    )


def _paint_modes(axes: Axes, measured: Sequence[Measured]) -> None:
    for index, each in enumerate(measured):
        for number, mode in enumerate(_find_modes(each)):
            _paint_mode(axes, mode, index + (number - 1.5) * 0.2, is_first=not index)
    name_ticks(axes, "y", [each.theme for each in measured])
    axes.invert_yaxis()
    taken = [each.median for some in measured for each in _find_modes(some)]
    axes.set_xlabel(f"time of one update ({measure(axes, 'x', 'seconds', taken)})")


def _paint_mode(axes: Axes, mode: Samples, y: float, *, is_first: bool) -> None:
    found, drawn = spread(mode.seconds), LOOKS[mode.name]
    axes.errorbar(
        found.median,
        y,
        xerr=stretch(found),
        color=drawn.colour,
        marker=drawn.marker,
        label=NAMES[mode.name] if is_first else "_",
    )


# -- figures -------------------------------------------------------------------------------------


def _show_figures(figures: Sequence[Taken]) -> Exhibit:
    return Exhibit(
        title="Counted and weighed",
        caption="What was counted or weighed once, or timed alone.",
        table=Table(
            ("theme", "what", "amount", "aim"),
            tuple(_list_figure(each) for each in figures),
        ),
    )


def _list_figure(each: Taken) -> tuple[str, ...]:
    aim = "none"
    if each.aim is not None:
        met = "met" if each.is_met else "NOT MET"
        aim = f"at most {write_amount(each.aim, each.unit)}, {met}"
    return each.theme, each.name, write_amount(each.value, each.unit), aim
