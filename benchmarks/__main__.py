"""Run a benchmark by its name: ``python -m benchmarks scenarios --quick``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks.all.command import BENCHMARKS

COMMANDS: Final = (*BENCHMARKS, "all", "compare", "report")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    exit_code: int = options.run(options)
    return exit_code


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the subcommand that is named; `run` is what runs it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for name in COMMANDS:
        importlib.import_module(f"benchmarks.{name}.command").add_to(commands)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
