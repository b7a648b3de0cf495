"""Show results as a table. No judgement of its own."""

from __future__ import annotations

import sys

import attrs
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Measured
from benchmarks.figure import Taken
from benchmarks.results import Results
from benchmarks.timing import Samples


def show(results: Results, console: Console | None = None) -> None:
    """Print a table of all that was measured, and the names of what was skipped."""
    console = console or Console(width=160 if not sys.stdout.isatty() else None)
    machine = results.machine
    console.print(f"{machine.python}, {machine.cores} cores, {machine.processor}")
    console.print(_lay_out(results))
    for skipped in results.skipped:
        console.print(f"skipped {skipped.theme}: {skipped.reason}")


def _lay_out(results: Results) -> Table:
    caption = "median (least) of one operation; ratios pair by pair"
    table = Table(title=results.benchmark, caption=caption)
    for heading in ("what", "ours", "against", "theirs", "ratio", "aim", "met"):
        right = heading in ("ours", "theirs", "ratio", "aim")
        table.add_column(heading, justify="right" if right else "left")
    every: list[Measured | Taken] = [*results.measured, *results.figures]
    for theme in dict.fromkeys(each.theme for each in every):
        table.add_section()
        table.add_row(f"[bold]{theme}[/]")
        for each in every:
            if each.theme == theme:
                _add_rows(table, each)
    return table


def _add_rows(table: Table, each: Measured | Taken) -> None:
    if isinstance(each, Taken):
        table.add_row(each.name, write_amount(each), "", "", "", *_judge_figure(each))
        return
    fastest = min(each.others, key=lambda other: other.median)
    for place, other in enumerate(each.others):
        table.add_row(
            "" if place else each.name,
            "" if place else write_samples(each.ours),
            other.name,
            write_samples(other),
            write_ratio(each, other),
            *(_judge(each) if other is fastest else ("", "")),
        )


def _judge(each: Measured) -> tuple[str, str]:
    if each.aim is None:
        return "", ""
    bound = "<=" if each.kind == "floor" else ">="
    return f"{bound} {each.aim:g}", _say_if_met(each)


def _judge_figure(each: Taken) -> tuple[str, str]:
    if each.aim is None:
        return "", ""
    return f"<= {write_amount(attrs.evolve(each, value=each.aim))}", _say_if_met(each)


def _say_if_met(each: Measured | Taken) -> str:
    return "[green]yes[/]" if each.is_met else "[red]NO[/]"


def write_amount(figure: Taken) -> str:
    """The number of a figure, in its unit."""
    if figure.unit == "seconds":
        return write_seconds(figure.value)
    return f"{figure.value:,.0f} B" if figure.unit == "bytes" else f"{figure.value:.3g}"


def write_ratio(each: Measured, other: Samples) -> str:
    """The ratio, and what it counts."""
    meaning = "x its cost" if each.kind == "floor" else "x as fast"
    return f"{each.rate(other):.3g} {meaning}"


def write_samples(samples: Samples) -> str:
    return f"{write_seconds(samples.median)} ({write_seconds(samples.least)})"


def write_seconds(seconds: float) -> str:
    """Three digits in a fitting unit.

    >>> write_seconds(0.00000123), write_seconds(0.0456)
    ('1.23 us', '45.6 ms')
    """
    for factor, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
