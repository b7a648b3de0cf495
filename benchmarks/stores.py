"""Open stores that are made for a measurement and gone after it: files, and servers of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.harness import CannotMeasure
from chord.testing.servers import Server, ServerMissing, find_redis, find_valkey


@contextmanager
def open_store(name: str) -> Iterator[str]:
    """The URL of a new store of that kind; raises `CannotMeasure` where its server is missing."""
    with _OPENERS[name]() as url:
        yield url


@contextmanager
def _open_memory() -> Iterator[str]:
    yield "memory://"


@contextmanager
def _open_sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="chord-benchmark-") as folder:
        yield f"sqlite:///{Path(folder, 'store.db')}"


def _open_redis() -> AbstractContextManager[str]:
    return _serve(find_redis)


def _open_valkey() -> AbstractContextManager[str]:
    return _serve(find_valkey)


@contextmanager
def _serve(find: Callable[[], str]) -> Iterator[str]:
    try:
        program = find()
    except ServerMissing as missing:
        raise CannotMeasure(str(missing)) from missing
    with Server(program) as server:
        yield server.url


_OPENERS: Final[dict[str, Callable[[], AbstractContextManager[str]]]] = {
    "memory": _open_memory,
    "SQLite": _open_sqlite,
    "Redis": _open_redis,
    "Valkey": _open_valkey,
}

STORES: Final = tuple(_OPENERS)
