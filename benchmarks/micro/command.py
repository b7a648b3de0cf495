"""The subcommand ``micro``: run the themes, show the table, write the results."""

from __future__ import annotations

import argparse
import asyncio
import importlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import Console

from benchmarks import comparison, figure, results, table
from benchmarks.comparison import Comparison, Measured
from benchmarks.figure import Figure, Taken
from benchmarks.micro.theme import CannotMeasure, Sizes, Theme
from benchmarks.results import Results, Skipped
from benchmarks.timing import QUICK, THOROUGH, Effort

THEMES: Final = (
    "updates",
    "diffs",
    "codecs",
    "histories",
    "memory",
    "fanout",
    "sqlite",
    "redis",
    "valkey",
    "actors",
    "redis_actors",
    "valkey_actors",
)


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("micro", help=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="such as 'diffs: *shared*'")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all samples as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    effort = QUICK if options.quick else THOROUGH
    found = asyncio.run(measure_themes(THEMES, Sizes(), effort, options.only))
    table.show(found)
    if options.out:
        results.write(found, options.out)
    return 0


async def measure_themes(
    names: Sequence[str], sizes: Sizes, effort: Effort, pattern: str = "*"
) -> Results:
    """Measure those comparisons and figures whose ``theme: name`` fits the pattern."""
    measured: list[Measured | Taken] = []
    skipped: list[Skipped] = []
    for name in names:
        try:
            measured += await _measure_theme(name, sizes, effort, pattern)
        except (CannotMeasure, ModuleNotFoundError) as missing:
            skipped.append(Skipped(name, str(missing)))
    return results.collect(
        "micro",
        effort,
        attrs.asdict(sizes),
        [each for each in measured if isinstance(each, Measured)],
        [each for each in measured if isinstance(each, Taken)],
        skipped,
    )


async def _measure_theme(
    name: str, sizes: Sizes, effort: Effort, pattern: str
) -> list[Measured | Taken]:
    """A theme is imported only here: it may need a peer that is not installed."""
    open_theme: Theme = importlib.import_module(f"benchmarks.micro.{name}").open_theme
    console = Console(stderr=True)
    measured: list[Measured | Taken] = []
    async with open_theme(sizes) as everything:
        for each in everything:
            title = f"{name}: {each.name}"
            if fnmatchcase(title, f"*{pattern}*"):
                with console.status(title):
                    measured.append(await _measure(name, each, effort))
    return measured


async def _measure(theme: str, each: Comparison | Figure, effort: Effort) -> Measured | Taken:
    if isinstance(each, Figure):
        return await figure.take(theme, each)
    return await comparison.run(theme, each, effort)
