"""Test watchers beside lives that begin and end, in each order in which the news can come."""

from __future__ import annotations

import asyncio

import pytest

from chord import ContextDeleted, ContextNotFound, DeltaUpdate, FullContext, Modified
from chord.records import WatchReply
from tests.runtime.kinds import stateful, stateless
from tests.runtime.stage import BRIEF, Stage
from tests.runtime.test_leased import write_once_lapsed
from tests.runtime.test_watch import ask
from tests.waiting import turn, while_time_runs

pytestmark = pytest.mark.anyio


async def test_who_enters_across_two_lives_goes_on_with_the_second(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"life": 1})
    await stage.let_go(chord)
    backend.hold("load")
    watch = chord.watch_context("a")
    entering = asyncio.create_task(watch.__aenter__())
    load = await backend.next("load")
    backend.hold()
    await chord.delete_context("a")
    await chord.set_context("a", {"life": 2})
    await load.go()
    replies = await entering
    first = await anext(replies)
    assert isinstance(first, FullContext)
    assert first.context.state == {"life": 2}
    waiting = ask(replies)
    await turn()
    assert not waiting.done()
    await chord.update_context("a", {"life": 3})
    assert isinstance(await waiting, DeltaUpdate)
    await chord.delete_context("a")
    assert isinstance(await anext(replies), ContextDeleted)
    await watch.__aexit__(None, None, None)


async def test_who_enters_while_it_is_deleted_is_told_the_end_or_not_let_in(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    for reads_first in (True, False):
        commit = await chord.set_context("a", {"n": 1})
        await stage.let_go(chord)
        backend.hold("load")
        watch = chord.watch_context("a")
        entering = asyncio.create_task(watch.__aenter__())
        load = await backend.next("load")
        backend.hold()
        if reads_first:
            await load.carry_out()
            await chord.delete_context("a")
            load.answer()
            told = [reply async for reply in await entering]
            assert told[1:] == [ContextDeleted(commit.position)]
        else:
            await chord.delete_context("a")
            await load.go()
            with pytest.raises(ContextNotFound):
                await entering
    assert chord.statistics()["watchers"] == 0


async def test_a_change_while_entering_is_told_next(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    backend.hold("load")
    watch = chord.watch_context("a")
    entering = asyncio.create_task(watch.__aenter__())
    load = await backend.next("load")
    await load.carry_out()
    backend.hold()
    await chord.update_context("a", {"n": 2})
    load.answer()
    replies = await entering
    seen = [await anext(replies)]
    while seen[-1].position.version < 2:
        seen.append(await anext(replies))
    assert len(seen) <= 2
    await watch.__aexit__(None, None, None)


@stateless
async def test_a_reply_on_its_way_across_two_lives_is_not_followed_by_an_end(
    stage: Stage,
) -> None:
    chord, backend = await stage.open_by_hand(cache_size=0)
    await chord.set_context("a", {"life": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        backend.hold("load")
        writing = asyncio.create_task(chord.update_context("a", {"n": 1}))
        await (await backend.next("load")).go()
        await writing
        load = await backend.next("load")
        backend.hold()
        await chord.delete_context("a")
        await chord.set_context("a", {"life": 2})
        await load.go()
        reply = await waiting
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
        waiting = ask(replies)
        await turn()
        assert not waiting.done()
        await chord.update_context("a", {"n": 2})
        assert isinstance(await waiting, DeltaUpdate)


@stateless
async def test_a_late_answer_does_not_move_a_watcher_back_to_an_earlier_life(
    stage: Stage,
) -> None:
    here, backend = await stage.open_by_hand()
    there = await stage.open()
    backend.hold("commit")
    creating = asyncio.create_task(here.set_context("a", {"life": 1}))
    held = await backend.next("commit")
    await held.carry_out()
    backend.hold()
    await there.delete_context("a")
    second = await there.set_context("a", {"life": 2})
    async with here.watch_context("a") as replies:
        first = await anext(replies)
        assert first.position == second.position
        waiting = ask(replies)
        await turn()
        held.answer()
        await creating
        await turn(100)
        assert not waiting.done()
        await while_time_runs(stage.clock, here.update_context("a", {"life": 3}))
        reply = await waiting
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"life": Modified(2, 3)}


@stateful
async def test_a_late_answer_to_who_owns_it_no_more_moves_no_watcher_back(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(lease_ttl=0.05)
    there = await stage.open()
    await here.set_context("a", {"n": 1})
    backend.hold("commit", "renew")
    writing = asyncio.create_task(here.update_context("a", {"n": 2}))
    held = await backend.next("commit")
    await held.carry_out()
    assert (await write_once_lapsed(stage, there, 3)).position.version == 3
    stage.clock.advance(1.0)
    async with here.watch_context("a") as replies:
        assert (await anext(replies)).position.version == 3
        waiting = ask(replies)
        await turn()
        held.answer()
        assert (await writing).position.version == 2
        await backend.pass_all()
        await turn(100)
        assert not waiting.done()
        await stage.let_go(there)
        last = await write_once_lapsed(stage, here, 4)
        reply = await waiting
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(3, 4)}
        assert reply.position == last.position


@stateless
async def test_a_late_answer_does_not_move_a_watcher_back_in_one_life(stage: Stage) -> None:
    here, backend = await stage.open_by_hand()
    there = await stage.open()
    await here.set_context("a", {"n": 1})
    backend.hold("commit")
    writing = asyncio.create_task(here.update_context("a", {"n": 2}))
    held = await backend.next("commit")
    await held.carry_out()
    backend.hold()
    await there.update_context("a", {"n": 3})
    async with here.watch_context("a") as replies:
        assert (await anext(replies)).position.version == 3
        waiting = ask(replies)
        await turn()
        held.answer()
        assert (await writing).position.version == 2
        await turn(100)
        assert not waiting.done()
        await here.update_context("a", {"n": 4})
        reply = await waiting
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(3, 4)}


async def test_a_delete_while_who_watches_rests_is_told_after_the_interval(stage: Stage) -> None:
    chord = await stage.open()
    commit = await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", min_interval=5.0) as replies:
        await anext(replies)
        await chord.update_context("a", {"n": 2})
        waiting = ask(replies)
        await turn()
        await chord.delete_context("a")
        await turn()
        assert not waiting.done()
        stage.clock.advance(5.0)
        reply = await waiting
        assert isinstance(reply, ContextDeleted)
        assert reply.position.epoch == commit.position.epoch


async def test_two_lives_end_while_who_watches_looks_away(stage: Stage) -> None:
    chord = await stage.open()
    first = await chord.set_context("a", {"life": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        for n in (2, 3):
            await chord.delete_context("a")
            await chord.set_context("a", {"life": n})
        await chord.delete_context("a")
        told: list[WatchReply] = [reply async for reply in replies]
    assert told == [ContextDeleted(first.position)]


async def test_who_sees_a_next_life_through_another_process_may_watch_its_end(
    stage: Stage,
) -> None:
    here = await stage.open(watch_poll=100.0, **BRIEF)
    there = await stage.open(**BRIEF)
    await here.set_context("a", {"life": 1})
    await stage.let_go(here)
    async with here.watch_context("a") as replies:
        await anext(replies)
        await there.delete_context("a")
        await there.set_context("a", {"life": 2})
        waiting = ask(replies)
        await stage.let_go(there)
        assert await here.delete_context("a")
        assert isinstance(await while_time_runs(stage.clock, _result(waiting)), ContextDeleted)
        with pytest.raises(StopAsyncIteration):
            await anext(replies)


async def _result(waiting: asyncio.Task[WatchReply]) -> WatchReply:
    return await waiting
