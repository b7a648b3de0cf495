"""Hold what the themes about peers share: how much is done, and which peers are installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks.results import Skipped


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    Asks at once, deltas of a client that comes back, versions that another one lacks, updates that
    a document has behind it, clients of one room, updates of each of them.
    """

    asks: int = 1000
    deltas: int = 100
    lacking: int = 10
    updates: int = 1000
    clients: int = 50
    each: int = 4


LARGE = Sizes()
SMALL = Sizes(each=2)


def find_peers(theme: str, package: str, names: Sequence[str]) -> tuple[list[Any], list[Skipped]]:
    """Import those modules of a package whose library is installed, and name the others."""
    found: list[Any] = []
    missing: list[Skipped] = []
    for name in names:
        try:
            found.append(importlib.import_module(f"{package}.{name}"))
        except ModuleNotFoundError as error:
            missing.append(Skipped(theme, str(error), name))
    return found, missing
