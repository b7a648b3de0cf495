"""Test that every update which was acknowledged is kept: many at once, from one process or several.

Each update sets a key of its own and counts up a total, so one that is lost is missed twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from actors import StatefulChord
from chord import (
    Added,
    Chord,
    ChordError,
    Context,
    Increment,
    MsgspecCodec,
    NotApplied,
    OutcomeUnknown,
    Replica,
    Settings,
    StatelessChord,
    SystemClock,
    open_backend,
)
from chord.backends.base import Backend
from chord.backends.redis import RedisBackend
from chord.backends.sqlite import SqliteBackend
from chord.changes import Changes
from chord.delta import apply, equal, merge
from chord.state import take_in
from chord.testing.servers import Server
from tests.runtime.kinds import stateful, stateless
from tests.runtime.processes import Acknowledged, Place, Writer
from tests.runtime.stage import BRIEF, MakeRuntime, Runtime, Stage
from tests.servers import own_server as own_server
from tests.waiting import running, turn

pytestmark = pytest.mark.anyio

ROOM: Final = "room"
BEGUN: Final = {"total": 0}
LAST: Final = "last"
"""The key of the update after which nothing comes."""

UNREACHED: Final = 1_000_000
"""A threshold so high that the log is never cut, and tells of every version."""


PATIENCE: Final = 30.0
"""Seconds after which somebody who waits is told nothing any more."""


async def update(chord: Chord, key: str, op_id: str | None = None) -> Acknowledged:
    changes = {key: True, "total": Increment()}
    return Acknowledged(key, (await chord.update_context(ROOM, changes, op_id=op_id)).position)


# -- what was kept -------------------------------------------------------------------------------


@attrs.frozen
class Kept:
    """What a store has: how the context is now, and what each version behind the first did."""

    context: Context
    log: dict[int, Changes]

    def check(self, told: Sequence[Acknowledged]) -> None:
        """Assert that nothing is missing or there twice, and that each version is what was told."""
        state = self.context.state
        assert [*self.log] == [*range(2, self.context.position.version + 1)]
        assert state["total"] == len(self.log) == len(state) - 1
        assert equal(apply(take_in(BEGUN), merge([*self.log.values()])), state)
        assert len({each.position for each in told}) == len(told)
        for each in told:
            assert each.position.epoch == self.context.position.epoch
            assert self.log[each.position.version][each.key] == Added(True)


async def read_kept(backend: Backend) -> Kept:
    """Read it as one who was not there before."""
    async with StatelessChord(backend, delta_threshold=UNREACHED) as chord:
        context = await chord.get_context(ROOM)
    stored = await backend.load(ROOM)
    assert stored
    codec = MsgspecCodec()
    _, *entries = stored.entries
    return Kept(context, {each.version: codec.decode_changes(each.changes) for each in entries})


# -- replicas ------------------------------------------------------------------------------------


async def watch(chord: Chord) -> Replica:
    """Take what comes, up to the last update."""
    replica = Replica()
    async with chord.watch_context(ROOM) as replies:
        async for reply in replies:
            assert replica.receive(reply) == "applied"
            if LAST in (replica.state or ()):
                break
    return replica


async def keep_asking(chord: Chord) -> Replica:
    """Ask what is new, over and over, up to the last update."""
    replica = Replica()
    while LAST not in (replica.state or ()):
        replica.receive(await chord.sync_context(ROOM, replica.since))
        await turn(1)
    return replica


async def check_equal(followers: Iterable[Awaitable[Replica]], context: Context) -> None:
    async with asyncio.timeout(PATIENCE):
        replicas = await asyncio.gather(*followers)
    for replica in replicas:
        assert replica.position == context.position
        assert equal(replica.state, context.state)


# -- in one process ------------------------------------------------------------------------------


async def check_a_thousand_at_once(stage: Stage, chords: Sequence[Chord]) -> None:
    await chords[0].set_context(ROOM, BEGUN)
    followers = [
        asyncio.create_task(follow(chord)) for follow in (watch, keep_asking) for chord in chords
    ]
    told = await asyncio.gather(
        *(update(chords[number % len(chords)], f"key-{number}") for number in range(1000))
    )
    told.append(await update(chords[0], LAST))
    kept = await read_kept(await stage.connect())
    kept.check(told)
    assert len(kept.log) == 1001
    await check_equal(followers, kept.context)


async def test_a_thousand_updates_at_once_are_all_kept(stage: Stage) -> None:
    await check_a_thousand_at_once(stage, [await stage.open(delta_threshold=UNREACHED)])


@stateless
async def test_a_thousand_updates_at_once_by_four_runtimes_are_all_kept(stage: Stage) -> None:
    settings = {"clock": SystemClock(), "watch_poll": 0.005, "delta_threshold": UNREACHED}
    await check_a_thousand_at_once(stage, [await stage.open(**settings) for _ in range(4)])


@stateful
async def test_a_thousand_updates_by_four_owners_in_turn_are_all_kept(stage: Stage) -> None:
    fields = {"watch_poll": 1.0, "delta_threshold": UNREACHED, **BRIEF}
    chords = [await stage.open(**fields) for _ in range(4)]
    await chords[0].set_context(ROOM, BEGUN)
    followers = [asyncio.create_task(watch(chord)) for chord in chords]
    followers.append(asyncio.create_task(keep_asking(await stage.open())))
    told: list[Acknowledged] = []
    owner = chords[0]
    for number in range(20):
        await stage.let_go(owner, ROOM)
        owner = chords[number % 4]
        told += await asyncio.gather(*(update(owner, f"key-{number}-{n}") for n in range(50)))
    told.append(await update(owner, LAST))
    kept = await read_kept(await stage.connect())
    kept.check(told)
    assert len(kept.log) == 1001
    async with running(stage.clock):
        await check_equal(followers, kept.context)


@stateful
async def test_what_four_runtimes_insist_on_is_done_exactly_once(stage: Stage) -> None:
    fields = {"op_ttl": 1e9, "delta_threshold": UNREACHED, **BRIEF}
    chords = [await stage.open(**fields) for _ in range(4)]
    callers = Insistent(chords)
    async with running(stage.clock, patiently=False):  # they never leave the store in peace
        await chords[0].set_context(ROOM, BEGUN)
        await callers.run(callers=20, updates=10)
    kept = await read_kept(await stage.connect())
    kept.check(callers.told)
    assert len(kept.log) == len(callers.told) == 200
    assert {error.applied for error in callers.failures} == {False}


# -- in four processes ---------------------------------------------------------------------------

STORES: Final = [
    "sqlite",
    pytest.param("redis", marks=pytest.mark.server),
    pytest.param("valkey", marks=pytest.mark.server),
]


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> Place:
    """A store that processes can share."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/store.db?busy_timeout=60", namespace, ROOM)
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return Place(server.url, namespace, ROOM)


@pytest.fixture
async def backend(place: Place) -> AsyncIterator[Backend]:
    async with open_backend(place.url, Settings(namespace=place.namespace)) as backend:
        yield backend
        if isinstance(backend, SqliteBackend):
            await backend.check()


@pytest.fixture
async def chord(backend: Backend) -> AsyncIterator[StatelessChord]:
    """A runtime in this process, in which the context has begun."""
    async with StatelessChord(backend, watch_poll=0.01, delta_threshold=UNREACHED) as chord:
        await chord.set_context(ROOM, BEGUN)
        yield chord


async def in_threads(calls: Iterable[Callable[[], None]]) -> None:
    await asyncio.gather(*map(asyncio.to_thread, calls))


async def begin(writers: Sequence[Writer]) -> None:
    """Let all go once all are ready."""
    await in_threads(writer.wait_until_ready for writer in writers)
    for writer in writers:
        writer.go()


async def finish(writers: Sequence[Writer], chord: StatelessChord) -> list[Acknowledged]:
    """Wait for all to end, and make the last update; return all that was acknowledged."""
    await in_threads(writer.read_all for writer in writers)
    told = [each for writer in writers for each in writer.acknowledged]
    return [*told, await update(chord, LAST)]


each_kind: Final = pytest.mark.parametrize("kind", ["stateless", "stateful"])


@pytest.mark.slow
@each_kind
@pytest.mark.parametrize(("count", "width"), [(250, 250), (60, 1)], ids=["at-once", "one-by-one"])
async def test_what_four_processes_were_told_is_all_kept(
    place: Place, backend: Backend, chord: StatelessChord, kind: str, count: int, width: int
) -> None:
    followers = [asyncio.create_task(watch(chord)) for _ in range(3)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(Writer(place, name, kind=kind, count=count, width=width))
            for name in ("ana", "bor", "cene", "dana")
        ]
        await begin(writers)
        told = await finish(writers, chord)
        assert [writer.exit_code for writer in writers] == [0, 0, 0, 0]
        assert sum(writer.conflicts for writer in writers) >= 3
    kept = await read_kept(backend)
    kept.check(told)
    assert len(kept.log) == len(told) == 4 * count + 1
    await check_equal(followers, kept.context)


@pytest.mark.slow
@each_kind
@pytest.mark.parametrize("width", [20, 1], ids=["at-once", "one-by-one"])
async def test_what_a_process_was_told_before_it_was_killed_is_kept(
    place: Place, backend: Backend, chord: StatelessChord, kind: str, width: int
) -> None:
    follower = asyncio.create_task(watch(chord))
    with ExitStack() as stack:
        victim = Writer(place, "victim", kind=kind, count=UNREACHED, width=width)
        stack.enter_context(victim)
        others = [
            stack.enter_context(Writer(place, name, kind=kind, count=60, width=width))
            for name in ("ana", "bor", "cene")
        ]
        await begin([victim] if kind == "stateful" else [victim, *others])
        await asyncio.to_thread(victim.read, 30)
        victim.kill()
        if kind == "stateful":  # it owned the context, and has left it to whoever comes
            await begin(others)
        told = await finish([victim, *others], chord)
        assert [writer.exit_code for writer in (victim, *others)] == [-9, 0, 0, 0]
    kept = await read_kept(backend)
    kept.check(told)
    assert 30 + 3 * 60 < len(told) <= len(kept.log) <= len(told) + width
    await check_equal([follower], kept.context)


# -- a store that stands still -------------------------------------------------------------------


class Insistent:
    """Callers who repeat an update, under one op id, until they are told that it is kept."""

    def __init__(self, chords: Sequence[Chord]) -> None:
        self._chords = chords
        self.told: list[Acknowledged] = []
        self.failures: list[ChordError] = []
        self._progress = asyncio.Condition()

    async def run(self, callers: int, updates: int) -> None:
        await asyncio.gather(*(self._call(caller, updates) for caller in range(callers)))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(holds)

    async def _call(self, caller: int, updates: int) -> None:
        chord = self._chords[caller % len(self._chords)]
        for number in range(updates):
            while not await self._try(chord, f"{caller}-{number}"):
                pass

    async def _try(self, chord: Chord, key: str) -> bool:
        try:
            self.told.append(await update(chord, key, op_id=key))
        except (NotApplied, OutcomeUnknown) as error:
            self.failures.append(error)
            return False
        finally:
            async with self._progress:
                self._progress.notify_all()
        return True


@asynccontextmanager
async def open_impatient(server: Server, make: MakeRuntime) -> AsyncIterator[Runtime]:
    backend = RedisBackend(server.url, timeout=0.3, connect_timeout=0.3)
    await backend.open()
    try:
        async with make(backend, settings=Settings(delta_threshold=UNREACHED)) as chord:
            yield chord
    finally:
        await backend.close()


@pytest.mark.server
@pytest.mark.parametrize(
    ("make", "count"),
    [(StatelessChord, 2), (StatefulChord, 1)],
    ids=["stateless", "stateful"],
)
async def test_what_is_retried_over_a_silence_of_the_store_is_done_exactly_once(
    own_server: Server, make: MakeRuntime, count: int
) -> None:
    async with AsyncExitStack() as stack:
        chords = [
            await stack.enter_async_context(open_impatient(own_server, make)) for _ in range(count)
        ]
        await chords[0].set_context(ROOM, BEGUN)
        callers = Insistent(chords)
        calling = asyncio.create_task(callers.run(callers=20, updates=20))
        await callers.until(lambda: len(callers.told) > 100)
        own_server.freeze()
        await callers.until(lambda: len(callers.failures) > 40)
        own_server.thaw()
        await calling
    async with open_backend(own_server.url) as backend:
        kept = await read_kept(backend)
    kept.check(callers.told)
    assert len(kept.log) == len(callers.told) == 400
    assert {error.applied for error in callers.failures} == {False, None}
