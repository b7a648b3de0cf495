"""The stateful runtime of Chord: one actor for each live context."""

from __future__ import annotations

from actors.application import ContextActor, command, every
from actors.inspection import DeadLetter, Inspection
from actors.stateful import StatefulChord

__all__ = ["ContextActor", "DeadLetter", "Inspection", "StatefulChord", "command", "every"]
