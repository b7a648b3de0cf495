"""Test that SQLite answers what memory answers, whatever is asked of both in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

import attrs
from hypothesis import given
from hypothesis import strategies as st

from chord.backends.base import Backend
from chord.backends.memory import MemoryBackend
from chord.backends.sqlite import SqliteBackend
from chord.clock import ManualClock
from chord.errors import ChordError
from chord.position import Position
from chord.records import Batch, Fence, Grant, Snapshot
from chord.testing.contract_batches import make_birth, make_death, make_rebirth, make_step

Call: TypeAlias = Callable[[Backend], Coroutine[Any, Any, object]]

IDS = st.sampled_from(["a", "b"])
OWNERS = st.sampled_from(["ana", "bob"])
TIMES = st.integers(0, 8).map(lambda tens: 100.0 + 10 * tens)
FENCES = st.builds(Fence, OWNERS, st.integers(1, 4))
HEADS = st.builds(Position, st.sampled_from(["e1", "e2"]), st.integers(1, 9))
OP_IDS = st.lists(st.sampled_from(["p", "q", "r"]), max_size=2, unique=True)


@attrs.define
class Twins:
    """Two stores that are asked the same, and what both said last of each context."""

    clock: ManualClock
    memory: MemoryBackend
    sqlite: SqliteBackend
    heads: dict[str, Position] = attrs.Factory(dict)
    fences: dict[str, Fence] = attrs.Factory(dict)

    async def ask(self, call: Call) -> object:
        answers = [await _answer(call, backend) for backend in (self.memory, self.sqlite)]
        assert answers[0] == answers[1]
        return answers[0]

    async def compare(self) -> None:
        for key in ("a", "b"):
            await self.ask(partial(_load_all, context_id=key))
        self.memory.check()
        await self.sqlite.check()
        self.heads = dict(await self.memory.heads(["a", "b"]))


async def _load_all(backend: Backend, context_id: str) -> object:
    return await backend.load(context_id, operations=None)


async def _answer(call: Call, backend: Backend) -> object:
    try:
        answer = await call(backend)
    except (ChordError, ValueError) as error:
        return type(error), str(error)
    return answer


@st.composite
def draw_batch(draw: st.DrawFn, twins: Twins) -> Batch:
    """A batch that mostly fits, and may be wrong in any way."""
    key = draw(IDS)
    expect = draw(st.just(twins.heads.get(key)) | st.just(twins.heads.get(key)) | HEADS)
    fence = draw(st.just(twins.fences.get(key)) | st.none() | FENCES)
    count, at = draw(st.integers(1, 3)), draw(TIMES)
    fields: dict[str, Any] = {"fence": fence, "lease_ttl": draw(st.sampled_from([0.0, 10.0]))}
    if expect is not None and draw(st.integers(0, 9)) == 0:
        return make_death(expect, key, **fields)
    fields["forget_before"] = draw(st.just(0.0) | TIMES)
    fields["forget_operations"] = draw(st.booleans())
    if expect is not None and draw(st.integers(0, 5)) == 0:
        return make_rebirth(expect, draw(HEADS), key, **fields)
    skip = draw(st.sampled_from([0, 0, 1, 3])) if expect else 0
    first = 1 + skip + (expect.version if expect else 0)
    covered = draw(st.none() | st.integers(first, first + count - 1))
    fields["snapshot"] = Snapshot(covered, b"state-%d" % covered) if covered else None
    trim_to = draw(st.integers(first - 1 if skip else 0, first + count) | st.just(0))
    fields |= {"trim_to": trim_to, "op_ids": draw(OP_IDS)[:count]}
    if expect is None:
        return make_birth(
            key, epoch=draw(st.sampled_from(["e1", "e2"])), count=count, at=at, **fields
        )
    return make_step(expect, key, skip=skip, count=count, at=at, **fields)


async def commit(twins: Twins, data: st.DataObject) -> None:
    batch = data.draw(draw_batch(twins))
    await twins.ask(lambda backend: backend.commit(batch))


async def acquire(twins: Twins, data: st.DataObject) -> None:
    key, owner = data.draw(IDS), data.draw(OWNERS)
    epoch = data.draw(st.sampled_from([None, "e1", "e2"]))
    lease: dict[str, Any] = {"ttl": 10.0, "address": "here", "fresh_epoch": epoch}
    lease["operations_since"] = data.draw(TIMES)
    grant = await twins.ask(lambda backend: backend.acquire(key, owner, **lease))
    if isinstance(grant, Grant):
        twins.fences[key] = grant.fence


async def release(twins: Twins, data: st.DataObject) -> None:
    key = data.draw(IDS)
    fence = data.draw(st.just(twins.fences.get(key, Fence("ana", 1))) | FENCES)
    await twins.ask(lambda backend: backend.release(key, fence))


async def renew(twins: Twins, data: st.DataObject) -> None:
    fences = {**twins.fences, data.draw(IDS): data.draw(FENCES)}
    await twins.ask(lambda backend: backend.renew(fences, 10.0))


async def trim(twins: Twins, data: st.DataObject) -> None:
    before, limit = data.draw(TIMES), data.draw(st.integers(0, 2))
    await twins.ask(lambda backend: backend.trim(before, limit))


async def load(twins: Twins, data: st.DataObject) -> None:
    key, after, since = data.draw(IDS), data.draw(HEADS), data.draw(TIMES)
    asked: dict[str, Any] = {"after": after, "operations": ["p", "r"], "operations_since": since}
    await twins.ask(lambda backend: backend.load(key, **asked))


async def look(twins: Twins, data: st.DataObject) -> None:
    before, limit = data.draw(TIMES), data.draw(st.integers(0, 2))
    prefix, after = data.draw(st.just("") | IDS), data.draw(st.none() | IDS)
    await twins.ask(lambda backend: backend.due(before, limit))
    await twins.ask(lambda backend: backend.list(prefix, after, limit))


async def wait(twins: Twins, data: st.DataObject) -> None:
    twins.clock.advance(data.draw(st.sampled_from([5.0, 10.0])))


ACTS = st.sampled_from([commit, commit, commit, acquire, release, renew, trim, load, look, wait])


async def run(data: st.DataObject) -> None:
    clock = ManualClock()
    twins = Twins(clock, MemoryBackend(clock=clock), SqliteBackend(":memory:", clock=clock))
    await twins.memory.open()
    await twins.sqlite.open()
    try:
        for act in data.draw(st.lists(ACTS, max_size=25)):
            await act(twins, data)
            await twins.compare()
    finally:
        await twins.sqlite.close()


@given(st.data())
def test_sqlite_agrees_with_memory(data: st.DataObject) -> None:
    asyncio.run(run(data))
