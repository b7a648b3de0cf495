"""Commit batches to a store itself, without a runtime above it; each adds one small entry."""

from __future__ import annotations

from itertools import count

from benchmarks.room import build_room, write_patches
from benchmarks.timing import Contender, Times
from chord.backends.base import Backend
from chord.codec import MsgspecCodec
from chord.delta import update
from chord.position import Position
from chord.records import Batch, Entry, Snapshot
from chord.state import take_in, take_in_changes

CONTEXT = "committed:1"
EPOCH = "benchmark"


async def open_committing(backend: Backend) -> Contender:
    """Batches of one entry for one context, whose life is begun here. They are made untimed."""
    codec = MsgspecCodec()
    state = take_in(build_room())
    _, changes = update(state, take_in_changes(next(write_patches())))
    entry = codec.encode_changes(changes)
    await backend.commit(_begin(codec.encode_state(state)))
    versions = count(2)
    batches: list[Batch] = []

    async def prepare(times: int) -> None:
        batches[:] = [_go_on(next(versions), entry) for _ in range(times)]

    async def loop(times: Times) -> None:
        for _, batch in zip(times, batches, strict=False):
            await backend.commit(batch)

    return Contender(name="Backend.commit", loop=loop, prepare=prepare)


def _begin(state: bytes) -> Batch:
    return Batch(
        context_id=CONTEXT,
        expect=None,
        position=Position(EPOCH, 1),
        updated_at=0.0,
        entries=(_write(1, b""),),
        snapshot=Snapshot(1, state),
    )


def _go_on(version: int, changes: bytes) -> Batch:
    return Batch(
        context_id=CONTEXT,
        expect=Position(EPOCH, version - 1),
        position=Position(EPOCH, version),
        updated_at=0.0,
        entries=(_write(version, changes),),
    )


def _write(version: int, changes: bytes) -> Entry:
    return Entry(version=version, commit_id=str(version), updated_at=0.0, changes=changes)
