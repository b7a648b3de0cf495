"""Read the results that a report is of, from files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import cattrs
import msgspec

from benchmarks import results
from benchmarks.all.command import BENCHMARKS
from benchmarks.results import Results

_MALFORMED: Final = (
    KeyError,
    TypeError,
    ValueError,
    msgspec.DecodeError,
    cattrs.BaseValidationError,
)


class Unreadable(Exception):
    """A file that holds no results, or those of another format."""


@attrs.frozen
class Source:
    """Results by a name of their own: that of their file."""

    name: str
    results: Results


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """All results in files, and in folders as `all` fills them. Raises `Unreadable`."""
    found = [(path.stem, read(path)) for path in _find_files(paths)]
    if not found:
        raise Unreadable(f"no results in {', '.join(map(str, paths))}")
    ranked = sorted(found, key=lambda each: _rank(each[1]))
    return list(_name_apart(ranked))


def read(path: Path) -> Results:
    """Raises `Unreadable`, which says what is wrong."""
    try:
        return results.read(path)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error
    except _MALFORMED as error:
        raise Unreadable(f"{path}: these are no results of a benchmark") from error


def _find_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


def _rank(found: Results) -> int:
    known = found.benchmark in BENCHMARKS
    return BENCHMARKS.index(found.benchmark) if known else len(BENCHMARKS)


def _name_apart(found: Iterable[tuple[str, Results]]) -> Iterator[Source]:
    taken: dict[str, int] = {}
    for name, each in found:
        taken[name] = taken.get(name, 0) + 1
        yield Source(name if taken[name] == 1 else f"{name} {taken[name]}", each)
