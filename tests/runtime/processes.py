"""Hold `Writer`, a process of its own that updates a context, as its parent sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from chord import Position

SCRIPT = Path(__file__).parent / "writer.py"


@attrs.frozen
class Place:
    """A context that several processes can reach."""

    url: str
    namespace: str
    context_id: str = "room"


@attrs.frozen
class Acknowledged:
    """An update that a process was told is kept: the key that it set, and its version."""

    key: str
    position: Position


class Writer:
    """A process that makes `count` updates, `width` of them under way at once.

    `kind` names its runtime. `conflicts` is how often it met another process. A context manager.
    Its methods block, so call them in a thread where a loop must go on.
    """

    def __init__(
        self, place: Place, name: str, *, kind: str = "stateless", count: int, width: int = 1
    ) -> None:
        self.name = name
        self.conflicts = 0
        self.acknowledged: list[Acknowledged] = []
        words = *attrs.astuple(place), name, kind, str(count), str(width)
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self._read() == ["ready"]

    def go(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def read(self, count: int) -> None:
        """Return when so many updates were acknowledged, or the process has ended."""
        while len(self.acknowledged) < count and (words := self._read()):
            self._take(*words)

    def read_all(self) -> None:
        """Return when the process has ended and all that it said was read."""
        while words := self._read():
            self._take(*words)
        self._process.wait()

    def kill(self) -> None:
        """End it by signal 9, wherever it is."""
        self._process.kill()

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def _take(self, word: str, value: str) -> None:
        if word == "conflicts":
            self.conflicts = int(value)
        else:
            self.acknowledged.append(Acknowledged(word, Position.parse(value)))

    def _read(self) -> list[str]:
        """The words of a line; none at the end. A line that was cut short was never said."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        return line.split() if line.endswith("\n") else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"<Writer {self.name} acknowledged={len(self.acknowledged)}>"
