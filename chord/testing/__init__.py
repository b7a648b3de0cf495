"""What tests of an application are made with; for those of a backend see `contract`."""

from chord.clock import ManualClock
from chord.testing.faulty import FaultyBackend

__all__ = ["FaultyBackend", "ManualClock"]
