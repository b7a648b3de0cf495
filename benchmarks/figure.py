"""Hold what is counted or weighed instead of timed against another, and judge it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import attrs

Unit: TypeAlias = Literal["bytes", "seconds", "count"]
"""What the number of a figure counts; of what, its name says."""


@attrs.frozen(kw_only=True)
class Figure:
    """Something of ours that is taken once. `aim` is what it was to be at most, if anything."""

    name: str
    unit: Unit
    take: Callable[[], Awaitable[float]]
    aim: float | None = None


@attrs.frozen(kw_only=True)
class Taken:
    """A figure with its number."""

    theme: str
    name: str
    unit: Unit
    aim: float | None
    value: float

    @property
    def is_met(self) -> bool | None:
        """Whether the aim was met, None where there is none."""
        return None if self.aim is None else self.value <= self.aim


async def take(theme: str, figure: Figure) -> Taken:
    return Taken(
        theme=theme,
        name=figure.name,
        unit=figure.unit,
        aim=figure.aim,
        value=await figure.take(),
    )
