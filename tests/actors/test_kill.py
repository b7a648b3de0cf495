"""Test what is left when an owner's process is killed, or stands still until it is one no more.

What happens when is for the machine to say, so each test tells what holds at any moment; processes
are killed by how much they have said, not by time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from actors import StatefulChord
from chord import (
    Added,
    BackendUnavailable,
    Commit,
    Context,
    DeltaUpdate,
    FullContext,
    Increment,
    Modified,
    MsgspecCodec,
    NoChange,
    OwnedElsewhere,
    Position,
    Settings,
    StatelessChord,
    open_backend,
)
from chord.backends.base import Backend
from chord.backends.sqlite import SqliteBackend
from chord.changes import Changes
from chord.delta import apply, equal, merge
from chord.state import StateDict, take_in
from chord.testing.servers import Server
from tests.actors.owning import PATIENCE, UNREACHED, Kept, Owner
from tests.runtime.processes import Place
from tests.servers import namespace as namespace
from tests.servers import redis_server as redis_server
from tests.servers import valkey_server as valkey_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOM: Final = "room"
TOTAL: Final = "total"
BEGUN: Final = {TOTAL: 0}

LEASE: Final = 0.6
"""Seconds for which an owner that has died, or stands still, keeps others out."""

WINDOW: Final = 0.2
SLACK: Final = 1.0
"""Seconds within which what is acknowledged is to be stored, and what a busy machine may add."""

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
    """The store as this process sees it, with the context begun."""
    async with open_backend(place.url, Settings(namespace=place.namespace)) as backend:
        async with StatelessChord(backend) as chord:
            await chord.set_context(ROOM, BEGUN)
        yield backend
        if isinstance(backend, SqliteBackend):
            await backend.check()


# -- what is stored ------------------------------------------------------------------------------


@attrs.frozen
class Log:
    """What a store has: how the context is now, and what each version behind the first did."""

    context: Context
    changes: dict[int, Changes]

    @property
    def head(self) -> Position:
        return self.context.position

    def written(self, version: int) -> tuple[str, int]:
        """By whom, and under which number of theirs, a version was made."""
        ((slot, change),) = ((k, v) for k, v in self.changes[version].items() if k != TOTAL)
        match change:
            case Added(int(number)) | Modified(_, int(number)):
                return slot.partition("-")[0], number
        raise AssertionError(f"{slot} {change}")

    def state_at(self, version: int) -> StateDict:
        return apply(take_in(BEGUN), merge([self.changes[each] for each in range(2, version + 1)]))

    def check(self, owners: Iterable[Owner], *, upto: int | None = None) -> None:
        """Assert that the log has no hole, and that all who were told of a version are right.

        With `upto` nothing is asserted of versions behind that one.
        """
        head = self.head.version
        assert [*self.changes] == [*range(2, head + 1)]
        assert equal(self.state_at(head), self.context.state)
        assert self.context.state[TOTAL] == head - 1
        written = [self.written(version) for version in self.changes]
        assert len(set(written)) == len(written)
        for owner in owners:
            self._check_owner(owner, set(written), UNREACHED if upto is None else upto)

    def _check_owner(self, owner: Owner, written: set[tuple[str, int]], upto: int) -> None:
        for kept in owner.kept:
            assert kept.position.epoch == self.head.epoch
            if kept.position.version <= upto:
                assert self.written(kept.position.version) == (owner.name, kept.number)
        for refused in owner.refused:
            assert refused.applied is None or (owner.name, refused.number) not in written
        known = owner.replica.position
        if known is not None and known.version <= upto:
            assert known.epoch == self.head.epoch
            assert equal(owner.replica.state, self.state_at(known.version))


async def read_log(backend: Backend) -> Log:
    """Read it as one who was not there before, and who owns nothing."""
    async with StatelessChord(backend) as chord:
        context = await chord.get_context(ROOM)
    stored = await backend.load(ROOM)
    assert stored
    codec = MsgspecCodec()
    _, *entries = stored.entries
    return Log(context, {each.version: codec.decode_changes(each.changes) for each in entries})


# -- those who come after ------------------------------------------------------------------------


async def begin(owner: Owner, until: int) -> None:
    """Let an owner go, and wait until it has been acknowledged so many updates."""
    await asyncio.to_thread(owner.go)
    await reach(owner, lambda: len(owner.kept) >= until)


async def reach(owner: Owner, holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(owner.wait_until, holds)


@asynccontextmanager
async def open_successor(backend: Backend) -> AsyncIterator[StatefulChord]:
    async with StatefulChord(backend, delta_threshold=UNREACHED) as chord:
        yield chord
        chord.check()


async def take_over(chord: StatefulChord) -> Commit:
    """Make an update as soon as the lease of the last owner has lapsed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await chord.update_context(ROOM, {"heir": 1, TOTAL: Increment()})
            except OwnedElsewhere:
                continue


async def check_resumes(chord: StatefulChord, owner: Owner) -> None:
    """Assert that an owner's client, who knows what that showed, is told no more than it lacks."""
    reply = await chord.sync_context(ROOM, owner.replica.since)
    assert isinstance(reply, DeltaUpdate | NoChange)
    assert owner.replica.receive(reply) in ("applied", "current")
    assert equal(owner.replica.state, (await chord.get_context(ROOM)).state)


# -- killed --------------------------------------------------------------------------------------


async def test_what_owners_acknowledged_before_they_were_killed_is_kept_and_continued(
    place: Place, backend: Backend
) -> None:
    moments = random.Random(7)
    owners: list[Owner] = []
    for name in ("ana", "bor"):
        with Owner(place, name, lease_ttl=LEASE) as owner:
            await begin(owner, until=moments.randint(1, 4000))
            owner.kill()
        owners.append(owner)
        (await read_log(backend)).check(owners)
    epochs = {kept.position.epoch for owner in owners for kept in owner.kept}
    async with open_successor(backend) as chord:
        commit = await take_over(chord)
        assert {commit.position.epoch} == epochs
        for owner in owners:
            await check_resumes(chord, owner)


async def test_write_behind_loses_what_its_owner_acknowledged_last_and_ends_the_epoch(
    place: Place, backend: Backend
) -> None:
    until = random.Random(7).randint(7000, 9000)
    with Owner(
        *(place, "ana"),
        pace=0.25,
        lease_ttl=LEASE,
        durability="write-behind",
        flush_interval=WINDOW,
        flush_count=UNREACHED,
    ) as owner:
        await begin(owner, until)
        killed_at = time.monotonic()
        owner.kill()
    log = await read_log(backend)
    log.check([owner], upto=log.head.version)
    check_lost(owner.kept, log.head.version, killed_at)
    async with open_successor(backend) as chord:
        commit = await take_over(chord)
        assert commit.position.version == log.head.version + 1
        assert commit.position.epoch != log.head.epoch
        reply = await chord.sync_context(ROOM, owner.replica.since)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"


def check_lost(told: Iterable[Kept], head: int, killed_at: float) -> None:
    """Assert that what is lost was acknowledged within the window, and that something is kept."""
    assert not any(kept.durable for kept in told)
    ages = [killed_at - kept.at for kept in told if kept.position.version > head]
    assert max(ages, default=0.0) <= WINDOW + SLACK
    assert max(killed_at - kept.at for kept in told) > WINDOW + SLACK


# -- standing still ------------------------------------------------------------------------------


async def test_an_owner_that_stood_still_for_too_long_is_acknowledged_nothing_more(
    place: Place, backend: Backend
) -> None:
    until = random.Random(7).randint(500, 1500)
    with (
        Owner(place, "ana", width=50, lease_ttl=LEASE) as ana,
        Owner(place, "bor", width=50, lease_ttl=PATIENCE) as bor,
    ):
        await begin(ana, until)
        await asyncio.to_thread(bor.go)
        await reach(bor, lambda: len(bor.refused) > 0)
        assert not bor.kept
        await freeze_between_commits(ana, place)
        await reach(bor, lambda: len(bor.kept) > 500)
        thawed_at = bor.kept[-1].position.version
        ana.thaw()
        await reach(ana, lambda: len(ana.refused) > 500)
        await reach(ana, lambda: version_of(ana) > thawed_at)
        ana.kill()
        await asyncio.to_thread(bor.end)
    log = await read_log(backend)
    log.check([ana, bor])
    taken_over_at = min(kept.position.version for kept in bor.kept)
    assert max(kept.position.version for kept in ana.kept) < taken_over_at
    assert {each.error for each in bor.refused} == {"OwnedElsewhere"}
    told = [each for each in ana.refused if each.applied is False]
    assert len(told) > 500 - 50  # of what was under way as it stopped, it may not be able to tell
    assert ana.reasons == ["requested"]  # its client has followed the next owner by deltas
    async with open_successor(backend) as chord:
        await chord.update_context(ROOM, {TOTAL: Increment()})
        await check_resumes(chord, ana)


def version_of(owner: Owner) -> int:
    position = owner.replica.position
    return position.version if position else 0


async def freeze_between_commits(owner: Owner, place: Place) -> None:
    """Let it stand still where it does not keep a file locked: nobody could take over then."""
    url = place.url.replace("busy_timeout=60", "busy_timeout=0.1")
    async with open_backend(url, Settings(namespace=place.namespace)) as backend:
        while True:
            owner.freeze()
            try:
                await backend.acquire("another", "nobody", ttl=0.01, address="", fresh_epoch=None)
            except (BackendUnavailable, OwnedElsewhere):
                owner.thaw()
            else:
                return
