"""The subcommand ``micro``: compare single operations with their floors and peers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

import attrs

from benchmarks import harness
from benchmarks.harness import Benchmark
from benchmarks.micro.theme import LARGE, SMALL, Sizes
from benchmarks.results import Results
from benchmarks.timing import QUICK, THOROUGH, Effort

THEMES: Final = (
    "updates",
    "diffs",
    "algebra",
    "codecs",
    "histories",
    "mailbox",
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
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    sizes, effort = (SMALL, QUICK) if options.quick else (LARGE, THOROUGH)
    return harness.run(plan(THEMES, sizes, effort), options)


def plan(names: Sequence[str], sizes: Sizes, effort: Effort) -> Benchmark:
    """What is to be measured."""
    return Benchmark(
        name="micro",
        themes={name: harness.load(f"benchmarks.micro.{name}", sizes) for name in names},
        settings=attrs.asdict(sizes),
        effort=effort,
    )


async def measure_themes(
    names: Sequence[str], sizes: Sizes, effort: Effort, pattern: str = "*"
) -> Results:
    """Measure those comparisons and figures whose ``theme: name`` fits the pattern."""
    return await harness.measure(plan(names, sizes, effort), pattern)
