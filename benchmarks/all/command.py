"""The subcommand ``all``: run every benchmark, each in a process of its own, into one folder."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import INTERRUPTED, SOUND, UNSOUND

BENCHMARKS: Final = ("scenarios", "micro", "scale", "fanout", "durability", "peers", "door")


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("all", help=__doc__)
    parser.add_argument("--quick", action="store_true", help="each within a minute")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="such as 'SQLite: *update*'")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a JSON file for each")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run them one after the other; one that fails does not keep the others from running."""
    outcomes: dict[str, int] = {}
    for name in BENCHMARKS:
        print(f"--- {name}", flush=True)
        outcomes[name] = _run_apart([name, *write_words(name, options)])
        if outcomes[name] == INTERRUPTED:
            return INTERRUPTED
    failed = [name for name, outcome in outcomes.items() if outcome != SOUND]
    print(f"--- failed: {', '.join(failed)}" if failed else "--- all of them ended well")
    return UNSOUND if failed else SOUND


def write_words(name: str, options: argparse.Namespace) -> list[str]:
    """The words of a command line that say the same to one benchmark.

    >>> write_words("micro", argparse.Namespace(quick=True, only="*", out=Path("results")))
    ['--only', '*', '--quick', '--out', 'results/micro.json']
    """
    quick = ["--quick"] if options.quick else []
    out = ["--out", str(options.out / f"{name}.json")] if options.out else []
    return ["--only", options.only, *quick, *out]


def _run_apart(words: list[str]) -> int:
    """Wait for a process, through Ctrl-C too: it is told by the terminal, and keeps what it has."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    is_interrupted = False
    while True:
        try:
            exit_code = process.wait()
        except KeyboardInterrupt:
            is_interrupted = True
        else:
            return INTERRUPTED if is_interrupted else exit_code
