"""Run a benchmark by its name: ``python -m benchmarks micro --quick``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.micro import command as micro


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for command in (micro,):
        command.add_to(commands)
    options = parser.parse_args(arguments)
    exit_code: int = options.run(options)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
