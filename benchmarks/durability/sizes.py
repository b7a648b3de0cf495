"""Hold how much is written, and when the writer is killed."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    `updates` are made at once where the cost is measured. So many `kills` hit a process of so many
    `writers`, which share so many `contexts` and rest `pause` seconds after each acknowledgement:
    the first one `seconds` after the first acknowledgement, each further one `later` than the one
    before, so that they hit different moments of the `flush_interval`.
    """

    updates: int = 1000
    kills: int = 5
    writers: int = 8
    contexts: int = 4
    pause: float = 0.005
    seconds: float = 2.5
    later: float = 0.17
    flush_interval: float = 1.0

    @property
    def moments(self) -> list[float]:
        """When the kills happen, in seconds after the first acknowledgement."""
        return [self.seconds + number * self.later for number in range(self.kills)]


FULL: Final = Sizes()
QUICK: Final = Sizes(updates=200, kills=1, seconds=0.6, flush_interval=0.25)
