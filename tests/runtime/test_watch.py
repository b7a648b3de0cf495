"""Test who watches: what they are told, when, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import pytest

from chord import (
    BackendUnavailable,
    ContextDeleted,
    ContextNotFound,
    DeltaUpdate,
    FullContext,
    InvalidArgument,
    Modified,
    NoChange,
    Replica,
)
from chord.records import WatchReply
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.kinds import stateless, storing
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

T = TypeVar("T")


def later(call: Awaitable[T]) -> asyncio.Task[T]:
    async def run() -> T:
        return await call

    return asyncio.create_task(run())


def ask(replies: AsyncIterator[WatchReply]) -> asyncio.Task[WatchReply]:
    """Begin to wait for the next reply."""
    return later(anext(replies))


# -- what comes first ----------------------------------------------------------------------------


async def test_first_comes_what_sync_would_say(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1})
    second = await chord.update_context("a", {"n": 2})
    for since in (None, 0, first.position, str(first.position), 1, second.position, 2, "x:1", 99):
        async with chord.watch_context("a", since) as replies:
            assert await anext(replies) == await chord.sync_context("a", since)


async def test_who_wrote_is_answered_before_the_watchers_run(chord: Runtime) -> None:
    order: list[str] = []
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        watching = ask(replies)
        watching.add_done_callback(lambda _: order.append("watched"))
        await turn()
        await chord.update_context("a", {"n": 2})
        order.append("wrote")
        await watching
        await until(lambda: len(order) == 2)
    assert order == ["wrote", "watched"]


async def test_entering_where_there_is_none_is_not_found(chord: Runtime) -> None:
    with pytest.raises(ContextNotFound):
        async with chord.watch_context("a"):
            pytest.fail("entered")
    commit = await chord.set_context("a", {})
    await chord.delete_context("a")
    with pytest.raises(ContextNotFound):
        async with chord.watch_context("a", commit.position):
            pytest.fail("entered")
    assert chord.statistics()["watchers"] == 0


@pytest.mark.parametrize("since", ["garbage", -1, 1.5])
async def test_what_is_no_position_is_refused(chord: Runtime, since: Any) -> None:
    with pytest.raises(ValueError, match="since"):
        chord.watch_context("a", since)


@pytest.mark.parametrize("interval", [-1, float("nan"), "1", None])
async def test_what_is_no_interval_is_refused(chord: Runtime, interval: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        chord.watch_context("a", min_interval=interval)
    assert caught.value.name == "min_interval"


# -- then push -----------------------------------------------------------------------------------


async def test_then_each_change_as_it_comes(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        assert isinstance(await anext(replies), FullContext)
        for n in range(2, 6):
            waiting = ask(replies)
            await turn()
            assert not waiting.done()
            commit = await chord.update_context("a", {"n": n})
            assert await waiting == DeltaUpdate(commit.delta)  # type: ignore[arg-type]


async def test_a_change_before_the_first_reply_is_taken_is_told_next(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await chord.update_context("a", {"n": 2})
        first, second = await anext(replies), await anext(replies)
    assert isinstance(first, FullContext)
    assert isinstance(second, DeltaUpdate)
    assert second.delta.changes == {"n": Modified(1, 2)}


async def test_a_slow_reader_gets_one_merged_delta(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", 1) as replies:
        assert isinstance(await anext(replies), NoChange)
        for n in range(2, 8):
            await chord.update_context("a", {"n": n})
        reply = await anext(replies)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 7)}
        assert reply.delta.conflated
        waiting = ask(replies)
        await turn()
        assert not waiting.done()
        waiting.cancel()


async def test_a_reader_that_is_too_slow_gets_the_full_state(stage: Stage) -> None:
    chord = await stage.open(delta_threshold=3)
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", 1) as replies:
        await anext(replies)
        for n in range(2, 8):
            await chord.update_context("a", {"n": n})
        reply = await anext(replies)
    assert isinstance(reply, FullContext)
    assert reply.reason == "compacted"
    assert reply.context.state == {"n": 7}


async def test_an_unchanged_write_is_not_told(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await chord.set_context("a", {"n": 1})
        await turn()
        assert not waiting.done()
        await chord.update_context("a", {"n": 2})
        assert isinstance(await waiting, DeltaUpdate)


async def test_all_who_watch_from_one_position_get_the_same_delta(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    watches = [chord.watch_context("a", 1) for _ in range(10)]
    entered = [await watch.__aenter__() for watch in watches]
    for replies in entered:
        await anext(replies)
    waiting = [ask(replies) for replies in entered[:5]]
    await chord.update_context("a", {"n": 2})
    await asyncio.gather(*waiting)
    await chord.update_context("a", {"n": 3})
    late = await asyncio.gather(*(ask(replies) for replies in entered[5:]))
    for told in ([task.result() for task in waiting], late):
        deltas = [reply.delta for reply in told if isinstance(reply, DeltaUpdate)]
        assert len(deltas) == 5
        assert all(delta is deltas[0] for delta in deltas)
    for watch in watches:
        await watch.__aexit__(None, None, None)
    assert chord.statistics()["watchers"] == 0


async def test_only_those_who_watch_that_context_are_woken(chord: Runtime) -> None:
    await chord.set_context("a", {})
    await chord.set_context("b", {})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        before = chord.statistics()["wakeups"]
        await chord.update_context("b", {"n": 1})
        await turn()
        assert chord.statistics()["wakeups"] == before
        assert not waiting.done()
        waiting.cancel()


@storing
async def test_a_change_is_shown_only_once_it_is_stored(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        backend.hold("commit")
        writing = asyncio.create_task(chord.update_context("a", {"n": 2}))
        held = await backend.next("commit")
        await turn()
        assert not waiting.done()
        await held.go()
        await writing
        assert isinstance(await waiting, DeltaUpdate)


# -- the ends of lives ---------------------------------------------------------------------------


async def test_a_delete_is_told_last(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    last = await chord.update_context("a", {"n": 2})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        await chord.delete_context("a")
        assert await waiting == ContextDeleted(last.position)
        with pytest.raises(StopAsyncIteration):
            await anext(replies)


async def test_a_delete_is_told_to_who_was_not_waiting(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await chord.delete_context("a")
        told = [reply async for reply in replies]
    assert [type(reply) for reply in told] == [FullContext, ContextDeleted]
    assert told[1].position == commit.position


async def test_the_next_life_is_not_told_to_who_watched_the_last(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        await chord.delete_context("a")
        await chord.set_context("a", {"n": 2})
        told = [reply async for reply in replies]
    assert [type(reply) for reply in told] == [ContextDeleted]


async def test_an_expiry_is_a_delete(stage: Stage) -> None:
    chord = await stage.open(context_ttl=10.0, context_auto_delete=True)
    commit = await chord.set_context("a", {})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        stage.clock.advance(11)
        assert (await chord.cleanup()).expired == 1
        assert await waiting == ContextDeleted(commit.position)


async def test_a_restore_is_told_as_the_full_state(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 9})
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        await chord.restore_context("a")
        reply = await waiting
        assert isinstance(reply, FullContext)
        assert reply.reason == "epoch-changed"
        assert reply.context.state == {"n": 9}
        await chord.update_context("a", {"n": 10})
        assert isinstance(await anext(replies), DeltaUpdate)


# -- how often -----------------------------------------------------------------------------------


async def test_replies_are_min_interval_apart(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", min_interval=5.0) as replies:
        await anext(replies)
        waiting = ask(replies)
        for n in range(2, 5):
            await chord.update_context("a", {"n": n})
            stage.clock.advance(1.0)
            await turn()
            assert not waiting.done()
        stage.clock.advance(2.0)
        reply = await waiting
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 4)}


async def test_who_waited_long_enough_is_told_at_once(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", min_interval=5.0) as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        stage.clock.advance(6.0)
        await turn()
        assert not waiting.done()
        await chord.update_context("a", {"n": 2})
        assert isinstance(await waiting, DeltaUpdate)


async def test_who_gives_up_within_the_interval_misses_nothing(
    stage: Stage, chord: Runtime
) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a", min_interval=5.0) as replies:
        await anext(replies)
        await chord.update_context("a", {"n": 2})
        waiting = ask(replies)
        await turn()
        waiting.cancel()
        await turn()
        again = ask(replies)
        stage.clock.advance(5.0)
        reply = await again
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 2)}


# -- leaving, and what goes wrong ----------------------------------------------------------------


async def test_who_gives_up_waiting_misses_nothing(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        for _ in range(3):
            waiting = ask(replies)
            await turn()
            waiting.cancel()
            await turn()
        await chord.update_context("a", {"n": 2})
        assert isinstance(await anext(replies), DeltaUpdate)


async def test_after_leaving_there_is_nothing_to_come(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        pass
    assert chord.statistics()["watchers"] == 0
    with pytest.raises(StopAsyncIteration):
        await anext(replies)


async def test_leaving_answers_a_task_that_still_waits(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_after_an_error_it_goes_on_from_where_it_was(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(cache_size=0, watch_poll=1.0)
    there = await stage.open()
    await there.set_context("a", {"n": 1})
    async with here.watch_context("a") as replies:
        await anext(replies)
        backend.hold("load")
        waiting = ask(replies)
        await there.update_context("a", {"n": 2})
        await there.flush()
        stage.clock.advance(1.0)
        await (await backend.next("load")).go()
        (await backend.next("load")).fail(BackendUnavailable("there", "away"))
        with pytest.raises(BackendUnavailable):
            await waiting
        backend.hold()
        reply = await anext(replies)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 2)}


@stateless
async def test_after_an_error_of_its_own_writes_it_goes_on_from_where_it_was(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(cache_size=0)
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        backend.hold("load")
        waiting = ask(replies)
        await turn()
        writing = asyncio.create_task(chord.update_context("a", {"n": 2}))
        await (await backend.next("load")).go()
        await writing
        (await backend.next("load")).fail(BackendUnavailable("there", "away"))
        with pytest.raises(BackendUnavailable):
            await waiting
        backend.hold()
        reply = await anext(replies)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"n": Modified(1, 2)}


async def test_a_second_task_is_told_that_there_is_one_already(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        waiting = ask(replies)
        await turn()
        with pytest.raises(RuntimeError):
            await anext(replies)
        await chord.update_context("a", {"n": 2})
        assert isinstance(await waiting, DeltaUpdate)


async def test_a_replica_that_watches_equals_the_server(stage: Stage) -> None:
    chord = await stage.open(delta_threshold=4, provider=lambda context_id: {"log": [0]})
    await chord.set_context("a", {"log": []})
    replica = Replica()

    async def watch() -> None:
        async with chord.watch_context("a") as replies:
            async for reply in replies:
                assert replica.receive(reply) != "gap"

    watching = asyncio.create_task(watch())
    for n in range(40):
        await chord.update_context("a", {"log": [n], f"k{n % 7}": n})
        await turn(n % 5)
        if n == 20:
            await chord.restore_context("a")
    context = await chord.get_context("a")
    await until(lambda: replica.position == context.position)
    assert replica.state == context.state
    await chord.delete_context("a")
    await watching
    assert replica.deleted
