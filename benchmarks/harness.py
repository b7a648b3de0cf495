"""Run what a benchmark measures part by part, and lose no part for the failure of another.

What all subcommands share: the options, what is under way on stderr, and at the end the table and
the file. A subcommand makes a `Benchmark`, and hands it to `run`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import shlex
import traceback
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
from rich.console import Console
from rich.markup import escape

from benchmarks import comparison, figure, results, table
from benchmarks.comparison import Comparison, Measured
from benchmarks.crash import Crash
from benchmarks.curve import Curve
from benchmarks.figure import Figure, Taken
from benchmarks.play import Play
from benchmarks.results import Failed, Outcome, Results, Skipped
from benchmarks.timing import THOROUGH, Effort

SOUND: Final = 0
UNSOUND: Final = 1
INTERRUPTED: Final = 130
"""Exit codes; the last is what a shell says of Ctrl-C."""


DEEPEST: Final = -4
"""The frames of a traceback that are shown: the last ones."""


class CannotMeasure(Exception):
    """Something that is needed is not on this machine."""


@attrs.frozen
class Measurement:
    """A part with a name, which is measured in one go: it comes to one outcome, or several."""

    name: str
    measure: Callable[[], Awaitable[Outcome | Sequence[Outcome]]]


Part: TypeAlias = Comparison | Figure | Measurement | Skipped
"""One thing to be measured, or what is known to be missing for it."""

Theme: TypeAlias = Callable[[], AbstractAsyncContextManager[Sequence[Part]]]
"""Parts that need the same: all that they need is there until it is left. May raise
`CannotMeasure`, as each part may, or `ModuleNotFoundError`."""


@attrs.frozen(kw_only=True)
class Benchmark:
    """What a subcommand measures, theme by theme. `effort` is that of its comparisons.

    `make_loop` makes the event loop that it runs on, where that is not to be asyncio's own choice.
    """

    name: str
    themes: Mapping[str, Theme]
    settings: Mapping[str, Any]
    effort: Effort | None = None
    make_loop: Callable[[], AbstractEventLoop] | None = None


def load(module: str, *arguments: Any) -> Theme:
    """The `open_theme` of a module, imported only when it is opened: it may need what is not here.

    It is called with `arguments`.
    """

    @asynccontextmanager
    async def open_theme() -> AsyncIterator[Sequence[Part]]:
        async with importlib.import_module(module).open_theme(*arguments) as parts:
            yield parts

    return open_theme


# -- the options ---------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what all benchmarks understand."""
    parser.add_argument("--quick", action="store_true", help="less of everything: within a minute")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="such as 'SQLite: *update*'")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all samples as JSON")


def run(benchmark: Benchmark, options: argparse.Namespace) -> int:
    """Measure, write, show; return the exit code. Ctrl-C keeps what was measured until then."""
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    course = Course(benchmark, options.only)
    try:
        with asyncio.Runner(loop_factory=benchmark.make_loop) as runner:
            runner.run(course.measure())
    except KeyboardInterrupt:
        course.interrupted = True
    found = attrs.evolve(course.collect(), command=write_command(benchmark.name, options))
    if options.out:
        results.write(found, options.out)
    table.show(found)
    return _judge(found)


def write_command(name: str, options: argparse.Namespace) -> str:
    """The command that measures the same again.

    >>> write_command("micro", argparse.Namespace(quick=True, only="actors: *"))
    "python -m benchmarks micro --quick --only 'actors: *'"
    """
    quick = ["--quick"] if options.quick else []
    only = [] if options.only == "*" else ["--only", options.only]
    return shlex.join(["python", "-m", "benchmarks", name, *quick, *only])


def _judge(found: Results) -> int:
    if found.interrupted:
        return INTERRUPTED
    is_empty = not found.outcomes and not found.skipped
    return SOUND if found.is_sound and not is_empty else UNSOUND


# -- the run -------------------------------------------------------------------------------------


async def measure(benchmark: Benchmark, pattern: str = "*") -> Results:
    """Measure those parts whose ``theme: name`` fits the pattern."""
    course = Course(benchmark, pattern)
    await course.measure()
    return course.collect()


class Course:
    """One run of a benchmark; what it found is there at any time."""

    def __init__(self, benchmark: Benchmark, pattern: str = "*") -> None:
        self.interrupted = False
        self._benchmark = benchmark
        self._pattern = pattern
        self._outcomes: list[Outcome] = []
        self._skipped: list[Skipped] = []
        self._failed: list[Failed] = []
        self._status = Console(stderr=True).status(benchmark.name)

    async def measure(self) -> None:
        with self._status:
            for theme in choose(tuple(self._benchmark.themes), self._pattern):
                self._status.update(f"{self._benchmark.name}: {theme}")
                await self._keep("", theme, self._measure_theme(theme))

    async def _measure_theme(self, theme: str) -> None:
        async with self._benchmark.themes[theme]() as parts:
            chosen = [part for part in parts if fits(theme, part, self._pattern)]
            for number, part in enumerate(chosen, 1):
                title = f"{self._benchmark.name}: {theme}, {number} of {len(chosen)}: {part.name}"
                self._status.update(escape(title))
                await self._keep(part.name, theme, self._measure_part(theme, part))

    async def _measure_part(self, theme: str, part: Part) -> None:
        effort = self._benchmark.effort or THOROUGH
        match part:
            case Skipped():
                self._skipped.append(part)
            case Comparison():
                self._outcomes.append(await comparison.run(theme, part, effort))
            case Figure():
                self._outcomes.append(await figure.take(theme, part))
            case Measurement():
                found = await part.measure()
                self._outcomes += found if isinstance(found, Sequence) else [found]

    async def _keep(self, name: str, theme: str, measuring: Awaitable[None]) -> None:
        """Note what cannot be measured, or fails, and go on."""
        try:
            await measuring
        except (CannotMeasure, ModuleNotFoundError) as missing:
            self._skipped.append(Skipped(theme, str(missing), name))
        except Exception as error:
            traceback.print_exception(error, limit=DEEPEST)
            self._failed.append(Failed(theme, name, f"{type(error).__name__}: {error}"))

    def collect(self) -> Results:
        return results.collect(
            self._benchmark.name,
            self._benchmark.effort,
            dict(self._benchmark.settings),
            [each for each in self._outcomes if isinstance(each, Measured)],
            [each for each in self._outcomes if isinstance(each, Taken)],
            self._skipped,
            plays=[each for each in self._outcomes if isinstance(each, Play)],
            curves=[each for each in self._outcomes if isinstance(each, Curve)],
            crashes=[each for each in self._outcomes if isinstance(each, Crash)],
            failed=self._failed,
            interrupted=self.interrupted,
        )

    def __repr__(self) -> str:
        return f"<Course {self._benchmark.name}: {len(self._outcomes)} outcomes>"


def choose(themes: Sequence[str], pattern: str) -> list[str]:
    """The themes that a pattern names before its colon; all of them if it names none.

    >>> choose(["redis", "sqlite"], "sqlite: *update*")
    ['sqlite']
    """
    before, colon, _ = pattern.partition(":")
    named = [theme for theme in themes if colon and fnmatchcase(theme, f"*{before}")]
    return named or list(themes)


def fits(theme: str, part: Part, pattern: str) -> bool:
    """Whether ``theme: name`` has the pattern in it; what is missing does in any case."""
    return isinstance(part, Skipped) or fnmatchcase(f"{theme}: {part.name}", f"*{pattern}*")
