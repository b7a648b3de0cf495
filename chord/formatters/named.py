"""Find a formatter by its name. The formatters themselves know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chord.errors import ConfigurationError
from chord.formatters.base import Formatter
from chord.formatters.flat import FlatFormatter
from chord.formatters.json_patch import JsonPatchFormatter
from chord.formatters.merge_patch import MergePatchFormatter

_FORMATTERS: Final[dict[str, Callable[[], Formatter]]] = {
    "flat": FlatFormatter,
    "json-patch": JsonPatchFormatter,
    "merge-patch": MergePatchFormatter,
}


def find_formatter(formatter: str | Formatter) -> Formatter:
    """Return the formatter of that name, or the application's own; else `ConfigurationError`."""
    if not isinstance(formatter, str):
        if not hasattr(formatter, "format"):
            raise ConfigurationError(f"a formatter has a method format(delta), not {formatter!r}")
        return formatter
    if formatter not in _FORMATTERS:
        names = ", ".join(sorted(_FORMATTERS))
        raise ConfigurationError(f"no formatter {formatter!r}; there are {names}, and your own")
    return _FORMATTERS[formatter]()
