"""Hold the application's hooks: where a context is exported to, and restored from."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from chord.records import Context

T = TypeVar("T")

Exporter: TypeAlias = Callable[[Context], Awaitable[None] | None]
"""Keeps a context elsewhere. Sync or async; what it raises is the caller's."""

Provider: TypeAlias = Callable[
    [str], Awaitable[Mapping[str, Any] | None] | Mapping[str, Any] | None
]
"""Finds the state of a context elsewhere, by id; None where it has none. Sync or async."""


async def settle(result: Awaitable[T] | T) -> T:
    """The result of a hook, which may be sync or async."""
    if inspect.isawaitable(result):
        return await result
    return result
