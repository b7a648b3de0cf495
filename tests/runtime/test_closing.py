"""Test how a runtime is opened and closed, and what becomes of who waits."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from chord import (
    Append,
    BackendUnavailable,
    ChordClosed,
    ChordError,
    Commit,
    NotApplied,
    StatelessChord,
)
from chord.errors import NotStored
from tests.by_hand import ByHand, Call
from tests.runtime.kinds import relaxed, stateful
from tests.runtime.stage import Stage
from tests.runtime.test_watch import ask
from tests.waiting import outcome_of, running, turn, until

pytestmark = pytest.mark.anyio


async def refused(call: Any) -> None:
    with pytest.raises(ChordClosed) as caught:
        await call
    assert isinstance(caught.value, NotApplied)


async def test_a_runtime_must_be_entered_and_not_be_closed(stage: Stage) -> None:
    made: Any = stage.make(await stage.connect())
    await refused(made.get_context("a"))
    async with made as chord:
        await chord.set_context("a", {})
    for call in (
        made.set_context("a", {}),
        made.update_context("a", {}),
        made.transform_context("a", dict),
        made.get_context("a"),
        made.sync_context("a"),
        made.delete_context("a"),
        made.export_context("a"),
        made.restore_context("a"),
        made.list_contexts(),
        made.cleanup(),
        made.flush(),
    ):
        await refused(call)
    for face in (lambda: made.watch_context("a"), made.statistics, lambda: made.cleaner):
        with pytest.raises(ChordClosed):
            face()


async def test_a_runtime_is_entered_once(stage: Stage) -> None:
    made: Any = stage.make(await stage.connect())
    async with made:
        await refused(made.__aenter__())
        await made.set_context("a", {})
    await refused(made.__aenter__())


async def test_a_backend_that_was_given_is_left_open(stage: Stage) -> None:
    backend = await stage.connect()
    async with stage.make(backend) as chord:
        commit = await chord.set_context("a", {"n": 1})
    assert await backend.heads(["a"]) == {"a": commit.position}


async def test_what_was_acknowledged_is_there_for_the_next(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {"n": 1})
        commit = await chord.update_context("a", {"n": 2})
    async with stage.make(await stage.connect()) as chord:
        context = await chord.get_context("a")
    assert context.state == {"n": 2}
    assert context.position == commit.position


async def test_closing_finishes_what_waits(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {"log": []})
        calls = [
            asyncio.create_task(outcome_of(chord.update_context("a", {"log": Append([n])})))
            for n in range(20)
        ]
        await turn(1)
    results = await asyncio.gather(*calls)
    kept = [n for n, result in enumerate(results) if isinstance(result, Commit)]
    assert kept
    assert all(isinstance(result, Commit | ChordClosed) for result in results)
    async with stage.make(await stage.connect()) as chord:
        assert (await chord.get_context("a")).state == {"log": kept}


async def test_while_closing_nothing_new_is_taken(stage: Stage) -> None:
    backend = ByHand(await stage.connect())
    made: Any = stage.make(backend)
    async with made as chord:
        await chord.set_context("a", {"n": 0})
        backend.hold("commit")
        first = asyncio.create_task(chord.update_context("a", {"n": 1}))
        held = await backend.next("commit")
        late = asyncio.create_task(_try_late(made, held))
    assert (await first).position.version == 2
    await late
    await refused(made.get_context("a"))


async def _try_late(made: Any, held: Any) -> None:
    await turn()
    await refused(made.update_context("a", {"n": 2}))
    await refused(made.get_context("a"))
    await held.go()


async def test_watches_end_with_their_runtime(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {"n": 1})
        replies, idle, first = [await chord.watch_context("a").__aenter__() for _ in range(3)]
        await anext(replies)
        await anext(idle)
        waiting = ask(replies)
        await turn()
    with pytest.raises(StopAsyncIteration):
        await waiting
    with pytest.raises(StopAsyncIteration):
        await anext(idle)
    await anext(first)
    with pytest.raises(StopAsyncIteration):
        await anext(first)


async def test_a_watch_that_rests_ends_at_once(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {"n": 1})
        replies = await chord.watch_context("a", min_interval=1000.0).__aenter__()
        await anext(replies)
        await chord.update_context("a", {"n": 2})
        waiting = ask(replies)
        await turn()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_watch_sees_no_error_while_its_runtime_closes(stage: Stage) -> None:
    backend = ByHand(await stage.connect())
    seen: list[object] = []

    async def watch(chord: Any) -> None:
        async with chord.watch_context("a") as replies:
            async for reply in replies:
                seen.append(reply)

    async with stage.make(backend) as chord:
        await chord.set_context("a", {"n": 1})
        watching = asyncio.create_task(watch(chord))
        await until(lambda: seen)
        backend.hold("commit")
        calls = [asyncio.create_task(chord.update_context("a", {"n": 2}))]
        held = await backend.next("commit")
        calls.append(asyncio.create_task(chord.update_context("a", {"n": 3})))
        await turn()
        backend.hold()
        answering = asyncio.create_task(_answer_later(held))
    await asyncio.gather(*calls, answering)
    await watching


async def test_an_error_in_the_block_comes_out_as_it_is(stage: Stage) -> None:
    backend = await stage.connect()

    async def fail() -> None:
        async with stage.make(backend) as chord:
            await chord.set_context("a", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


@pytest.mark.parametrize("reaches", [False, True], ids=["request-lost", "answer-lost"])
async def test_a_block_that_is_cancelled_answers_all_who_wait(stage: Stage, reaches: bool) -> None:
    backend = ByHand(await stage.connect())
    calls: list[asyncio.Task[Any]] = []
    with anyio.CancelScope() as scope:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running(stage.clock))  # drain_timeout ends what hangs
            chord = await stack.enter_async_context(stage.make(backend))
            await chord.set_context("a", {"log": []})
            backend.hold("commit")
            calls.append(_append(chord, 0))
            held = await backend.next("commit")
            if reaches:
                await held.carry_out()
            calls += [_append(chord, n) for n in range(1, 4)]
            await turn()
            backend.hold()
            scope.cancel()
    results = await asyncio.gather(*calls)
    assert all(isinstance(result, Commit | ChordError) for result in results)
    async with stage.make(await stage.connect()) as chord:
        log = (await chord.get_context("a")).state["log"]
    for n, result in enumerate(results):
        if isinstance(result, Commit):
            assert n in log
        elif isinstance(result, NotApplied):
            assert n not in log


@stateful
async def test_a_block_that_is_cancelled_finishes_what_waits(stage: Stage) -> None:
    backend = ByHand(await stage.connect())
    calls: list[asyncio.Task[Any]] = []
    with anyio.CancelScope() as scope:
        async with stage.make(backend) as chord:
            await chord.set_context("a", {"log": []})
            backend.hold("commit")
            calls.append(_append(chord, 0))
            held = await backend.next("commit")
            calls += [_append(chord, n) for n in range(1, 4)]
            answering = asyncio.create_task(_answer_later(held))
            await turn()
            backend.hold()
            scope.cancel()
    await answering
    assert [result.position.version for result in await asyncio.gather(*calls)] == [2, 3, 4, 5]
    async with stage.make(await stage.connect()) as chord:
        assert (await chord.get_context("a")).state["log"] == [0, 1, 2, 3]


@relaxed
async def test_what_was_acknowledged_before_it_was_stored_is_stored(stage: Stage) -> None:
    with anyio.CancelScope() as scope:
        async with stage.make(await stage.connect()) as chord:
            await chord.set_context("a", {"log": []})
            last = [await _append(chord, n) for n in range(3)][-1]
            scope.cancel()
            await turn()
    async with stage.make(await stage.connect()) as chord:
        context = await chord.get_context("a")
    assert context.state == {"log": [0, 1, 2]}
    assert context.position == last.position


@stateful
async def test_who_comes_next_owns_at_once_what_it_owned(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {"n": 1})
        await chord.set_context("b", {"n": 1})
    async with stage.make(await stage.connect()) as chord:
        for context_id in "ab":
            assert (await chord.update_context(context_id, {"n": 2})).position.version == 2


@relaxed
async def test_what_cannot_be_stored_is_told(stage: Stage) -> None:
    backend = ByHand(await stage.connect())
    async with running(stage.clock):
        with pytest.raises(NotStored) as caught:
            await _leave_with_the_store_away(stage, backend)
    assert caught.value.context_ids == ("a",)


async def _leave_with_the_store_away(stage: Stage, backend: ByHand) -> None:
    async with stage.make(backend, durability="memory") as chord:
        for context_id in "ab":
            await chord.set_context(context_id, {"n": 1})
        await chord.update_context("a", {"n": 2})
        backend.hold("commit", "release")


async def _answer_later(held: Call) -> None:
    await turn()
    await held.go()


def _append(chord: Any, n: int) -> asyncio.Task[Any]:
    call = chord.update_context("a", {"log": Append([n])})
    return asyncio.create_task(outcome_of(call))


async def test_open_closes_what_it_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with StatelessChord.open(url) as chord:
        commit = await chord.set_context("a", {"n": 1})
    assert not (tmp_path / "store.db-wal").exists()
    async with StatelessChord.open(url) as chord:
        assert (await chord.get_context("a")).position == commit.position


async def test_a_store_in_memory_is_private_to_its_open() -> None:
    async with StatelessChord.open("memory://") as one, StatelessChord.open("memory://") as two:
        await one.set_context("a", {})
        assert await two.list_contexts() == []


async def test_a_store_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable):
        async with StatelessChord.open(f"sqlite:///{tmp_path}/no/such/folder.db"):
            pytest.fail("opened")
    with pytest.raises(BackendUnavailable):
        async with StatelessChord.open("redis://127.0.0.1:1/0"):
            pytest.fail("opened")


async def test_no_signal_is_handled_but_by_the_application(stage: Stage) -> None:
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(each) for each in signals]
    async with stage.make(await stage.connect()) as chord:
        await chord.set_context("a", {})
        assert [signal.getsignal(each) for each in signals] == before


async def test_its_repr_tells_where_and_how_it_is(stage: Stage) -> None:
    backend = await stage.connect()
    made: Any = stage.make(backend)
    assert backend.address in repr(made)
    assert "closed" in repr(made)
    async with made:
        assert "open" in repr(made)
    assert "closed" in repr(made)
