"""Hold `Backoff`: how long to wait before it is tried again. Pure: chance is handed in."""

from __future__ import annotations

from typing import Final

import attrs

from chord.errors import ConfigurationError

_DOUBLINGS: Final = 64


@attrs.frozen(kw_only=True)
class Backoff:
    """Pauses, in seconds, that double from `first` to `longest`; chance takes up to half away.

    So clients that lost their server at one moment do not come back at one moment.

    >>> backoff = Backoff(first=1.0, longest=30.0)
    >>> [backoff.pause(attempt, chance=1.0) for attempt in range(7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    >>> backoff.pause(2, chance=0.0)
    2.0
    """

    first: float = 0.25
    longest: float = 30.0

    def __attrs_post_init__(self) -> None:
        if not 0 < self.first <= self.longest:
            raise ConfigurationError(f"not 0 < first <= longest: {self!r}")

    def pause(self, attempt: int, *, chance: float) -> float:
        """How long to wait before the attempt after `attempt` others; `chance` is in 0 to 1."""
        whole = min(self.longest, self.first * 2.0 ** min(attempt, _DOUBLINGS))
        return whole * (1 + chance) / 2
