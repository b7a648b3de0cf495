"""Hold what is asked of a library that tells two states apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Differ:
    """A library, by its calls. None of them may change what it is given.

    `ready` makes of a diff what `apply` takes. `join` puts diffs that follow each other together,
    as one; None where the library has no way.
    """

    name: str
    diff: Callable[[Any, Any], Any]
    ready: Callable[[Any], Any] = lambda difference: difference
    apply: Callable[[Any, Any], Any]
    join: Callable[[Sequence[Any]], Any] | None = None
