"""Start the process that is loaded, and read what it takes of memory and time. Linux only."""

from __future__ import annotations

import os
import signal
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

import anyio
import attrs

from benchmarks.harness import CannotMeasure

Kind: TypeAlias = Literal["door", "floor"]

PROCESSES: Final = Path("/proc/self")
SERVER: Final = Path(__file__).parent / "server.py"
PATIENCE: Final = 60.0
"""Seconds in which a server ends by itself: a profile is written then."""


@attrs.frozen
class Host:
    """A server under way, at an address of the loopback."""

    kind: Kind
    address: tuple[str, int]
    pid: int

    def weigh(self) -> int:
        """The bytes of memory that are resident."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def read_time(self) -> float:
        """The seconds of processor time that its first thread has taken, the kernel's too."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@asynccontextmanager
async def host(kind: Kind, profile: Path | None = None) -> AsyncIterator[Host]:
    """Run a server of its own process meanwhile. Raises `CannotMeasure` where there is no /proc."""
    if not PROCESSES.is_dir():
        raise CannotMeasure("memory of another process is read from /proc")
    process = await create_subprocess_exec(
        *(sys.executable, str(SERVER), kind, *([str(profile)] if profile else [])),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        yield Host(kind, await _read_address(process), process.pid)
    finally:
        await _end(process)


async def _read_address(process: Process) -> tuple[str, int]:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    if not line:
        raise RuntimeError("the server ended before it listened")
    name, port = line.split()
    return name, int(port)


async def _end(process: Process) -> None:
    """By its stdin; where that does not help, by force."""
    assert process.stdin is not None
    process.stdin.close()
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(PATIENCE):
            await process.wait()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
