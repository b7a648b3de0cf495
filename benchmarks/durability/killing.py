"""Kill a process while it writes, and look in the store for what it was acknowledged."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from benchmarks.crash import Crash, Kill
from benchmarks.durability.sizes import Sizes
from benchmarks.harness import Measurement, Part
from benchmarks.modes import MODES, Mode
from benchmarks.results import Skipped
from benchmarks.stores import open_store
from chord.stateless import StatelessChord
from examples.scenarios import Audit, find

WRITER: Final = Path(__file__).parent / "writer.py"


@asynccontextmanager
async def open_theme(store: str, sizes: Sizes) -> AsyncIterator[Sequence[Part]]:
    if store == "memory":
        yield [Skipped(store, "nothing that is kept there outlives its process", "kill -9")]
        return
    with open_store(store) as url:
        yield [
            Measurement(f"kill -9, {mode.name}", partial(crash, store, url, mode, sizes))
            for mode in MODES
        ]


async def crash(store: str, url: str, mode: Mode, sizes: Sizes) -> Crash:
    """Kill one process after the other, each of which writes to contexts of its own."""
    kills = [await _kill(url, mode, sizes, seconds) for seconds in sizes.moments]
    is_behind = mode.durability == "write-behind"
    return Crash(
        store=store,
        runtime=mode.runtime,
        durability=mode.durability,
        flush_interval=sizes.flush_interval if is_behind else None,
        kills=tuple(kills),
    )


async def _kill(url: str, mode: Mode, sizes: Sizes, seconds: float) -> Kill:
    prefix = f"{seconds:.2f}/"
    async with _start_writer(url, mode, prefix, sizes) as process:
        told = await _listen(process, seconds)
    async with StatelessChord.open(url, namespace=mode.name) as reader:
        contexts = {each: await find(reader, each) for each in {each.context_id for each in told}}
    stored = {each: context.state if context else {} for each, context in contexts.items()}
    return judge(told, stored, seconds)


# -- the process ---------------------------------------------------------------------------------


@asynccontextmanager
async def _start_writer(url: str, mode: Mode, prefix: str, sizes: Sizes) -> AsyncIterator[Process]:
    words = (sizes.flush_interval, sizes.contexts, sizes.writers, sizes.pause)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(WRITER), url, mode.name, prefix, *map(str, words)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        yield process
    finally:
        _kill_at_once(process)
        await process.wait()


def _kill_at_once(process: Process) -> None:
    """Harmless if it is dead; its own method would take its exit code from who waits for it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


@attrs.frozen
class Told:
    """An update that the writer told was acknowledged: at `moment`, on the writer's clock."""

    context_id: str
    key: str
    durable: bool
    moment: float


async def _listen(process: Process, seconds: float) -> list[Told]:
    """What it told until it was killed, so many seconds after the first word."""
    assert process.stdout is not None
    first = await process.stdout.readline()
    if not first:
        raise RuntimeError("the writer ended before anything was acknowledged")
    reading = asyncio.create_task(_read_all(process.stdout))
    try:
        await asyncio.sleep(seconds)
        _kill_at_once(process)
        lines = await reading
    finally:
        reading.cancel()
    return [parse(line) for line in (first, *lines)]


async def _read_all(stream: StreamReader) -> list[bytes]:
    return [line async for line in stream]


def parse(line: bytes) -> Told:
    """
    >>> parse(b"room 1-7 0 12.5\\n")
    Told(context_id='room', key='1-7', durable=False, moment=12.5)
    """
    context_id, key, durable, moment = line.decode().split()
    return Told(context_id, key, durable == "1", float(moment))


# -- what was kept -------------------------------------------------------------------------------


def judge(told: Sequence[Told], stored: Mapping[str, Collection[str]], seconds: float) -> Kill:
    """Compare what was acknowledged with the keys that are stored in each context."""
    lost = [each for each in told if each.key not in stored[each.context_id]]
    durable = [each for each in told if each.durable]
    found = sum(len(keys) for keys in stored.values())
    kept = len(told) - len(lost)
    return Kill(
        seconds=seconds,
        audit=Audit(acknowledged=len(told), kept=kept),
        durable=Audit(len(durable), len(durable) - sum(each.durable for each in lost)),
        unacknowledged=found - kept,
        span=told[-1].moment - min((each.moment for each in lost), default=told[-1].moment),
    )
