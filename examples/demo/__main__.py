"""Run the demonstration; the exit status tells whether anything was lost."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console

from actors import StatefulChord
from chord import (
    Backend,
    Chord,
    ChordError,
    NotStored,
    Settings,
    StatelessChord,
    open_backend,
)
from examples import scenarios
from examples.demo.room import Plan, Room
from examples.demo.screen import Played, Screen
from examples.scenarios import MULTIPLE, SINGLE, Audit, Run, Scenario

NAMESPACE: Final = "chord-demo"
Make: TypeAlias = Callable[..., AbstractAsyncContextManager[Chord]]

RUNTIMES: Final[dict[str, Make]] = {
    "stateless": StatelessChord,
    "stateful": StatefulChord,
    "write-behind": partial(StatefulChord, durability="write-behind"),
}
ROUNDS: Final = 3
"""How often each scenario is run in each runtime."""

QUICK: Final[dict[str, int]] = {"lives": 2, "updates": 150}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if nothing was lost, 1 if something was, 2 if the store cannot be used."""
    options = _parse(arguments)
    size = QUICK if options.quick else {}
    plan = Plan(seed=options.seed, clients=options.clients, **size)
    screen = Screen(Console())
    status = 2
    try:
        status = 0 if asyncio.run(_open_and_play(options.backend, plan, screen)) else 1
    except* ChordError as group:
        screen.complain(str(group.exceptions[0]))
    except* KeyboardInterrupt:
        status = 130
    return status


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--backend", metavar="URL", help="default: a temporary SQLite file")
    parser.add_argument(
        "--seed", type=int, default=7, help="for everything left to chance; default: 7"
    )
    parser.add_argument(
        "--clients", type=_positive, default=50, help="who follow the room; default: 50"
    )
    parser.add_argument("--quick", action="store_true", help="fewer updates")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of 1 or more, not {text!r}")
    return int(text)


async def _open_and_play(url: str | None, plan: Plan, screen: Screen) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        place = url or f"sqlite:///{Path(directory, 'demo.db')}"
        async with open_backend(place, Settings(namespace=NAMESPACE)) as backend:
            screen.introduce(backend.address if url else "a temporary SQLite file", plan)
            return await play(backend, plan, screen)


async def play(backend: Backend, plan: Plan, screen: Screen) -> bool:
    """Run the scenarios in every runtime, then play the room; return whether all was kept.

    What was kept is read by a runtime of its own, as another process would.
    """
    prefix = f"{secrets.token_hex(4)}/"
    settings = Settings(namespace=NAMESPACE, delta_threshold=plan.threshold)
    played: list[Played] = []
    async with StatelessChord(backend, settings=settings) as reader:
        with screen.moving():
            for scenario in (SINGLE, MULTIPLE):
                played += await compare(backend, settings, reader, scenario, prefix)
            async with _open(StatefulChord, backend, settings, prefix) as chord:
                room = Room(chord, reader, f"{prefix}room", plan)
                await room.play(screen.show)
    return _report(played, room, screen)


async def compare(
    backend: Backend, settings: Settings, reader: Chord, scenario: Scenario, prefix: str
) -> list[Played]:
    """Run a scenario in each runtime, by turns, and audit each run."""
    runs: dict[str, list[Run]] = {name: [] for name in RUNTIMES}
    audits = dict.fromkeys(RUNTIMES, Audit())
    for number in range(ROUNDS):
        for name, make in RUNTIMES.items():
            place = f"{prefix}{name}/{number}/"
            async with _open(make, backend, settings, place) as chord:
                run = await scenarios.run(chord, scenario, place)
                with contextlib.suppress(ChordError):  # what is not stored is told by the audit
                    await chord.flush()
                runs[name].append(run)
                audits[name] += await scenarios.audit(reader, run)
    return [Played(name, runs[name], audits[name]) for name in RUNTIMES]


def _report(played: Sequence[Played], room: Room, screen: Screen) -> bool:
    screen.report_scenarios(played)
    screen.report_replies(room)
    audits = {f"{each.scenario.name}, {each.runtime}": each.audit for each in played}
    audits |= {f"room, life {life}": audit for life, audit in enumerate(room.audits, 1)}
    screen.report_audit(audits, room.errors)
    return all(audit.holds for audit in audits.values())


@contextlib.asynccontextmanager
async def _open(
    make: Make, backend: Backend, settings: Settings, prefix: str
) -> AsyncIterator[Chord]:
    """Open a runtime, and leave nothing behind; the audit tells what it did not store."""
    with contextlib.suppress(NotStored):
        async with make(backend, settings=settings) as chord, _tidy(chord, prefix):
            yield chord


@contextlib.asynccontextmanager
async def _tidy(chord: Chord, prefix: str) -> AsyncIterator[None]:
    """Delete at the end all contexts whose ids begin with `prefix`."""
    try:
        yield
    finally:
        with contextlib.suppress(ChordError):
            while page := await chord.list_contexts(prefix):
                for summary in page:
                    await chord.delete_context(summary.context_id)


if __name__ == "__main__":
    sys.exit(main())
