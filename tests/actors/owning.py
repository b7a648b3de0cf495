"""Hold `Owner`, a process of its own that owns a context, as its parent sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from chord import Context, Delta, DeltaUpdate, FullContext, MsgspecCodec, Position, Replica
from chord.records import WatchReply
from tests.runtime.processes import Place

SCRIPT: Final = Path(__file__).parent / "owner.py"

PATIENCE: Final = 30.0
"""Seconds after which what is waited for is taken not to come."""

UNREACHED: Final = 1_000_000
"""A threshold so high that the log is never cut, and tells of every version."""


@attrs.frozen
class Kept:
    """An update that was acknowledged, and when, as a monotonic time, which processes share."""

    number: int
    position: Position
    durable: bool
    at: float


@attrs.frozen
class Refused:
    """An update that came to an error; `applied` is what that says."""

    number: int
    error: str
    applied: bool | None


class Owner:
    """A process that updates a context through `width` callers at once.

    A context manager. A thread takes what the process says as it comes; so does `replica`, which is
    a client of the process, outside of it. Fields of `Settings` go by name.
    """

    def __init__(
        self, place: Place, name: str, *, width: int = 1000, pace: float = 0.0, **settings: Any
    ) -> None:
        self.name = name
        self.replica = Replica()
        self.kept: list[Kept] = []
        self.refused: list[Refused] = []
        self.reasons: list[str] = []
        self._context_id = place.context_id
        self._codec = MsgspecCodec()
        self._news = threading.Condition()
        self._is_ready = False
        self._has_ended = False
        self._failure: BaseException | None = None
        self._listener = threading.Thread(target=self._listen)
        job = {
            "url": place.url,
            "context_id": place.context_id,
            "name": name,
            "width": width,
            "pace": pace,
            "settings": {
                "namespace": place.namespace,
                "delta_threshold": UNREACHED,
                "watch_poll": 0.05,
                **settings,
            },
        }
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(job)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    # -- what the parent does: these block ---------------------------------------------------------

    def go(self) -> None:
        """Let it begin, once it is ready."""
        self.wait_until(lambda: self._is_ready)
        self._say("go")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return when what was said so far makes this hold."""
        with self._news:
            self._news.wait_for(lambda: holds() or self._has_ended, PATIENCE)
            assert self._failure is None, self._failure
            assert holds(), f"{self!r} did not get there"

    def kill(self) -> None:
        """End it by signal 9, wherever it is; return when all that it said was heard."""
        self._process.kill()
        self._wait()

    def end(self) -> None:
        """Let it finish what is under way, store it, and give back what it owns."""
        self._say("end")
        self._wait()
        assert self._process.returncode == 0

    def freeze(self) -> None:
        """Let it stand still: it does nothing, and nobody is told so."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    # -- what it says ------------------------------------------------------------------------------

    def _say(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _wait(self) -> None:
        self._listener.join(PATIENCE)
        assert not self._listener.is_alive()
        assert self._failure is None, self._failure
        self._process.wait()

    def _listen(self) -> None:
        """Take line by line. One that was cut short was never said."""
        assert self._process.stdout
        try:
            while (line := self._process.stdout.readline()).endswith("\n"):
                with self._news:
                    self._take(*line.split())
                    self._news.notify_all()
        except BaseException as error:
            self._failure = error
        finally:
            with self._news:
                self._has_ended = True
                self._news.notify_all()

    def _take(self, word: str, *words: str) -> None:
        match word, words:
            case "ready", ():
                self._is_ready = True
            case "kept", (number, position, durable, at):
                at_position = Position.parse(position)
                self.kept.append(Kept(int(number), at_position, durable == "True", float(at)))
            case "refused", (number, error, applied):
                outcome = None if applied == "None" else applied == "True"
                self.refused.append(Refused(int(number), error, outcome))
            case "full", (position, reason, state):
                self._receive(self._read_full(Position.parse(position), reason, b64decode(state)))
            case "delta", (since, position, changes):
                delta = self._read_delta(int(since), Position.parse(position), b64decode(changes))
                self._receive(delta)
            case _:
                raise AssertionError(f"{self.name} says {word} {words}")

    def _receive(self, reply: WatchReply) -> None:
        if isinstance(reply, FullContext):
            self.reasons.append(reply.reason)
        assert self.replica.receive(reply) == "applied"

    def _read_full(self, position: Position, reason: Any, state: bytes) -> FullContext:
        context = Context(
            context_id=self._context_id,
            state=self._codec.decode_state(state),
            position=position,
            updated_at=0.0,
        )
        return FullContext(context, reason)

    def _read_delta(self, since: int, position: Position, changes: bytes) -> DeltaUpdate:
        delta = Delta(
            context_id=self._context_id,
            changes=self._codec.decode_changes(changes),
            from_version=since,
            version=position.version,
            epoch=position.epoch,
            updated_at=0.0,
        )
        return DeltaUpdate(delta)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._listener.join(PATIENCE)
        self._process.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"<Owner {self.name} kept={len(self.kept)} refused={len(self.refused)}>"
