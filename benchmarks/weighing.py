"""Weigh what Python allocates and keeps, by `tracemalloc`: exact; no time is taken beside it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def weighing() -> Iterator[Callable[[], int]]:
    """What is allocated and kept within, in bytes, whenever it is asked."""
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()

        def read() -> int:
            gc.collect()
            now, _ = tracemalloc.get_traced_memory()
            return now - before

        yield read
    finally:
        tracemalloc.stop()
