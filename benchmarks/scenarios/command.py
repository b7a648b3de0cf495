"""The subcommand ``scenarios``: a busy group, and a hundred, on every store in every mode."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

import attrs

from benchmarks import harness
from benchmarks.harness import Benchmark
from benchmarks.scenarios.acting import make_exact_loop
from benchmarks.scenarios.sizes import FULL, QUICK, Sizes
from benchmarks.stores import STORES
from benchmarks.timing import QUICK as BRIEF
from benchmarks.timing import THOROUGH, Effort

HISTORY: Final = "chat history"


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("scenarios", help=__doc__)
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    benchmark = plan(QUICK, BRIEF) if options.quick else plan(FULL, THOROUGH)
    return harness.run(benchmark, options)


def plan(sizes: Sizes, effort: Effort, stores: Sequence[str] = STORES) -> Benchmark:
    """What is to be measured."""
    playing = "benchmarks.scenarios.playing"
    return Benchmark(
        name="scenarios",
        themes={
            **{store: harness.load(playing, store, sizes) for store in stores},
            HISTORY: harness.load("benchmarks.scenarios.history", sizes),
        },
        settings=attrs.asdict(sizes),
        effort=effort,
        make_loop=make_exact_loop,
    )
