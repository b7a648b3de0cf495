"""Test reads that return late, or fail: what a runtime remembers never moves back by them."""

from __future__ import annotations

import asyncio

import pytest

from chord import CorruptData, MsgspecCodec, Replica
from chord.changes import Changes
from tests.runtime.stage import Stage

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("known", [True, False], ids=["cached", "not-cached"])
async def test_a_read_that_is_overtaken_by_a_write_does_not_undo_it(
    stage: Stage, known: bool
) -> None:
    there = await stage.open()
    await there.set_context("a", {"n": 1})
    await stage.let_go(there)
    chord, backend = await stage.open_by_hand()
    if known:
        await chord.get_context("a")
    backend.hold("load")
    reading = asyncio.create_task(chord.get_context("a"))
    load = await backend.next("load")
    await load.carry_out()
    backend.hold()
    commit = await chord.update_context("a", {"n": 2})
    load.answer()
    assert (await reading).state["n"] in (1, 2)
    assert commit.context.state == {"n": 2}
    backend.seen.clear()
    assert (await chord.update_context("a", {"n": 3})).position.version == 3
    assert backend.seen == ["commit"]


@pytest.mark.parametrize("known", [True, False], ids=["cached", "not-cached"])
async def test_a_read_of_an_earlier_life_does_not_undo_the_next(stage: Stage, known: bool) -> None:
    there = await stage.open()
    await there.set_context("a", {"life": 1})
    await stage.let_go(there)
    chord, backend = await stage.open_by_hand()
    if known:
        await chord.get_context("a")
    backend.hold("load")
    reading = asyncio.create_task(chord.get_context("a"))
    load = await backend.next("load")
    await load.carry_out()
    backend.hold()
    await chord.delete_context("a")
    commit = await chord.set_context("a", {"life": 2})
    load.answer()
    assert (await reading).state == {"life": 1}
    assert commit.context.state == {"life": 2}
    backend.seen.clear()
    await chord.update_context("a", {"n": 1})
    assert backend.seen == ["commit"]


async def test_a_read_that_finds_nothing_does_not_undo_a_creation(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    backend.hold("load")
    reading = asyncio.create_task(chord.get_context("a"))
    load = await backend.next("load")
    await load.carry_out()
    backend.hold()
    commit = await chord.set_context("a", {"n": 1})
    load.answer()
    with pytest.raises(KeyError):
        await reading
    assert commit.context.state == {"n": 1}


async def test_reads_that_cross_leave_the_newest(stage: Stage) -> None:
    there = await stage.open()
    await there.set_context("a", {"n": 1})
    chord, backend = await stage.open_by_hand()
    await chord.get_context("a")
    backend.hold("load")
    reads, loads = [], []
    for n in range(2, 6):
        await there.update_context("a", {"n": n})
        reads.append(asyncio.create_task(chord.get_context("a")))
        loads.append(await backend.next("load"))
        await loads[-1].carry_out()
    backend.hold()
    for index in (2, 0, 3, 1):
        loads[index].answer()
        context = await reads[index]
        assert context.state["n"] >= index + 2
        assert context.state == {"n": context.position.version}
    assert (await chord.get_context("a")).state == {"n": 5}
    replica = Replica()
    replica.receive(await there.sync_context("a", None))
    assert (await chord.sync_context("a", replica.since)).position == replica.position


class MoodyCodec(MsgspecCodec):
    """Cannot read some changes, until it can."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1

    def decode_changes(self, data: bytes) -> Changes:
        self.left -= 1
        if self.left == 0:
            raise ValueError("not readable today")
        return super().decode_changes(data)


@pytest.mark.parametrize("readable", [0, 1, 2])
async def test_what_cannot_be_read_whole_is_not_remembered_in_part(
    stage: Stage, readable: int
) -> None:
    codec = MoodyCodec()
    there = await stage.open()
    chord = await stage.open(codec=codec)
    await there.set_context("a", {"n": 1})
    await chord.get_context("a")
    for n in range(2, 5):
        await there.update_context("a", {"n": n})
    codec.left = readable + 1
    with pytest.raises(CorruptData):
        await chord.get_context("a")
    assert (await chord.get_context("a")).state == {"n": 4}
    await stage.let_go(there)
    assert (await chord.update_context("a", {"n": 5})).position.version == 5
