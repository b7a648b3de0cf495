"""Open the backend that a URL names; a driver is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import anyio

from chord.backends.base import Backend
from chord.config import Settings
from chord.errors import ConfigurationError

GROUP: Final = "chord.backends"
"""The entry-point group of third parties: a scheme, and what makes its backend from a URL."""


@asynccontextmanager
async def open_backend(url: str, settings: Settings | None = None) -> AsyncIterator[Backend]:
    """Open the store that `url` names, and close it at the end.

    ``memory://`` . ``sqlite:///relative.db`` . ``sqlite:////absolute.db`` . ``sqlite://`` (in
    memory) . ``redis://host:6379/0`` . ``rediss://`` . ``unix://`` . ``valkey://`` . and the
    schemes that third parties registered. Raises `ConfigurationError` and `BackendUnavailable`.
    """
    backend = make_backend(url, settings or Settings())
    await backend.open()
    try:
        yield backend
    finally:
        with anyio.CancelScope(shield=True):
            await backend.close()


def make_backend(url: str, settings: Settings) -> Backend:
    """Make the backend that `url` names, without opening it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"not a URL: {error}") from None
    make = _MAKERS.get(parts.scheme) or _find_third_party(parts.scheme)
    if make is None:
        known = ", ".join(f"{scheme}://" for scheme in sorted(_MAKERS))
        wanted = f"{parts.scheme}://" if parts.scheme else repr(url)
        raise ConfigurationError(f"no backend for {wanted}; there are {known}")
    return make(url, settings)


def _find_third_party(scheme: str) -> Callable[[str, Settings], Backend] | None:
    for entry in entry_points(group=GROUP, name=scheme):
        made: Callable[[str, Settings], Backend] = entry.load()
        return made
    return None


def _make_memory(url: str, settings: Settings) -> Backend:
    from chord.backends.memory import MemoryBackend

    if url.rstrip("/") != "memory:":
        raise ConfigurationError(f"memory:// takes nothing more, not {url!r}")
    return MemoryBackend(clock=settings.clock)


def _make_sqlite(url: str, settings: Settings) -> Backend:
    from chord.backends.sqlite.backend import SqliteBackend

    parts = urlsplit(url)
    if parts.netloc:
        raise ConfigurationError(f"sqlite:/// has three slashes, or four, not {url!r}")
    path = unquote(parts.path.removeprefix("/")) or ":memory:"
    options = _read_options(parts, {"synchronous": _read_synchronous, "busy_timeout": float})
    return SqliteBackend(path, namespace=settings.namespace, clock=settings.clock, **options)


def _read_synchronous(text: str) -> str:
    if text.upper() not in ("NORMAL", "FULL"):
        raise ValueError
    return text.upper()


def _make_redis(url: str, settings: Settings) -> Backend:
    try:
        from chord.backends.redis.backend import RedisBackend
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ConfigurationError(
            "redis:// needs the redis package: pip install 'chord-sync[redis]'"
        ) from error
    if url.startswith("valkey"):  # one protocol
        url = "redis" + url.removeprefix("valkey")
    return RedisBackend(url, namespace=settings.namespace)


def _read_options(parts: SplitResult, known: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise ConfigurationError(f"no option {name!r}; there are {', '.join(sorted(known))}")
        try:
            options[name] = known[name](text)
        except ValueError:
            raise ConfigurationError(f"{name} cannot be {text!r}") from None
    return options


_MAKERS: Final[dict[str, Callable[[str, Settings], Backend]]] = {
    "memory": _make_memory,
    "sqlite": _make_sqlite,
    "redis": _make_redis,
    "rediss": _make_redis,
    "unix": _make_redis,
    "valkey": _make_redis,
    "valkeys": _make_redis,
}
