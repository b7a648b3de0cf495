"""Hand contexts to the application's exporter, and get states from its provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chord.config import Settings
from chord.errors import ConfigurationError, ContextNotFound
from chord.hooks import settle
from chord.records import Context


async def hand_over(settings: Settings, context: Context) -> None:
    """Give a context to the exporter. What that raises is raised; none: `ConfigurationError`."""
    if settings.exporter is None:
        raise ConfigurationError("there is no exporter: set Settings.exporter")
    await settle(settings.exporter(context))


async def fetch(settings: Settings, context_id: str) -> Mapping[str, Any]:
    """Get a state from the provider. What that raises is raised.

    None set: `ConfigurationError`; it has none of this id: `ContextNotFound`.
    """
    if settings.provider is None:
        raise ConfigurationError("there is no provider: set Settings.provider")
    state = await settle(settings.provider(context_id))
    if state is None:
        raise ContextNotFound(context_id)
    return state
