"""The subcommand ``fanout``: how many watchers of one context are told, and what that takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from benchmarks import harness
from benchmarks.fanout import held, latency, sent
from benchmarks.fanout.sizes import FULL, QUICK, Sizes
from benchmarks.harness import Benchmark, Part

Opening: TypeAlias = Callable[[Sizes], AbstractAsyncContextManager[Sequence[Part]]]

THEMES: Final[Mapping[str, Opening]] = {
    "stateful, in memory": latency.open_stateful,
    "stateless, on memory": latency.open_stateless,
    "stateful, on SQLite": latency.open_durable,
    "held": held.open_held,
    "sent": sent.open_sent,
}


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("fanout", help=__doc__)
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    return harness.run(make(QUICK if options.quick else FULL), options)


def make(sizes: Sizes) -> Benchmark:
    return Benchmark(
        name="fanout",
        themes={name: partial(opening, sizes) for name, opening in THEMES.items()},
        settings=attrs.asdict(sizes),
    )
