"""The subcommand ``peers``: compare Chord with other libraries, side by side on the same work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

import attrs

from benchmarks import harness
from benchmarks.harness import Benchmark
from benchmarks.peers.theme import LARGE, SMALL, Sizes
from benchmarks.timing import QUICK, THOROUGH, Effort

THEMES: Final = ("asks", "deltas", "crdt", "sqlite", "redis")


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("peers", help=__doc__)
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    sizes, effort = (SMALL, QUICK) if options.quick else (LARGE, THOROUGH)
    return harness.run(plan(THEMES, sizes, effort), options)


def plan(themes: Sequence[str], sizes: Sizes, effort: Effort) -> Benchmark:
    """What is to be measured."""
    return Benchmark(
        name="peers",
        themes={theme: harness.load(f"benchmarks.peers.{theme}", sizes) for theme in themes},
        settings=attrs.asdict(sizes),
        effort=effort,
    )
