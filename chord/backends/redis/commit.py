"""Hold the layout of the keys, and load and commit one context. What a store does is in the Lua.

A context lives in the shard that its id hashes to. All keys of a shard carry it as their hash tag,
so they lie in one slot of a cluster, and one script may change them together. A script is given
every key that it touches. With `T` for the tag ``{namespace:shard}``:

====================  ======  =====================================================================
key                   type    holds
====================  ======  =====================================================================
``T:meta:ID``         hash    the head: epoch, version, updated_at, floor, first (version in the
                              log), snapshot (its version)
``T:log:ID``          list    the entries: 8 bytes of time (big-endian double), then MessagePack of
                              ``[version, commit_id, op_id, changes]``; no version is missing
``T:snapshot:ID``     string  the encoded state of the head's `snapshot` version
``T:operations:ID``   hash    op id to 8 bytes of time, 8 of version, and the epoch it came to
``T:ages:ID``         zset    8 bytes of version and the op id, by time
``T:staged:NONCE``    string  a snapshot on its way; the one key that expires
``T:names``           zset    the ids, all of score 0
``T:due``             zset    the ids, by updated_at
``T:trim``            zset    the ids whose oldest entry a snapshot covers, by that entry's time
``T:leases``          hash    id to lease: when it lapses and its term (8 bytes each, microseconds
                              of the server's clock), open mark, owner, address; it never expires
``T:terms``           string  the newest term given
====================  ======  =====================================================================

A snapshot is never an argument of a script, where its bytes cost the server several times as much:
it is SET under a name of its own right before the commit, which renames it; one that nobody comes
for expires by itself. Its name is used once: two writers who race for one version would overwrite
each other's if it only held epoch and version. It is read by GET, right behind the script that
reads the rest; should it have been replaced between the two, the script is asked for it after all.
(In MULTI they would be refused while the memory is full.) So all keys are known beforehand: no
script makes up the name of one.
"""

from __future__ import annotations

import functools
import itertools
import os
import struct
import zlib
from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs
import msgspec

from chord.backends.base import MAX_OPERATIONS, check_batch
from chord.backends.redis.connection import Command, Connections, Refusal, Reply, Script
from chord.errors import (
    BackendUnavailable,
    ConfigurationError,
    CorruptData,
    DuplicateOperation,
    Fenced,
    OwnedElsewhere,
    VersionConflict,
)
from chord.position import Position
from chord.records import Batch, Entry, Operation, Snapshot, Stored

SHARDS: Final = 256
STAGED_SECONDS: Final = b"60"
RECENT: Final = 1024
"""Of how many contexts the keys are remembered."""

_COMMIT: Final = Script("prelude", "commit")
_LOAD: Final = Script("prelude", "load")
_TIME: Final = struct.Struct(">d")
_OPERATION: Final = struct.Struct(">dQ")
_entry_encoder: Final = msgspec.msgpack.Encoder()
_entry_decoder: Final = msgspec.msgpack.Decoder(tuple[int, str, str | None, bytes])
_nonces: Final = itertools.count()


# -- the layout ----------------------------------------------------------------------------------


@attrs.frozen
class Shard:
    """One of the parts that contexts are spread over, and the keys that its contexts share."""

    number: int
    tag: bytes
    names: bytes
    due: bytes
    trim: bytes
    leases: bytes
    terms: bytes

    def key(self, kind: bytes, name: bytes) -> bytes:
        return b"%b:%b:%b" % (self.tag, kind, name)


class Layout:
    """Where what is: the shards of one namespace."""

    def __init__(self, namespace: str) -> None:
        if "{" in namespace or "}" in namespace:
            raise ConfigurationError(f"a namespace on Redis holds no braces: {namespace!r}")
        self.shards: Final = [_make_shard(namespace, number) for number in range(SHARDS)]
        self.find_keys: Final = functools.lru_cache(RECENT)(self._make_keys)

    def find_shard(self, context_id: bytes) -> Shard:
        return self.shards[zlib.crc32(context_id) % SHARDS]

    def _make_keys(self, context_id: bytes) -> tuple[bytes, ...]:
        """The keys that a commit touches, in the order of its script."""
        shard = self.find_shard(context_id)
        kinds = (b"meta", b"log", b"snapshot", b"operations", b"ages")
        own = (shard.key(kind, context_id) for kind in kinds)
        return *own, shard.names, shard.due, shard.trim, shard.leases


def _make_shard(namespace: str, number: int) -> Shard:
    tag = f"{{{namespace}:{number}}}".encode()
    kinds = (b"names", b"due", b"trim", b"leases", b"terms")
    return Shard(number, tag, *(b"%b:%b" % (tag, kind) for kind in kinds))


# -- commit --------------------------------------------------------------------------------------


async def commit(server: Connections, layout: Layout, batch: Batch) -> None:
    """Carry out one batch, as `Backend.commit` promises."""
    check_batch(batch)
    context_id = batch.context_id.encode()
    shard = layout.find_shard(context_id)
    commands = _write_commands(batch, context_id, shard, layout.find_keys(context_id))
    reply, *before = reversed(await server.write(shard.number, *commands))
    if reply == 1:
        return
    if isinstance(reply, Refusal):
        raise explain(reply, server, shard.key(b"*", context_id))
    if reply == [b"unstaged"]:
        why = f": {before[0].words}" if isinstance(before[0], Refusal) else ""
        raise BackendUnavailable(server.address, f"the snapshot did not last{why}")
    _raise_verdict(batch, reply)


def _write_commands(
    batch: Batch, context_id: bytes, shard: Shard, keys: tuple[bytes, ...]
) -> list[Command]:
    if batch.snapshot is None:
        return [_COMMIT.call(keys, _write_arguments(batch, context_id))]
    staged = shard.key(b"staged", b"%b:%d" % (_draw_prefix(os.getpid()), next(_nonces)))
    return [
        (b"SET", staged, batch.snapshot.state, b"EX", STAGED_SECONDS),
        _COMMIT.call([*keys, staged], _write_arguments(batch, context_id)),
    ]


@functools.cache
def _draw_prefix(process: int) -> bytes:
    """Random, and another one after a fork."""
    return os.urandom(12).hex().encode()


def _write_arguments(batch: Batch, context_id: bytes) -> list[bytes]:
    entries = batch.entries
    arguments = [
        context_id,
        *_write_position(batch.expect),
        *_write_position(batch.position),
        write_float(batch.updated_at),
        batch.fence.owner.encode() if batch.fence else b"",
        b"%d" % (batch.fence.term if batch.fence else 0),
        write_duration(batch.lease_ttl),
        b"%d" % (batch.snapshot.version if batch.snapshot else 0),
        b"%d" % batch.trim_to,
        b"%d" % batch.forget_operations,
        write_float(batch.forget_before),
        b"%d" % MAX_OPERATIONS,
        b"%d" % (entries[0].version if entries else 0),
        b"%d" % len(entries),
    ]
    arguments += [pack_entry(entry) for entry in entries]
    for entry in entries:
        if entry.op_id:
            time, version = write_float(entry.updated_at), b"%d" % entry.version
            arguments += (entry.op_id.encode(), time, version)
    return arguments


def _write_position(position: Position | None) -> tuple[bytes, bytes]:
    return (position.epoch.encode(), b"%d" % position.version) if position else (b"", b"")


def _raise_verdict(batch: Batch, verdict: list[Any]) -> None:
    context_id = batch.context_id
    match verdict:
        case [b"conflict", epoch, version]:
            actual = Position(epoch.decode(), version) if version else None
            raise VersionConflict(context_id, batch.expect, actual)
        case [b"fenced"]:
            raise Fenced(context_id)
        case [b"owned", owner, address]:
            raise OwnedElsewhere(context_id, owner.decode(), address.decode())
        case [b"duplicate", op_id]:
            raise DuplicateOperation(context_id, op_id.decode())


# -- load ----------------------------------------------------------------------------------------

NOWHERE: Final = Position("", 0)
"""Behind this there is nothing to be found: the script then tells the snapshot, too."""


async def load(
    server: Connections,
    layout: Layout,
    context_id: str,
    after: Position | None,
    operations: Collection[str] | None,
    since: float,
) -> Stored | None:
    """Read one context, as `Backend.load` promises, in one round trip."""
    name = context_id.encode()
    shard = layout.find_shard(name)
    key = functools.partial(shard.key, name=name)
    keys = [key(b"meta"), key(b"log"), key(b"snapshot"), key(b"operations"), shard.leases]
    every = b"1" if operations is None else b"0"
    wanted = [op_id.encode() for op_id in operations or ()]
    if after is None:
        script = _LOAD.call(keys, (name, b"", b"", every, *wanted))
        reply, *beside = await server.read(shard.number, script, *ask_for_snapshot(keys))
        told = answer(reply, server, key(b"*"))
        if told is None or take_snapshot(told, beside):
            return told and read_stored(told, context_id, key(b"*"), since)
    script = _LOAD.call(keys, (name, *_write_position(after or NOWHERE), every, *wanted))
    [reply] = await server.read(shard.number, script)
    told = answer(reply, server, key(b"*"))
    return told and read_stored(told, context_id, key(b"*"), since)


def ask_for_snapshot(keys: Sequence[bytes]) -> list[Command]:
    """What to send behind a script, to be told by GET what would pass through Lua slowly."""
    meta, _, snapshot, *_ = keys
    return [(b"GET", snapshot), (b"HMGET", meta, b"epoch", b"snapshot")]


def take_snapshot(told: list[Any], beside: list[Reply]) -> bool:
    """Put the state that was read beside a script with what that told, if it is of one moment.

    It is where the pointer is still the same behind it: it never comes back to an older value.
    """
    state, pointer = beside
    if not isinstance(state, bytes) or pointer != [told[0], b"%d" % told[5]]:
        return False
    told[6] = state
    return True


def read_stored(told: list[Any], context_id: str, key: bytes, since: float) -> Stored:
    """What a store has of a context; raise `CorruptData` if it does not fit together."""
    epoch, version, updated_at, floor, unclean, covered, state, packed, operations = told
    try:
        entries = tuple(map(unpack_entry, packed))
        stored = Stored(
            context_id=context_id,
            position=Position(epoch.decode(), version),
            updated_at=float(updated_at),
            floor=floor,
            snapshot=None if state is None else Snapshot(covered, state),
            entries=entries,
            operations=_read_operations(operations, since),
            unclean=bool(unclean),
        )
    except (ValueError, struct.error, msgspec.MsgspecError) as error:
        raise CorruptData(show_key(key), str(error)) from None
    versions = [entry.version for entry in entries]
    first = version - len(versions) + 1
    if versions != list(range(first, version + 1)):
        raise CorruptData(show_key(key), "entries of the log are not in order")
    if stored.snapshot and not first - 1 <= covered <= version:
        raise CorruptData(show_key(key), f"no entries between snapshot {covered} and {first}")
    return stored


def _read_operations(flat: Sequence[bytes], since: float) -> dict[str, Operation]:
    known = {}
    for op_id, value in zip(flat[::2], flat[1::2], strict=True):
        time, version = _OPERATION.unpack_from(value)
        if time >= since:
            position = Position(value[_OPERATION.size :].decode(), version)
            known[op_id.decode()] = Operation(position, time)
    return known


# -- bytes ---------------------------------------------------------------------------------------


def pack_entry(entry: Entry) -> bytes:
    body = (entry.version, entry.commit_id, entry.op_id, entry.changes)
    return _TIME.pack(entry.updated_at) + _entry_encoder.encode(body)


def unpack_entry(packed: bytes) -> Entry:
    (updated_at,) = _TIME.unpack_from(packed)
    version, commit_id, op_id, changes = _entry_decoder.decode(packed[_TIME.size :])
    return Entry(
        version=version, commit_id=commit_id, updated_at=updated_at, changes=changes, op_id=op_id
    )


def write_float(number: float) -> bytes:
    """The shortest text that reads back as the same number.

    >>> write_float(1700000000.1)
    b'1700000000.1'
    """
    return repr(float(number)).encode()


def write_duration(seconds: float) -> bytes:
    """Whole microseconds.

    >>> write_duration(0.25)
    b'250000'
    """
    return b"%d" % (min(seconds, 1e9) * 1_000_000)


# -- refusals ------------------------------------------------------------------------------------


def explain(refusal: Refusal, server: Connections, key: bytes) -> CorruptData | BackendUnavailable:
    """The error that an error reply comes to; nothing was written."""
    if "WRONGTYPE" in refusal.words:
        return CorruptData(show_key(key), "a key that is not of the type it should have")
    _, corrupt, rest = refusal.words.partition("CORRUPT ")
    if corrupt:
        return CorruptData(rest.rpartition(" script: ")[0] or rest, "not what was written there")
    return BackendUnavailable(server.address, refusal.words)


def answer(reply: Reply, server: Connections, key: bytes) -> Any:
    """The reply, unless it is a refusal, which is raised."""
    if isinstance(reply, Refusal):
        raise explain(reply, server, key)
    return reply


def show_key(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
