"""Show results as tables. No judgement of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.comparison import Measured
from benchmarks.crash import Crash
from benchmarks.curve import Curve
from benchmarks.figure import Taken, Unit
from benchmarks.play import Play
from benchmarks.results import Outcome, Results
from benchmarks.timing import Samples
from examples.scenarios import Audit

Row = TypeVar("Row", bound=Outcome)

LEFT = ("what", "against", "met", "replicas")
"""The headings of columns of words; what is in the others are numbers."""


def show(results: Results, console: Console | None = None) -> None:
    """Print tables of all that was measured, and the names of what was skipped, or failed."""
    console = console or make_console()
    machine = results.machine
    console.print(f"{machine.python}, {machine.cores} cores, {machine.processor}")
    for table in _lay_out(results):
        console.print(table)
    for skipped in results.skipped:
        console.print(escape(f"skipped {_name(skipped.theme, skipped.name)}: {skipped.reason}"))
    for failed in results.failed:
        console.print(escape(f"FAILED {_name(failed.theme, failed.name)}: {failed.error}"))
    for broken in results.broken:
        console.print(escape(f"LOST {_name(broken.theme, broken.name)}: the audit does not hold"))
    if results.interrupted:
        console.print("interrupted: what is here was measured until then")


def make_console() -> Console:
    """One that is wide enough where it is no terminal that says how wide it is."""
    return Console(width=160 if not sys.stdout.isatty() else None)


def _name(theme: str, name: str) -> str:
    return f"{theme}: {name}" if name else theme


def _lay_out(results: Results) -> list[Table]:
    tables = [
        _lay_out_comparisons(results),
        _lay_out_plays(results),
        _lay_out_curves(results),
        _lay_out_crashes(results),
    ]
    return [table for table in tables if table.row_count]


def _make(title: str, caption: str, *headings: str) -> Table:
    table = Table(title=title, caption=caption)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in LEFT else "right")
    return table


def _fill(table: Table, outcomes: Sequence[Row], add: Callable[[Table, Row], None]) -> Table:
    """Add a row or more for each, theme by theme."""
    for theme in dict.fromkeys(each.theme for each in outcomes):
        _add_theme(table, theme)
        for each in outcomes:
            if each.theme == theme:
                add(table, each)
    return table


# -- scenarios -----------------------------------------------------------------------------------


def _lay_out_plays(results: Results) -> Table:
    table = _make(
        f"{results.benchmark}: plays",
        "operations per second in the median run, and those begun by rate; latencies of each",
        *("what", "per second", "rate", "p50", "p99", "p99.9", "max"),
        *("acknowledged", "durable", "kept", "lost", "replicas"),
    )
    return _fill(table, results.plays, _add_play)


def _add_play(table: Table, each: Play) -> None:
    found = each.latency
    latencies = [write_seconds(some) for some in (found.p50, found.p99, found.p999, found.max)]
    errors = f", {each.errors:,} ERRORS" if each.errors else ""
    table.add_row(
        f"{escape(each.name)}{errors}",
        f"{each.throughput:,.0f}",
        "" if each.rate is None else f"{each.rate:,.0f}",
        *latencies,
        f"{each.audit.acknowledged:,}",
        f"{each.durable:,}",
        f"{each.audit.kept:,}",
        _mark(each.audit.lost),
        _write_replicas(each.audit),
    )


def _write_replicas(audit: Audit) -> str:
    if not audit.copies:
        return ""
    return "equal" if audit.equal == audit.copies else f"[red]{audit.equal} of {audit.copies}[/]"


def _mark(lost: int) -> str:
    return f"[red]{lost:,}[/]" if lost else "0"


# -- curves --------------------------------------------------------------------------------------


def _lay_out_curves(results: Results) -> Table:
    table = _make(
        f"{results.benchmark}: curves",
        "medians; the exponent is that of the cost: 0 does not grow, 1 doubles with its cause",
        *("what", "exponent", "of", "smallest", "costs", "largest", "costs", "lost"),
    )
    return _fill(table, results.curves, _add_curve)


def _add_curve(table: Table, each: Curve) -> None:
    first, last = each.points[0], each.points[-1]
    table.add_row(
        escape(each.name),
        "" if each.exponent is None else f"{each.exponent:.2f}",
        each.of,
        f"{first.x:,g}",
        write_number(first.median, each.unit),
        f"{last.x:,g}",
        write_number(last.median, each.unit),
        "" if each.audit is None else _mark(each.audit.lost),
    )


# -- crashes -------------------------------------------------------------------------------------


def _lay_out_crashes(results: Results) -> Table:
    table = _make(
        f"{results.benchmark}: killed while it wrote",
        "what was acknowledged until then; lost though durable must be 0",
        *("what", "kills", "acknowledged", "kept", "lost", "share", "span", "lost though durable"),
    )
    return _fill(table, results.crashes, _add_crash)


def _add_crash(table: Table, each: Crash) -> None:
    audit = each.audit
    table.add_row(
        escape(each.name),
        f"{len(each.kills)}",
        f"{audit.acknowledged:,}",
        f"{audit.kept:,}",
        f"{audit.lost:,}",
        f"{audit.lost / max(audit.acknowledged, 1):.1%}",
        write_seconds(max(kill.span for kill in each.kills)),
        _mark(each.durable.lost),
    )


# -- comparisons and figures ---------------------------------------------------------------------


def _lay_out_comparisons(results: Results) -> Table:
    table = _make(
        results.benchmark,
        "median (least) of one operation; ratios pair by pair",
        *("what", "ours", "against", "theirs", "ratio", "aim", "met"),
    )
    every: list[Measured | Taken] = [*results.measured, *results.figures]
    return _fill(table, every, _add_rows)


def _add_theme(table: Table, theme: str) -> None:
    table.add_section()
    table.add_row(f"[bold]{escape(theme)}[/]")


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
    return write_number(figure.value, figure.unit)


def write_number(value: float, unit: Unit) -> str:
    """Three digits, or whole bytes.

    >>> write_number(1234.0, "bytes"), write_number(1234.0, "count")
    ('1,234 B', '1.23e+03')
    """
    if unit == "seconds":
        return write_seconds(value)
    return f"{value:,.0f} B" if unit == "bytes" else f"{value:.3g}"


def write_ratio(each: Measured, other: Samples) -> str:
    """The ratio, and what it counts."""
    meaning = "x its cost" if each.kind == "floor" else "x as fast"
    return f"{each.rate(other):.3g} {meaning}"


def write_samples(samples: Samples) -> str:
    return f"{write_seconds(samples.median)} ({write_seconds(samples.least)})"


def write_seconds(seconds: float) -> str:
    """Three digits in a fitting unit.

    >>> write_seconds(0.00000123), write_seconds(0.0456), write_seconds(0.0)
    ('1.23 us', '45.6 ms', '0')
    """
    if not seconds:
        return "0"
    for factor, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
