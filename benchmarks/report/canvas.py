"""Draw SVG with matplotlib, the same numbers always to the same bytes. No knowledge of results.

Ink, grid and paper are colours of their own: a style sheet, in the picture or around it, finds them
and turns them where the reader prefers it dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final, Literal, TypeAlias

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.figure import Unit
from benchmarks.report.exhibit import Picture, make_name, write_amount
from benchmarks.report.looks import GRID, INK, PAPER, write_style
from benchmarks.report.spread import Spread

WIDTH: Final = 4.4
"""Inches of every picture: narrow, so that words can be read on a phone."""
WIDEST_LINEAR: Final = 100.0
"""In bytes: where less is weighed, it is what else the interpreter keeps."""

Paint: TypeAlias = Callable[[Axes], None]

_FONT: Final = "DejaVu Sans"
"""Comes with matplotlib, which measures by it; where it is missing, one as wide takes its place."""

_STYLE: Final[dict[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "font.family": _FONT,
    "font.size": 9.0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))


# -- the picture ---------------------------------------------------------------------------------


def draw(name: str, title: str, paint: Paint, *, height: float, columns: int = 1) -> Picture:
    """Have axes painted, and the legend put below them in so many columns; `height` in inches."""
    name = make_name(name)
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        paint(axes)
        _add_legend(figure, axes, columns)
        return Picture(name, title, _write(figure))


def _add_legend(figure: Figure, axes: Axes, columns: int) -> None:
    lines, labels = axes.get_legend_handles_labels()
    if labels:
        figure.legend(lines, labels, loc="outside lower left", ncols=columns)


def _write(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return _slim(buffer.getvalue())


def _slim(svg: str) -> str:
    """Without what stands before the picture, and names that would be there twice on one page."""
    found = svg[svg.index("<svg") :]
    found = re.sub(r"<metadata>.*?</metadata>", "", found, flags=re.DOTALL)
    found = re.sub(r' width="[\d.]+pt"| height="[\d.]+pt"', "", found, count=2)
    found = re.sub(r'<g id="[^"]*"', "<g", found)
    found = found.replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")
    return re.sub(r"\n\s*", "\n", found)


# -- the axes ------------------------------------------------------------------------------------


def measure(axes: Axes, which: Literal["x", "y"], unit: Unit, values: Sequence[float]) -> str:
    """Make an axis logarithmic, with ticks in a fitting unit; return what kind of axis it is."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    lowest, highest = min(values), max(values)
    scale = axes.set_xscale if which == "x" else axes.set_yscale
    if lowest > 0:
        scale("log")
        axis.set_major_locator(LogLocator(subs=_choose_steps(lowest, highest)))
        kind = "log scale"
    else:
        edge = _find_edge(unit, values)
        scale("symlog", linthresh=edge, linscale=0.5)
        kind = f"log above {write_amount(edge, unit)}"
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write_amount(value, unit)))
    return kind


def _find_edge(unit: Unit, values: Sequence[float]) -> float:
    """Up to where an axis is linear that has to show what is not above 0, too."""
    return WIDEST_LINEAR if unit == "bytes" else min(value for value in values if value > 0)


def _choose_steps(lowest: float, highest: float) -> tuple[float, ...]:
    """How each decade is divided, so that there are some ticks but not too many."""
    if highest / lowest > 200:
        return (1.0,)
    return (1.0, 2.0, 5.0) if highest / lowest > 10 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def count_up(axes: Axes, unit: Unit) -> None:
    """Let a linear axis of y begin at 0."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write_amount(value, unit)))
    axes.set_ylim(bottom=0)


def name_ticks(axes: Axes, which: Literal["x", "y"], names: Sequence[str]) -> None:
    """A name at each whole number."""
    if which == "x":
        axes.set_xticks(range(len(names)), names)
    else:
        axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False, axis=which)
    (axes.xaxis if which == "x" else axes.yaxis).set_minor_locator(FixedLocator([]))


def stretch(found: Spread) -> list[list[float]]:
    """How far the middle half reaches from the median, as error bars want it."""
    return [[max(found.median - found.low, 0.0)], [max(found.high - found.median, 0.0)]]


# -- by itself -----------------------------------------------------------------------------------


def write_file(picture: Picture) -> str:
    """A picture for a file of its own, light and dark."""
    head, end, rest = picture.svg.partition(">\n")
    return (
        f"{head}{end}<title>{escape(picture.title)}</title><style>{write_style()}</style>\n{rest}"
    )
