"""Hold the modes that a context can be kept in: stateless, and stateful in each durability."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import attrs

from actors.stateful import StatefulChord
from benchmarks import play, side
from benchmarks.side import Side, open_side
from chord.config import DURABILITIES, Durability
from chord.stateless import StatelessChord


@attrs.frozen
class Mode:
    """A runtime, and for the stateful one what its acknowledgements mean."""

    runtime: play.Runtime
    durability: Durability | None = None

    @property
    def name(self) -> str:
        return self.durability or self.runtime

    @property
    def kind(self) -> side.Runtime:
        return StatefulChord if self.runtime == "stateful" else StatelessChord

    @property
    def fields(self) -> dict[str, Any]:
        """What makes the settings of a runtime those of this mode."""
        return {"durability": self.durability} if self.durability else {}

    def open(self, url: str, **fields: Any) -> AbstractAsyncContextManager[Side]:
        """Open it on a store, with a namespace to itself."""
        return open_side(self.kind, url, namespace=self.name, **self.fields, **fields)


MODES: Final = (Mode("stateless"), *(Mode("stateful", each) for each in DURABILITIES))
