"""Test what is told of operations, and what is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import ContextNotFound, Event, VersionConflict
from tests.runtime.kinds import stateless
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn

pytestmark = pytest.mark.anyio


class Notes:
    """Takes note of everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def take(self) -> list[tuple[str, str | None, str]]:
        """What was told since the last call."""
        told = [(each.operation, each.context_id, each.outcome) for each in self.events]
        self.events.clear()
        return told


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def told(stage: Stage, notes: Notes) -> Runtime:
    return await stage.open(
        telemetry=notes, exporter=lambda context: None, provider=lambda context_id: {"n": 9}
    )


async def test_each_operation_is_told_once(told: Runtime, notes: Notes) -> None:
    await told.set_context("a", {"n": 1})
    await told.set_context("a", {"n": 1})
    await told.update_context("a", {"n": 2})
    await told.transform_context("a", lambda state: {"n": 3})
    await told.get_context("a")
    await told.export_context("a")
    await told.restore_context("a")
    await told.list_contexts()
    await told.cleanup()
    await told.flush()
    await told.delete_context("a")
    await told.delete_context("a")
    assert notes.take() == [
        ("set", "a", "ok"),
        ("set", "a", "unchanged"),
        ("update", "a", "ok"),
        ("transform", "a", "ok"),
        ("get", "a", "ok"),
        ("export", "a", "ok"),
        ("restore", "a", "ok"),
        ("list", None, "ok"),
        ("cleanup", None, "ok"),
        ("flush", None, "ok"),
        ("delete", "a", "ok"),
        ("delete", "a", "missing"),
    ]


async def test_a_sync_is_told_by_its_reply(told: Runtime, notes: Notes) -> None:
    first = await told.set_context("a", {"n": 1})
    await told.update_context("a", {"n": 2})
    notes.take()
    for since in (None, first.position, 2, 3, "x:1"):
        await told.sync_context("a", since)
    assert [outcome for *_, outcome in notes.take()] == [
        "requested",
        "delta",
        "no-change",
        "ahead",
        "epoch-changed",
    ]


async def test_an_error_is_told_by_its_name(told: Runtime, notes: Notes) -> None:
    with pytest.raises(ContextNotFound):
        await told.get_context("a")
    with pytest.raises(VersionConflict):
        await told.set_context("a", {}, expected=3)
    assert notes.take() == [("get", "a", "ContextNotFound"), ("set", "a", "VersionConflict")]


async def test_each_look_of_a_watch_is_told(told: Runtime, notes: Notes) -> None:
    await told.set_context("a", {"n": 1})
    notes.take()
    async with told.watch_context("a") as replies:
        await anext(replies)
        assert notes.take() == [("watch", "a", "requested")]
        await told.update_context("a", {"n": 2})
        await anext(replies)
        assert notes.take() == [("update", "a", "ok"), ("watch", "a", "delta")]


async def test_a_duration_is_in_seconds(stage: Stage, notes: Notes) -> None:
    there = await stage.open()
    await there.set_context("a", {"n": 1})
    chord, backend = await stage.open_by_hand(telemetry=notes)
    await chord.get_context("a")
    backend.hold("load")
    reading = asyncio.create_task(chord.get_context("a"))
    held = await backend.next("load")
    stage.clock.advance(2.5)
    await held.go()
    await reading
    assert [event.duration for event in notes.events] == [0.0, 2.5]


async def test_sizes_are_those_of_what_was_stored(told: Runtime, notes: Notes) -> None:
    await told.set_context("a", {"blob": "x" * 1000})
    await told.update_context("a", {"n": 1})
    await told.get_context("a")
    _, update, get = (event.size for event in notes.events)
    assert 5 < update < 50
    assert 1000 < get < 1100


async def test_statistics_count_what_happened(chord: Runtime) -> None:
    before = chord.statistics()
    await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    async with chord.watch_context("a") as replies:
        await anext(replies)
        counts = chord.statistics()
    assert counts["commits"] == before["commits"] + 2
    assert counts["watchers"] == 1
    assert counts["waiting"] == 0
    assert all(type(count) is int for count in counts.values())


async def test_statistics_count_what_waits_for_a_context_to_begin(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    backend.hold("commit")
    calls = [asyncio.create_task(chord.set_context("a", {"n": 0}))]
    held = await backend.next("commit")
    calls += [asyncio.create_task(chord.set_context("a", {"n": n})) for n in range(2)]
    await turn()
    assert chord.statistics()["waiting"] == 2
    backend.hold()
    await held.go()
    await asyncio.gather(*calls)
    assert chord.statistics()["waiting"] == 0


@stateless
async def test_statistics_count_what_waits(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    backend.hold("commit")
    calls: list[Any] = [asyncio.create_task(chord.set_context("a", {"n": n})) for n in range(3)]
    held = await backend.next("commit")
    calls += [asyncio.create_task(chord.set_context("a", {"n": n})) for n in range(2)]
    await turn()
    assert chord.statistics()["waiting"] == 2
    backend.hold()
    await held.go()
    await asyncio.gather(*calls)
    assert chord.statistics()["waiting"] == 0
