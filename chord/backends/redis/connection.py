"""Carry commands to a server in pipelined flushes, and its replies back to whoever asked.

A `Lane` is one connection and what waits for it. A caller puts its commands in the line and awaits
a plain future; one task, which lives while there is something in the line, sends all of it in one
write, reads the replies in order, and looks again. So callers share round trips, and one that is
cancelled never touches the connection. What finds the line empty is sent before that task starts:
the server works meanwhile. After any trouble the connection is dropped: nothing that was sent on it
can answer a later call.

What the driver would do by itself is turned off: it repeats a command whose reply was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import importlib.resources
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    ReadOnlyError,
    ResponseError,
)

from chord.errors import (
    BackendUnavailable,
    ChordError,
    ConfigurationError,
    OutcomeUnknown,
    WrongLoop,
)

try:
    import hiredis
except ImportError:
    hiredis = None  # type: ignore[assignment]


FLUSH_BYTES: Final = 256 * 1024
"""How much is sent at once; one more command may stand above it."""

Command: TypeAlias = tuple[bytes, ...]
Reply: TypeAlias = Any
"""What the server said: bytes, int, None, a list of these, or a `Refusal`."""


def pack(command: Command) -> bytes:
    """A command as the server reads it.

    >>> pack((b"GET", b"key"))
    b'*2\\r\\n$3\\r\\nGET\\r\\n$3\\r\\nkey\\r\\n'
    """
    parts = [b"$%d\r\n%b\r\n" % (len(part), part) for part in command]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


_pack: Callable[[Any], bytes] = getattr(hiredis, "pack_command", pack)


@attrs.frozen
class Refusal:
    """An error reply, in the server's words. The command had no effect."""

    words: str
    lacks_script: bool = False


def refuse(error: Exception) -> Refusal:
    """The refusal that the driver made an exception of."""
    return Refusal(str(error), isinstance(error, NoScriptError))


# -- scripts -------------------------------------------------------------------------------------

_bodies: dict[bytes, bytes] = {}


class Script:
    """A Lua script, which the server runs as one act; it is sent by name, and once in full."""

    def __init__(self, *names: str) -> None:
        folder = importlib.resources.files(__package__)
        body = b"\n".join((folder / f"{name}.lua").read_bytes() for name in names)
        self._sha = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        _bodies[self._sha] = body

    def call(self, keys: Sequence[bytes], arguments: Iterable[bytes]) -> Command:
        return (b"EVALSHA", self._sha, b"%d" % len(keys), *keys, *arguments)


def is_script(command: Command) -> bool:
    return command[0] == b"EVALSHA"


def spell_out(command: Command) -> Command:
    """A script's call with the script itself, for a server that does not know it."""
    return (b"EVAL", _bodies[command[1]], *command[2:]) if is_script(command) else command


# -- one connection ------------------------------------------------------------------------------


class Call:
    """Commands that are sent together, and the future of their replies."""

    __slots__ = ("count", "future", "payload")

    def __init__(self, commands: Sequence[Command], future: asyncio.Future[list[Reply]]) -> None:
        self.payload = b"".join(map(_pack, commands))
        self.count = len(commands)
        self.future = future

    def answer(self, replies: list[Reply]) -> None:
        if not self.future.done():
            self.future.set_result(replies)

    def fail(self, error: ChordError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Lane:
    """One connection, the calls that wait for it, and the task that carries them.

    With `repeats`, calls that a kept connection lost are sent once more on a fresh one: for calls
    that only read. Without, nobody can tell whether they were carried out.
    """

    def __init__(
        self,
        dial: Callable[[], AbstractConnection],
        address: str,
        *,
        timeout: float,
        connect_timeout: float,
        repeats: bool,
    ) -> None:
        self._dial = dial
        self._address = address
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._repeats = repeats
        self._waiting: deque[Call] = deque()
        self._connection: AbstractConnection | None = None
        self._worn = False
        self._spoiled = False
        self._carrier: asyncio.Task[None] | None = None
        self._counts = Counter(calls=0, flushes=0, connections=0)

    async def call(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands in one piece; return their replies."""
        loop = asyncio.get_running_loop()
        call = Call(commands, loop.create_future())
        self._waiting.append(call)
        self._counts["calls"] += 1
        if self._carrier is None:
            self._carrier = loop.create_task(self._carry(self._send_ahead()))
        return await call.future

    async def close(self) -> None:
        """Let what is under way finish, then hang up."""
        while self._carrier is not None:
            await asyncio.wait([self._carrier])
        await self._hang_up()

    def statistics(self) -> dict[str, int]:
        return {**self._counts, "waiting": len(self._waiting)}

    def _send_ahead(self) -> list[Call]:
        """Send what waits, if that can be done without waiting; return it."""
        if self._connection is None or not _is_alive(self._connection):
            return []
        calls = self._take()
        self._worn = True
        self._send(self._connection, calls)
        return calls

    async def _carry(self, sent: list[Call]) -> None:
        try:
            if sent:
                assert self._connection is not None
                await self._flush_behind(self._connection, sent)
            while self._waiting:
                if calls := self._take():
                    await self._flush(calls)
        finally:
            self._carrier = None
            self._refuse(self._take_all(), "the event loop is closing")

    def _take(self) -> list[Call]:
        calls: list[Call] = []
        size = 0
        while self._waiting and size < FLUSH_BYTES:
            call = self._waiting.popleft()
            if not call.future.done():
                calls.append(call)
                size += len(call.payload)
        return calls

    def _take_all(self) -> list[Call]:
        calls = list(self._waiting)
        self._waiting.clear()
        return calls

    async def _flush_behind(self, connection: AbstractConnection, sent: list[Call]) -> None:
        """Send what came to wait meanwhile, too, so that it shares the round trip."""
        calls = self._take()
        self._send(connection, calls)
        await self._hear_out(connection, sent + calls)

    async def _flush(self, calls: list[Call]) -> None:
        try:
            connection = await self._connect()
        except BaseException as error:
            self._refuse([*calls, *self._take_all()], _describe(error))
            await self._hang_up()
            return _pass_on(error)
        self._send(connection, calls)
        await self._hear_out(connection, calls)

    async def _hear_out(self, connection: AbstractConnection, calls: list[Call]) -> None:
        try:
            await self._read_replies(connection, calls)
        except BaseException as error:
            self._give_up(calls, error)
            await self._hang_up()
            _pass_on(error)

    async def _connect(self) -> AbstractConnection:
        if self._connection is not None and _is_alive(self._connection):
            self._worn = True
            return self._connection
        await self._hang_up()
        self._counts["connections"] += 1
        self._worn = self._spoiled = False
        self._connection = self._dial()
        async with asyncio.timeout(self._connect_timeout):
            await self._connection.connect()  # type: ignore[no-untyped-call]
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)

    def _send(self, connection: AbstractConnection, calls: list[Call]) -> None:
        """Write without waiting for it: replies come only once all of it has gone out."""
        assert connection._writer is not None
        connection._writer.write(b"".join([call.payload for call in calls]))

    async def _read_replies(self, connection: AbstractConnection, calls: list[Call]) -> None:
        """Read what was asked; each reply that arrives gives the next one its full time."""
        self._counts["flushes"] += 1
        clock = asyncio.get_running_loop().time
        ends = clock() + self._timeout
        async with asyncio.timeout_at(ends) as deadline:
            for call in calls:
                call.answer([await self._read_reply(connection) for _ in range(call.count)])
                if ends - clock() < self._timeout * 0.9:
                    ends = clock() + self._timeout
                    deadline.reschedule(ends)
        if self._spoiled:
            await self._hang_up()

    async def _read_reply(self, connection: AbstractConnection) -> Reply:
        try:
            return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except (AuthenticationError, BusyLoadingError, ReadOnlyError) as error:
            self._spoiled = True
            return refuse(error)
        except ResponseError as error:
            return refuse(error)

    def _give_up(self, calls: list[Call], error: BaseException) -> None:
        """Tell those who were not answered before the trouble what is known."""
        reason = _describe(error)
        silent = isinstance(error, TimeoutError)
        unanswered = [call for call in calls if not call.future.done()]
        if not self._repeats:
            for call in unanswered:
                call.fail(OutcomeUnknown(self._address, reason))
        elif self._worn and not silent:
            self._waiting.extendleft(reversed(unanswered))
        else:
            self._refuse(unanswered, reason)
        if silent:
            self._refuse(self._take_all(), reason)

    def _refuse(self, calls: Iterable[Call], reason: str) -> None:
        for call in calls:
            call.fail(BackendUnavailable(self._address, reason))


def _is_alive(connection: AbstractConnection) -> bool:
    """Whether nothing says yet that the other side has gone; costs no I/O."""
    reader = connection._reader
    return reader is not None and not reader.at_eof() and reader.exception() is None


def _describe(error: BaseException) -> str:
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))


def _pass_on(error: BaseException) -> None:
    if not isinstance(error, Exception):
        raise error


# -- one server ----------------------------------------------------------------------------------


class Connections:
    """The two lanes to one server: a large load on the one holds up no commit on the other.

    Every command comes with its shard, which is all that a cluster needs to know to route it.
    """

    def __init__(self, url: str, *, timeout: float, connect_timeout: float) -> None:
        dial, self.address = read_url(url, connect_timeout)
        self._make_lane = functools.partial(
            Lane, dial, self.address, timeout=timeout, connect_timeout=connect_timeout
        )
        self._writes = self._make_lane(repeats=False)
        self._reads = self._make_lane(repeats=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._under_way = 0
        self._quiet = asyncio.Event()

    def attach(self) -> None:
        """Belong to the running loop from now on; what an earlier one left is not used."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._process = os.getpid()
        self._writes = self._make_lane(repeats=False)
        self._reads = self._make_lane(repeats=True)
        self._under_way = 0
        self._quiet = asyncio.Event()

    async def close(self) -> None:
        if self._loop is None:
            return
        self.check()
        self._loop = None
        if self._under_way:
            await self._quiet.wait()
        await self._writes.close()
        await self._reads.close()

    def statistics(self) -> dict[str, dict[str, int]]:
        """What each lane did and has waiting: `calls` share `flushes`."""
        return {"writes": self._writes.statistics(), "reads": self._reads.statistics()}

    async def read(self, shard: int, *commands: Command) -> list[Reply]:
        """Replies to commands that change nothing; they may be sent twice."""
        return await self._call(self._reads, commands)

    async def write(self, shard: int, *commands: Command) -> list[Reply]:
        """Replies to commands of one piece; none that changes something is ever sent twice.

        What stands behind a script, other scripts apart, must only read.
        """
        return await self._call(self._writes, commands)

    async def read_each(self, commands: Sequence[tuple[int, Command]]) -> list[Reply]:
        """As `read`, for commands to many shards."""
        return await self._call(self._reads, [command for _, command in commands])

    async def write_each(self, commands: Sequence[tuple[int, Command]]) -> list[Reply]:
        """As `write`, for commands to many shards."""
        return await self._call(self._writes, [command for _, command in commands])

    async def _call(self, lane: Lane, commands: Sequence[Command]) -> list[Reply]:
        self.check()
        if not commands:
            return []
        self._under_way += 1
        self._quiet.clear()
        try:
            return await self._converse(lane, commands)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def _converse(self, lane: Lane, commands: Sequence[Command]) -> list[Reply]:
        """Call; then send in full those scripts that the server did not know, so did not run.

        What was to be read behind such a script was read before it, so it is read again.
        """
        replies = await lane.call(commands)
        places = _find_lacking(commands, replies)
        if places:
            again = await lane.call([spell_out(commands[place]) for place in places])
            for place, reply in zip(places, again, strict=True):
                replies[place] = reply
        return replies

    def check(self) -> None:
        """Raise what speaks against a call here and now."""
        if self._loop is None:
            raise BackendUnavailable(self.address, "not open")
        if self._loop is not asyncio.get_running_loop() or self._process != os.getpid():
            raise WrongLoop(f"{self.address} was opened in another event loop or process")


def _find_lacking(commands: Sequence[Command], replies: Sequence[Reply]) -> list[int]:
    """The places of scripts that the server did not know, and of what was to follow them."""
    places: list[int] = []
    lacks = False
    for place, (command, reply) in enumerate(zip(commands, replies, strict=True)):
        if is_script(command):
            lacks = type(reply) is Refusal and reply.lacks_script
        if lacks:
            places.append(place)
    return places


def read_url(url: str, connect_timeout: float) -> tuple[Callable[[], AbstractConnection], str]:
    """What makes a connection as the URL says, and the address to show, without a password."""
    if not _has_sound_port(url):
        raise ConfigurationError(
            "the URL's port is not a number (in a password, write / as %2F and @ as %40)"
        )
    try:
        options: dict[str, Any] = dict(parse_url(url))
        options.pop("max_connections", None)
        make = options.pop("connection_class", Connection)
        options |= {
            "socket_timeout": None,
            "socket_connect_timeout": connect_timeout,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            "retry_on_error": [],
            "health_check_interval": 0,
            "decode_responses": False,
            "protocol": 2,
        }
        make(**options)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"not a usable Redis URL: {error}") from None
    place = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return functools.partial(make, **options), f"{place}/{options.get('db', 0)}"


def _has_sound_port(url: str) -> bool:
    """Asked first because the driver's words for a bad port may hold a part of the password."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
