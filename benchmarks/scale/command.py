"""The subcommand ``scale``: follow how costs grow."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from benchmarks import harness
from benchmarks.harness import Benchmark, Part
from benchmarks.scale import clients, contexts, history, state
from benchmarks.scale.sizes import FULL, QUICK, Sizes
from benchmarks.stores import STORES
from benchmarks.timing import Effort

Opening: TypeAlias = Callable[[Sizes, Effort], AbstractAsyncContextManager[Sequence[Part]]]

THEMES: Final[Mapping[str, Opening]] = {
    "wide state": state.open_wide,
    "deep state": state.open_deep,
    "history": history.open_history,
    "behind": history.open_behind,
    "contexts": contexts.open_contexts,
    "weights": contexts.open_weights,
    **{f"clients on {store}": partial(clients.open_clients, store) for store in STORES},
}

THOROUGHLY: Final = Effort(rounds=15, fewest=5, round_seconds=0.02, most_seconds=10.0)
QUICKLY: Final = Effort(rounds=5, fewest=3, round_seconds=0.002, most_seconds=1.0)


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("scale", help=__doc__)
    harness.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    benchmark = make(QUICK, QUICKLY) if options.quick else make(FULL, THOROUGHLY)
    return harness.run(benchmark, options)


def make(sizes: Sizes, effort: Effort) -> Benchmark:
    return Benchmark(
        name="scale",
        themes={name: partial(opening, sizes, effort) for name, opening in THEMES.items()},
        settings=attrs.asdict(sizes),
        effort=effort,
    )
