"""Test how who watches learns of what other processes do."""

from __future__ import annotations

import asyncio

import pytest

from chord import (
    BackendUnavailable,
    Commit,
    ContextDeleted,
    DeltaUpdate,
    FullContext,
    Modified,
    NoChange,
)
from chord.api import Chord
from chord.records import WatchReply
from tests.runtime.stage import BRIEF, Runtime, Stage
from tests.runtime.test_watch import ask
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

POLL = 1.0


async def open_pair(stage: Stage, **fields: object) -> tuple[Runtime, Runtime]:
    """A runtime that polls, and one in another process."""
    return await stage.open(watch_poll=POLL, **BRIEF, **fields), await stage.open(**BRIEF)


async def begin(stage: Stage, here: Runtime, *ids: str) -> Commit:
    """Begin contexts here, and leave them to others."""
    for context_id in ids:
        commit = await here.set_context(context_id, {"n": 1})
    for context_id in ids:
        await stage.let_go(here, context_id)
    return commit


async def told(stage: Stage, waiting: asyncio.Task[WatchReply]) -> WatchReply:
    """What is told once the runtime has looked."""
    await turn()
    assert not waiting.done()
    stage.clock.advance(POLL)
    await until(waiting.done)
    return await waiting


async def test_a_change_by_another_process_is_told_after_watch_poll(stage: Stage) -> None:
    here, there = await open_pair(stage)
    await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        for n in range(2, 5):
            waiting = ask(replies)
            commit = await there.update_context("a", {"n": n})
            assert await told(stage, waiting) == DeltaUpdate(commit.delta)  # type: ignore[arg-type]


async def test_it_is_told_though_a_reader_here_was_faster(stage: Stage) -> None:
    here, there = await open_pair(stage)
    await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await there.update_context("a", {"n": 2})
        await here.get_context("a")
        assert isinstance(await told(stage, waiting), DeltaUpdate)


@pytest.mark.parametrize("cache_size", [0, 1, 10])
async def test_it_is_told_however_little_is_remembered(stage: Stage, cache_size: int) -> None:
    here, there = await open_pair(stage, cache_size=cache_size)
    await begin(stage, here, *"abc")
    watches = [here.watch_context(context_id) for context_id in "abc"]
    entered = [await watch.__aenter__() for watch in watches]
    for replies in entered:
        await anext(replies)
    waiting = [ask(replies) for replies in entered]
    for context_id in "abc":
        await there.update_context(context_id, {"n": 2})
    stage.clock.advance(POLL)
    for reply in await asyncio.gather(*waiting):
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 2)}
    for watch in watches:
        await watch.__aexit__(None, None, None)


@pytest.mark.parametrize("cache_size", [0, 10])
@pytest.mark.parametrize("read", [False, True], ids=["unseen", "seen-by-a-reader"])
async def test_a_delete_by_another_process_is_told(
    stage: Stage, cache_size: int, read: bool
) -> None:
    here, there = await open_pair(stage, cache_size=cache_size)
    commit = await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await there.delete_context("a")
        if read:
            await until(lambda: not there.statistics().get("live"))  # what is gone needs no owner
            assert not await here.delete_context("a")
        assert await told(stage, waiting) == ContextDeleted(commit.position)
        with pytest.raises(StopAsyncIteration):
            await anext(replies)


async def test_the_next_life_by_another_process_is_told_whole(stage: Stage) -> None:
    here, there = await open_pair(stage)
    await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await there.delete_context("a")
        await there.set_context("a", {"n": 2})
        reply = await told(stage, waiting)
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
        assert reply.context.state == {"n": 2}
        waiting = ask(replies)
        await there.update_context("a", {"n": 3})
        assert isinstance(await told(stage, waiting), DeltaUpdate)


async def test_without_watch_poll_it_is_never_looked_for(stage: Stage) -> None:
    here, there = await stage.open(watch_poll=None, **BRIEF), await stage.open(**BRIEF)
    await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await there.update_context("a", {"n": 2})
        stage.clock.advance(1000)
        await turn()
        assert not waiting.done()
        await stage.let_go(there)
        await here.update_context("a", {"n": 3})
        reply = await waiting
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 3)}


async def test_a_store_that_is_away_is_asked_again(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(watch_poll=POLL, **BRIEF)
    there = await stage.open()
    await begin(stage, here, "a")
    async with here.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await there.update_context("a", {"n": 2})
        backend.hold("heads")
        await turn()
        stage.clock.advance(POLL)
        (await backend.next("heads")).fail(BackendUnavailable("there", "away"))
        backend.hold()
        assert isinstance(await told(stage, waiting), DeltaUpdate)


async def test_one_that_cannot_be_read_holds_up_no_other(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(watch_poll=POLL, **BRIEF)
    there = await stage.open()
    await begin(stage, here, *"ab")
    async with here.watch_context("a") as a, here.watch_context("b") as b:
        assert [type(await anext(replies)) for replies in (a, b)] == [FullContext] * 2
        waiting = [ask(a), ask(b)]
        for context_id in "ab":
            await there.update_context(context_id, {"n": 2})
        backend.hold("load")
        await turn()
        stage.clock.advance(POLL)
        (await backend.next("load")).fail(BackendUnavailable("there", "away"))
        backend.hold()
        await until(lambda: backend.calls or waiting[1].done())
        while backend.calls:
            await backend.calls.pop().go()
        assert isinstance(await waiting[1], DeltaUpdate)
        assert isinstance(await told(stage, waiting[0]), DeltaUpdate)


async def test_the_store_is_asked_only_while_somebody_watches(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(watch_poll=POLL)
    await begin(stage, here, "a")
    backend.seen.clear()
    for _ in range(3):
        stage.clock.advance(POLL)
        await turn()
    assert backend.seen == []


async def test_own_changes_are_told_once(stage: Stage) -> None:
    here = await stage.open(watch_poll=POLL)
    first = await here.set_context("a", {"n": 1})
    async with here.watch_context("a", first.position) as replies:
        assert isinstance(await anext(replies), NoChange)
        waiting = ask(replies)
        await here.update_context("a", {"n": 2})
        await waiting
        again = ask(replies)
        for _ in range(3):
            stage.clock.advance(POLL)
            await turn(100)
        assert not again.done()
        again.cancel()


async def catch_all(chord: Chord, seen: list[WatchReply]) -> None:
    async with chord.watch_context("a") as replies:
        async for reply in replies:
            seen.append(reply)


async def test_a_context_that_moved_is_loaded_once_however_many_watch_it(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(watch_poll=POLL, **BRIEF)
    there = await stage.open()
    await begin(stage, here, "a")
    seen: list[list[WatchReply]] = [[] for _ in range(20)]
    tasks = [asyncio.create_task(catch_all(here, each)) for each in seen]
    await until(lambda: all(seen))
    await there.update_context("a", {"n": 2})
    backend.seen.clear()
    stage.clock.advance(POLL)
    await until(lambda: all(len(each) == 2 for each in seen))
    assert backend.seen == ["heads", "load"]
    for task in tasks:
        task.cancel()
