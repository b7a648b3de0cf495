"""The subcommand ``compare``: what became faster or slower from one run to another."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import results
from benchmarks.compare.pairing import Compared, Pair, Sampled, compare, find_mean
from benchmarks.harness import SOUND
from benchmarks.results import Results
from benchmarks.table import make_console, write_number

STYLES: Final = {"faster": "green", "less": "green", "slower": "red", "more": "red"}


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("compare", help=__doc__)
    parser.add_argument("before", type=Path, help="results as JSON, or a folder of them")
    parser.add_argument("after", type=Path, help="the same of another run")
    parser.add_argument("--changed", action="store_true", help="leave out what is the same")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    console = make_console()
    for before, after in pair_files(options.before, options.after):
        show(results.read(before), results.read(after), console, only_changed=options.changed)
    return SOUND


def pair_files(before: Path, after: Path) -> Iterator[tuple[Path, Path]]:
    """The two files, or, of two folders, those that bear the same name."""
    if not before.is_dir():
        yield before, after
        return
    for path in sorted(before.glob("*.json")):
        if (after / path.name).exists():
            yield path, after / path.name


def show(before: Results, after: Results, console: Console, *, only_changed: bool = False) -> None:
    """Print a table of all pairs, or of those that changed, and what is to be known besides."""
    found = compare(before, after)
    chosen = [pair for pair in found.pairs if not only_changed or pair.verdict != "same"]
    console.print(_lay_out(before.benchmark, chosen))
    for line in (*describe(found), *_describe_runs(before, after)):
        console.print(escape(line))


def _lay_out(title: str, pairs: list[Pair]) -> Table:
    table = Table(title=title, caption="medians; ratios are after to before")
    table.add_column("what")
    for heading in ("before", "after", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for theme in dict.fromkeys(pair.theme for pair in pairs):
        table.add_section()
        table.add_row(f"[bold]{escape(theme)}[/]")
        for pair in pairs:
            if pair.theme == theme:
                _add_pair(table, pair)
    return table


def _add_pair(table: Table, pair: Pair) -> None:
    style = STYLES.get(pair.verdict)
    table.add_row(
        escape(pair.name),
        _write(pair.before),
        _write(pair.after),
        f"{pair.ratio:.3g}",
        f"[{style}]{pair.verdict}[/]" if style else pair.verdict,
    )


def _write(sampled: Sampled) -> str:
    return write_number(median(sampled.samples), sampled.unit)


def describe(found: Compared) -> Iterator[str]:
    """Sum up: how many of each verdict, the mean, what the machine did, what has no partner."""
    verdicts = Counter(pair.verdict for pair in found.pairs)
    yield ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.most_common())
    mean = find_mean([pair.ratio for pair in found.pairs if pair.before.unit == "seconds"])
    if mean is not None:
        yield f"what is ours takes {mean:.3g} times as long, by the geometric mean"
    if found.drift is not None:
        yield f"what is not ours takes {found.drift:.3g} times as long: that is the machine"
    for theme, name in found.gone:
        yield f"only before: {theme}: {name}"
    for theme, name in found.new:
        yield f"only after: {theme}: {name}"


def _describe_runs(before: Results, after: Results) -> Iterator[str]:
    """What else differs, and what makes a run worth less."""
    for field in ("system", "processor", "cores", "python"):
        old, new = getattr(before.machine, field), getattr(after.machine, field)
        if old != new:
            yield f"another {field}: {old}, then {new}"
    if (before.settings, before.effort) != (after.settings, after.effort):
        yield "other settings: the two runs did not measure the same"
    for when, found in (("before", before), ("after", after)):
        for failed in found.failed:
            yield f"FAILED {when}: {failed.theme}: {failed.name}: {failed.error}"
        for broken in found.broken:
            yield f"LOST {when}: {broken.theme}: {broken.name}: the audit does not hold"
