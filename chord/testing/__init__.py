"""What tests of an application, or of a backend, are made with. Needs the extra `testing`."""

from chord.clock import ManualClock
from chord.testing.contract import BackendContract
from chord.testing.faulty import FaultyBackend

__all__ = ["BackendContract", "FaultyBackend", "ManualClock"]
