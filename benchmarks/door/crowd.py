"""Hold `Crowd`: the sockets at one server, which watch, and some that write; all by one clock."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from time import perf_counter
from typing import Any, Final, TypeVar

import attrs

from benchmarks.door.hosting import Host, Kind, host
from benchmarks.door.sizes import Sizes
from benchmarks.door.sockets import Goal, Sleeper, Watcher, Writer, mark_position, open_socket
from benchmarks.fanout.audience import Telling
from benchmarks.room import build_room
from chord.client.replica import Replica
from chord.delta import equal
from chord.position import Position
from chord.web.wire import (
    Current,
    Deleted,
    DeltaMessage,
    Done,
    Encoding,
    Full,
    Set,
    Sync,
    Update,
    decode_reply,
)
from examples.scenarios import PARTICIPANTS, Audit

PATIENCE: Final = 120.0
"""Seconds after which what has not come is not to be expected any more."""

AT_ONCE: Final = 50
"""Sockets that are opened at the same time."""

_T = TypeVar("_T")


@attrs.define
class Room:
    """A context, where it began and is, and who watches it: some are prompt, some asleep."""

    context_id: str
    begun: Position
    position: Position
    acknowledged: int = 0
    goal: Goal = attrs.field(factory=Goal)
    prompt: list[Watcher] = attrs.field(factory=list)
    late: Goal = attrs.field(factory=Goal)
    sleepers: list[Sleeper] = attrs.field(factory=list)

    def take(self, done: Done) -> None:
        position = _read(done.position)
        self.acknowledged += 1
        if position.version > self.position.version:
            self.position = position

    @property
    def next(self) -> Position:
        """Where the next update leads to, if there is one at a time."""
        return Position(self.position.epoch, self.position.version + 1)


@attrs.frozen
class Rush:
    """Many updates in a row: seconds until the last was acknowledged, and until it was everywhere.

    `frames` are those that the prompt watchers were sent of them.
    """

    updates: int
    acknowledged: float
    whole: float
    frames: int


class Crowd:
    """Sockets of which all watch one context, or so many one each where they are `apart`.

    To be had of `gather_crowd`. One thing at a time: to grow, to tell, a rush or an audit.
    """

    def __init__(
        self,
        server: Host,
        encoding: Encoding,
        writers: Sequence[Writer],
        sizes: Sizes,
        *,
        apart: bool,
    ) -> None:
        self._server = server
        self._encoding = encoding
        self._writers = writers
        self._sizes = sizes
        self._apart = apart
        self.rooms: list[Room] = []
        self._written = 0

    @property
    def prompt(self) -> Iterable[Watcher]:
        return chain.from_iterable(room.prompt for room in self.rooms)

    @property
    def sleepers(self) -> Iterable[Sleeper]:
        return chain.from_iterable(room.sleepers for room in self.rooms)

    def __len__(self) -> int:
        return sum(len(room.prompt) + len(room.sleepers) for room in self.rooms)

    # -- who is there ----------------------------------------------------------------------------

    async def grow(self, count: int, slow: int = 0) -> None:
        """Let more come until there are so many, and all know the full state.

        `slow` of them are, evenly spread, where none has come before.
        """
        numbers = range(len(self), count)
        while len(self.rooms) <= self._place(count - 1):
            self.rooms.append(await self._open_room(f"room:{len(self.rooms)}"))
        for first in range(0, len(numbers), AT_ONCE):
            some = numbers[first : first + AT_ONCE]
            await _gather(self._enter(each, _is_one_of(each, slow, count)) for each in some)

    def _place(self, number: int) -> int:
        return number // self._sizes.room if self._apart else 0

    async def _open_room(self, context_id: str) -> Room:
        state = build_room()
        done = await self._writers[0].ask(lambda ref: Set(ref=ref, context=context_id, state=state))
        assert isinstance(done, Done)
        return Room(context_id, _read(done.position), _read(done.position))

    async def _enter(self, number: int, is_slow: bool) -> None:
        room = self.rooms[self._place(number)]
        every = max(1, self._sizes.sockets[-1] // self._sizes.replicas)
        recording = number % every == (every - 1 if is_slow else 0)
        if is_slow:
            sleeper = Sleeper(self._encoding, room.late, recording=recording)
            room.sleepers.append(sleeper)
            await self._seat(sleeper, room)
        else:
            watcher = Watcher(self._encoding, room.goal, recording=recording)
            room.prompt.append(watcher)
            await self._seat(watcher, room)

    async def _seat(self, watcher: Watcher, room: Room) -> None:
        await open_socket(watcher, self._server.address, narrow=isinstance(watcher, Sleeper))
        await watcher.watch(room.context_id)

    @asynccontextmanager
    async def dozing(self) -> AsyncIterator[None]:
        """Meanwhile those who are slow read only now and then, and a little."""
        for each in self.sleepers:
            each.doze()
        rousing = asyncio.create_task(self._rouse())
        try:
            yield
        finally:
            rousing.cancel()
            for each in self.sleepers:
                each.awake()

    async def _rouse(self) -> None:
        while True:
            await asyncio.sleep(self._sizes.every)
            for each in self.sleepers:
                each.rouse()

    # -- what they are told ----------------------------------------------------------------------

    async def tell(self, letters: int = 0) -> Telling:
        """Make one update, and wait until all prompt ones have it.

        Each is of another participant, but of the same one where it is of so many letters more.
        """
        room = self.rooms[self._written % len(self.rooms)]
        arriving = self._expect(room.goal, room.prompt, room.next)
        called = perf_counter()
        await self._write(self._writers[0], room, letters)
        acknowledged = perf_counter()
        return Telling(called, acknowledged, await _wait(arriving))

    async def rush(self, updates: int) -> Rush:
        """Have all writers write, each as soon as it was answered."""
        frames = self.count_frames()
        numbers = iter(range(updates))
        began = perf_counter()
        await _gather(self._keep_writing(writer, numbers) for writer in self._writers)
        acknowledged = perf_counter()
        ends = await self._settle()
        return Rush(updates, acknowledged - began, max(ends) - began, self.count_frames() - frames)

    async def _keep_writing(self, writer: Writer, numbers: Iterable[int]) -> None:
        for _ in numbers:
            await self._write(writer, self.rooms[self._written % len(self.rooms)])

    async def _write(self, writer: Writer, room: Room, letters: int = 0) -> None:
        self._written += 1
        user = "user_1" if letters else f"user_{self._written % PARTICIPANTS + 1}"
        value = "." * letters + str(self._written)
        changes: dict[str, Any] = {"participants": {user: {"last_seen": value}}}
        done = await writer.ask(
            lambda ref: Update(ref=ref, context=room.context_id, changes=changes)
        )
        assert isinstance(done, Done)
        room.take(done)

    def _expect(self, goal: Goal, watchers: Sequence[Watcher], position: Position) -> Future[float]:
        mark = mark_position(str(position), self._encoding)
        return goal.set(mark, sum(not each.is_at(mark) for each in watchers))

    def count_frames(self) -> int:
        """How many the prompt ones were sent until now."""
        return sum(each.frames for each in self.prompt)

    async def _settle(self) -> list[float]:
        """When the last prompt one of each room had the latest."""
        return [
            await _wait(self._expect(room.goal, room.prompt, room.position)) for room in self.rooms
        ]

    # -- the audit -------------------------------------------------------------------------------

    async def audit(self) -> Audit:
        """Compare what the server has with what it acknowledged, and all who watch with that.

        A copy is a socket that is where the server is, and once more, for some of them, a replica
        that took all that it was told.
        """
        return sum([await self._audit_room(room) for room in self.rooms], Audit())

    async def _audit_room(self, room: Room) -> Audit:
        full = await self._writers[0].ask(lambda ref: Sync(ref=ref, context=room.context_id))
        assert isinstance(full, Full)
        position = _read(full.position)
        await _wait(self._expect(room.goal, room.prompt, position))
        await _wait(self._expect(room.late, room.sleepers, position))
        mark = mark_position(full.position, self._encoding)
        watchers = [*room.prompt, *room.sleepers]
        recorded = [each.told for each in watchers if each.told is not None]
        same = [_is_equal(_replay(told, self._encoding), full) for told in recorded]
        return Audit(
            acknowledged=room.acknowledged,
            kept=position.version - room.begun.version,
            copies=len(watchers) + len(recorded),
            equal=sum(each.is_at(mark) for each in watchers) + sum(same),
        )

    def close(self) -> None:
        for each in (*self.prompt, *self.sleepers, *self._writers):
            each.close()

    def __repr__(self) -> str:
        return f"<Crowd of {len(self):,} in {len(self.rooms)} rooms>"


@asynccontextmanager
async def gather_crowd(
    server: Host, encoding: Encoding, sizes: Sizes, *, apart: bool
) -> AsyncIterator[Crowd]:
    """Open the sockets that write; those that watch come when it grows."""
    writers = [await open_socket(Writer(encoding), server.address) for _ in range(sizes.writers)]
    crowd = Crowd(server, encoding, writers, sizes, apart=apart)
    try:
        yield crowd
    finally:
        crowd.close()


@asynccontextmanager
async def open_crowd(
    kind: Kind, encoding: Encoding, sizes: Sizes, *, apart: bool
) -> AsyncIterator[tuple[Host, Crowd]]:
    """Start a server for it."""
    async with (
        host(kind) as server,
        gather_crowd(server, encoding, sizes, apart=apart) as crowd,
    ):
        yield server, crowd


def _is_one_of(number: int, few: int, many: int) -> bool:
    """Whether it is one of a few that are spread evenly over many.

    >>> [number for number in range(10) if _is_one_of(number, 3, 10)]
    [3, 6, 9]
    """
    return number * few // many != (number + 1) * few // many


def _replay(told: Iterable[bytes], encoding: Encoding) -> Replica:
    replica = Replica()
    for data in told:
        message = decode_reply(data, encoding)
        if isinstance(message, Full | DeltaMessage | Current | Deleted):
            replica.receive(message)
    return replica


def _is_equal(replica: Replica, full: Full) -> bool:
    return replica.position == full.position and equal(replica.state, full.state)


def _read(position: str | None) -> Position:
    return Position.parse(position or "")


async def _wait(arriving: Awaitable[_T]) -> _T:
    async with asyncio.timeout(PATIENCE):
        return await arriving


async def _gather(works: Iterable[Awaitable[None]]) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*works)
