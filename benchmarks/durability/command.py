"""The subcommand ``durability``: what each mode costs, and what it loses when it is killed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks import harness
from benchmarks.durability.sizes import FULL, QUICK, Sizes
from benchmarks.harness import Benchmark
from benchmarks.stores import STORES
from benchmarks.timing import QUICK as BRIEF
from benchmarks.timing import THOROUGH, Effort


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("durability", help=__doc__)
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    benchmark = plan(QUICK, BRIEF) if options.quick else plan(FULL, THOROUGH)
    return harness.run(benchmark, options)


def plan(sizes: Sizes, effort: Effort, stores: Sequence[str] = STORES) -> Benchmark:
    """What is to be measured."""
    costs, killing = "benchmarks.durability.costs", "benchmarks.durability.killing"
    return Benchmark(
        name="durability",
        themes={
            **{store: harness.load(costs, store, sizes, effort) for store in stores},
            **{f"{store}, killed": harness.load(killing, store, sizes) for store in stores},
        },
        settings=attrs.asdict(sizes),
        effort=effort,
    )
