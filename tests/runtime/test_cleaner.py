"""Test the clean-up that a runtime does by itself, every so often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    BackendUnavailable,
    ChordClosed,
    ConfigurationError,
    Context,
    InvalidArgument,
    Report,
)
from tests.by_hand import ByHand
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

TTL: dict[str, Any] = {"context_ttl": 100.0, "context_auto_delete": True}


async def count_runs(stage: Stage, backend: ByHand, seconds: float) -> int:
    """How often it cleans up while so much time goes by."""
    before = backend.seen.count("trim")
    for _ in range(round(seconds)):
        stage.clock.advance(1.0)
        for _ in range(10):
            await turn()
            await until(lambda: not backend.under_way)
    return backend.seen.count("trim") - before


async def test_it_does_not_run_unless_it_is_started(stage: Stage) -> None:
    _, backend = await stage.open_by_hand(**TTL)
    assert await count_runs(stage, backend, 300) == 0


async def test_it_runs_every_interval(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await chord.set_context("a", {})
    await chord.cleaner.start(interval=50.0)
    assert await count_runs(stage, backend, 49) == 0
    assert await count_runs(stage, backend, 1) == 1
    assert [summary.context_id for summary in await chord.list_contexts()] == ["a"]
    assert await count_runs(stage, backend, 100) == 2
    assert await chord.list_contexts() == []


async def test_its_interval_may_come_from_the_settings(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL, cleanup_interval=20.0)
    assert await count_runs(stage, backend, 40) == 2
    await chord.cleaner.stop()
    await chord.cleaner.start()
    assert await count_runs(stage, backend, 40) == 2


async def test_it_stops(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await chord.cleaner.start(interval=10.0)
    assert await count_runs(stage, backend, 10) == 1
    await chord.cleaner.stop()
    await chord.cleaner.stop()
    assert await count_runs(stage, backend, 50) == 0


async def test_a_changed_interval_counts_from_now(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await chord.cleaner.start(interval=1000.0)
    assert await count_runs(stage, backend, 30) == 0
    await chord.cleaner.update(interval=10.0)
    assert await count_runs(stage, backend, 9) == 0
    assert await count_runs(stage, backend, 1) == 1
    await chord.cleaner.update(interval=1000.0)
    assert await count_runs(stage, backend, 100) == 0


async def test_a_limit_holds_for_each_run_and_can_be_changed(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    for n in range(6):
        await chord.set_context(f"r{n}", {})
    stage.clock.advance(200)
    await chord.cleaner.start(interval=10.0, limit=1)
    await count_runs(stage, backend, 20)
    assert len(await chord.list_contexts()) == 4
    await chord.cleaner.update(limit=3)
    await count_runs(stage, backend, 10)
    assert len(await chord.list_contexts()) == 1


async def test_what_was_not_named_stays_as_it_was(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    for n in range(3):
        await chord.set_context(f"r{n}", {})
    stage.clock.advance(200)
    await chord.cleaner.start(interval=10.0, limit=1)
    await chord.cleaner.update(interval=20.0)
    await count_runs(stage, backend, 20)
    assert len(await chord.list_contexts()) == 2
    await chord.cleaner.update(limit=2)
    assert await count_runs(stage, backend, 19) == 0
    assert await count_runs(stage, backend, 1) == 1


async def test_two_never_run_at_once(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await chord.cleaner.start(interval=10.0)
    backend.hold("due")
    stage.clock.advance(10.0)
    held = await backend.next("due")
    for _ in range(5):
        stage.clock.advance(10.0)
        await turn()
    assert backend.seen.count("due") == 1
    backend.hold()
    await held.go()
    assert await count_runs(stage, backend, 10) >= 1


async def test_stop_waits_for_one_that_is_under_way(stage: Stage) -> None:
    proceed = asyncio.Event()
    exported: list[str] = []

    async def export(context: Context) -> None:
        await proceed.wait()
        exported.append(context.context_id)

    chord = await stage.open(**TTL, exporter=export)
    await chord.set_context("a", {})
    await chord.cleaner.start(interval=200.0)
    stage.clock.advance(200.0)
    await turn()
    stopping = asyncio.create_task(chord.cleaner.stop())
    await turn()
    assert not stopping.done()
    proceed.set()
    await stopping
    assert exported == ["a"]
    assert await chord.list_contexts() == []


async def test_an_error_does_not_end_it(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await chord.cleaner.start(interval=10.0)
    for error in (BackendUnavailable("there", "away"), ZeroDivisionError()):
        backend.hold("due")
        stage.clock.advance(10.0)
        (await backend.next("due")).fail(error)
        backend.hold()
        await turn()
    assert await count_runs(stage, backend, 10) == 1
    assert await chord.cleanup() == Report()


async def test_it_ends_with_its_runtime(stage: Stage) -> None:
    backend = ByHand(await stage.connect())
    async with stage.make(backend, **TTL) as chord:
        await chord.cleaner.start(interval=10.0)
    backend.seen.clear()
    stage.clock.advance(100.0)
    await turn()
    assert backend.seen == []


async def test_it_cannot_be_started_once_its_runtime_is_closed(stage: Stage) -> None:
    async with stage.make(await stage.connect(), **TTL) as chord:
        cleaner = chord.cleaner
    with pytest.raises(ChordClosed):
        await cleaner.start(interval=10.0)
    await cleaner.stop()


@pytest.mark.parametrize("interval", [0, -1.0, float("nan"), "10"])
async def test_what_is_no_interval_is_refused(chord: Runtime, interval: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await chord.cleaner.start(interval=interval)
    assert caught.value.name == "interval"
    await chord.cleaner.start(interval=1.0)
    with pytest.raises(InvalidArgument):
        await chord.cleaner.update(interval=interval)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "1"])
async def test_what_is_no_limit_is_refused(chord: Runtime, limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await chord.cleaner.start(limit=limit)
    assert caught.value.name == "limit"


async def test_what_is_stopped_cannot_be_updated(chord: Runtime) -> None:
    with pytest.raises(ConfigurationError):
        await chord.cleaner.update(interval=1.0)
    await chord.cleaner.start(interval=1.0)
    await chord.cleaner.stop()
    with pytest.raises(ConfigurationError):
        await chord.cleaner.update(interval=1.0)


async def test_a_hook_may_stop_it(stage: Stage) -> None:
    async def export(context: Context) -> None:
        await chord.cleaner.stop()

    chord, backend = await stage.open_by_hand(**TTL, exporter=export)
    await chord.set_context("a", {})
    await chord.cleaner.start(interval=200.0)
    assert await count_runs(stage, backend, 200) == 1
    assert await chord.list_contexts() == []
    assert await count_runs(stage, backend, 300) == 0


async def test_after_its_runtime_it_cannot_be_started(stage: Stage) -> None:
    async with stage.make(await stage.connect(), **TTL) as chord:
        cleaner = chord.cleaner
    with pytest.raises(ChordClosed):
        await cleaner.start(interval=1.0)
