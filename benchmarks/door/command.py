"""The subcommand ``door``: thousands of sockets, how soon they are told, and what they hold."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks import harness
from benchmarks.door.sizes import FULL, QUICK, Sizes
from benchmarks.harness import Benchmark, Part

THEMES: Final[Mapping[str, tuple[str, str, bool]]] = {
    "one context, JSON": ("load", "json", False),
    "one context, MessagePack": ("load", "msgpack", False),
    "a context for each few, JSON": ("load", "json", True),
    "a context for each few, MessagePack": ("load", "msgpack", True),
    "slow sockets, JSON": ("slow", "json", False),
    "slow sockets, MessagePack": ("slow", "msgpack", False),
}
"""The module that opens a theme, how messages are encoded, and whether the sockets are apart."""

NEEDED: Final = ("starlette", "uvicorn", "websockets")


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("door", help=__doc__)
    harness.add_options(parser)
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="write what cProfile sees of each door's speed"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.profile:
        options.profile.mkdir(parents=True, exist_ok=True)
    return harness.run(make(QUICK if options.quick else FULL, options.profile), options)


def make(sizes: Sizes, profiles: Path | None = None) -> Benchmark:
    return Benchmark(
        name="door",
        themes={name: partial(open_theme, name, sizes, profiles) for name in THEMES},
        settings=attrs.asdict(sizes),
    )


@asynccontextmanager
async def open_theme(
    theme: str, sizes: Sizes, profiles: Path | None
) -> AsyncIterator[Sequence[Part]]:
    """Load what measures it only here: it needs packages that may not be installed."""
    for package in NEEDED:
        importlib.import_module(package)
    profile = profiles / f"{theme.replace(', ', '-').replace(' ', '-')}.prof" if profiles else None
    module, encoding, apart = THEMES[theme]
    opening = harness.load(f"benchmarks.door.{module}", theme, encoding, apart, sizes, profile)
    async with opening() as parts:
        yield parts
