"""The stateful runtime of Chord: one actor for each live context."""

from __future__ import annotations

from actors.stateful import StatefulChord
from actors.supervisor import DeadLetter, Inspection

__all__ = ["DeadLetter", "Inspection", "StatefulChord"]
