"""Hold colours and markers, and what a mode looks like, and is called, in all pictures. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from benchmarks.modes import MODES

INK: Final = "#1f2328"
GRID: Final = "#d0d7de"
PAPER: Final = "#ffffff"
TURNED: Final = {INK: "#e6edf3", GRID: "#3d444d", PAPER: "#0d1117"}
"""What takes their places in the dark."""

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", INK)
"""Those of Okabe and Ito, which the colour-blind tell apart, but for their yellow, which is hardly
seen on white."""
MARKERS: Final = "osD^vPX"


@attrs.frozen
class Look:
    """How something is told apart, by more than its colour."""

    colour: str
    marker: str


def look(number: int) -> Look:
    return Look(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)])


LOOKS: Final = {mode.name: look(number) for number, mode in enumerate(MODES)}
NAMES: Final = {
    mode.name: f"stateful, {mode.durability}" if mode.durability else mode.name for mode in MODES
}
"""Modes as they are called beside stores, one of which is called ``memory``, too."""


def choose(name: str, number: int) -> Look:
    """That of a mode, else that of a place in a row."""
    return LOOKS.get(name) or look(number)


def write_style(within: str = "") -> str:
    """The rules that turn ink, grid and paper where it is preferred dark."""
    rules = (
        f'{within}[style*="{way}: {light}"] {{ {way}: {dark} !important; }}'
        for light, dark in TURNED.items()
        for way in ("fill", "stroke")
    )
    return "\n".join(["@media (prefers-color-scheme: dark) {", *rules, "}"])
