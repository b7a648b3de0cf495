"""The subcommand ``report``: make a page, and pictures, of what benchmarks came to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import SOUND
from benchmarks.report.sources import Source, Unreadable, read_sources

REFUSED: Final = 2
"""The exit code when a file cannot be read."""


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("report", help=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="JSON files, or folders of them")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write pictures as SVG, too")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="which pictures, by name; repeat for more",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    try:
        sources = read_sources(options.results)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return REFUSED
    write(sources, options.out, options.pictures, options.only or ["*"])
    return SOUND


def write(
    sources: Sequence[Source], out: Path, folder: Path | None, patterns: Sequence[str]
) -> None:
    """Write the page, and those pictures whose names fit one of the patterns."""
    from benchmarks.report import canvas, page, sections  # matplotlib takes a second to load

    shown = [sections.show(source) for source in sources]
    _write(out, page.lay_out(shown))
    if folder:
        for picture in sections.find_pictures(shown):
            if any(fnmatchcase(picture.name, pattern) for pattern in patterns):
                _write(folder / f"{picture.name}.svg", canvas.write_file(picture))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)
