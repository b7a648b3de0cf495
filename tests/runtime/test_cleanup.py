"""Test clean-up: what is due, what becomes of it, and what it leaves alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    Context,
    ContextNotFound,
    FullContext,
    Increment,
    InvalidArgument,
    Report,
)
from tests.runtime.kinds import stateful, stateless
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn

pytestmark = pytest.mark.anyio

TTL: dict[str, Any] = {"context_ttl": 100.0, "context_auto_delete": True}


async def fill(chord: Runtime, stage: Stage, *ids: str, apart: float = 1.0) -> None:
    for context_id in ids:
        await chord.set_context(context_id, {"id": context_id})
        stage.clock.advance(apart)


async def list_ids(chord: Runtime) -> list[str]:
    return [summary.context_id for summary in await chord.list_contexts()]


# -- contexts ------------------------------------------------------------------------------------


async def test_what_is_due_is_deleted(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "a", "b")
    stage.clock.advance(98)
    assert await chord.cleanup() == Report(expired=1)
    assert await list_ids(chord) == ["b"]
    with pytest.raises(ContextNotFound):
        await chord.get_context("a")


async def test_ttl_counts_from_the_last_change(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "a", "b", apart=0)
    stage.clock.advance(60)
    await chord.update_context("a", {"n": 1})
    await chord.update_context("b", {"id": "b"})
    stage.clock.advance(60)
    assert (await chord.cleanup()).expired == 1
    assert await list_ids(chord) == ["a"]


async def test_only_with_auto_delete(stage: Stage) -> None:
    chord = await stage.open(context_ttl=100.0)
    await fill(chord, stage, "a")
    stage.clock.advance(1000)
    assert (await chord.cleanup()).expired == 0
    assert await list_ids(chord) == ["a"]


async def test_what_is_due_is_readable_until_then(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "a")
    stage.clock.advance(1000)
    assert (await chord.get_context("a")).state == {"id": "a"}
    await chord.update_context("a", {"n": 1})
    assert (await chord.cleanup()).expired == 0
    assert await list_ids(chord) == ["a"]


async def test_the_oldest_goes_first_under_any_limit(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "c", "a", "d", "b", "e")
    stage.clock.advance(200)
    await chord.set_context("0", {})
    for gone in ("c", "a", "d", "b", "e"):
        assert gone in await list_ids(chord)
        assert (await chord.cleanup(limit=1)).expired == 1
        assert gone not in await list_ids(chord)
    assert await list_ids(chord) == ["0"]


async def test_more_than_a_page_goes_at_once(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await asyncio.gather(*(chord.set_context(f"r{n}", {}) for n in range(250)))
    stage.clock.advance(200)
    assert (await chord.cleanup(limit=120)).expired == 120
    assert (await chord.cleanup()).expired == 130
    assert await list_ids(chord) == []


async def test_a_clean_up_without_anything_due_asks_the_store_twice(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await asyncio.gather(*(chord.set_context(f"r{n}", {}) for n in range(50)))
    backend.seen.clear()
    assert await chord.cleanup() == Report()
    assert backend.seen == ["due", "trim"]


async def test_a_context_that_was_written_in_between_is_kept(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await fill(chord, stage, "a", "b")
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await chord.update_context("a", {"n": 1})
    backend.hold()
    due.answer()
    assert await cleaning == Report(expired=1, skipped=1)
    assert (await chord.get_context("a")).state == {"id": "a", "n": 1}


@stateless
async def test_a_context_that_another_wrote_in_between_is_kept(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    elsewhere = await stage.open()
    await fill(chord, stage, "a", "b")
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await elsewhere.update_context("a", {"n": 1})
    backend.hold()
    due.answer()
    report = await cleaning
    assert (report.expired, report.skipped) == (1, 1)
    assert (await chord.get_context("a")).state == {"id": "a", "n": 1}


async def test_a_context_that_began_anew_in_between_is_kept(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await chord.delete_context("a")
    await chord.set_context("a", {"id": "new"})
    backend.hold()
    due.answer()
    assert await cleaning == Report(skipped=1)
    assert (await chord.get_context("a")).state == {"id": "new"}


@stateless
async def test_a_context_that_another_began_anew_in_between_is_kept(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    elsewhere = await stage.open()
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await elsewhere.delete_context("a")
    await elsewhere.set_context("a", {"id": "new"})
    backend.hold()
    due.answer()
    report = await cleaning
    assert (report.expired, report.skipped) == (0, 1)
    assert (await chord.get_context("a")).state == {"id": "new"}


async def test_one_that_is_leased_elsewhere_is_skipped(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "a", "b")
    await stage.let_go(chord)
    backend = await stage.connect()
    stage.clock.advance(200)
    await backend.acquire("a", "owner", ttl=1000.0, address="", fresh_epoch=None)
    report = await chord.cleanup()
    assert (report.expired, report.skipped) == (1, 1)
    assert await list_ids(chord) == ["a"]


@stateful
async def test_one_that_another_took_over_in_between_is_skipped(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(**TTL)
    elsewhere = await stage.open()
    await fill(chord, stage, "a", "b")
    await stage.let_go(chord)
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await elsewhere.update_context("a", {"n": 1})
    backend.hold()
    due.answer()
    assert await cleaning == Report(expired=1, skipped=1)
    assert (await chord.get_context("a")).state == {"id": "a", "n": 1}


@stateful
async def test_a_live_context_is_expired_by_its_owner_alone(stage: Stage) -> None:
    owner, other = await stage.open(**TTL), await stage.open(**TTL)
    await fill(owner, stage, "a")
    stage.clock.advance(200)
    await owner.set_context("a", {"id": "a"})  # not changed: it is in use, and as old as it was
    assert await other.cleanup() == Report(skipped=1)
    assert await owner.cleanup() == Report(expired=1)
    assert await list_ids(other) == []


# -- with an exporter ----------------------------------------------------------------------------


async def test_what_is_due_is_exported_before_it_goes(stage: Stage) -> None:
    exported: list[Context] = []
    chord = await stage.open(**TTL, exporter=exported.append)
    await fill(chord, stage, "a")
    last = await chord.update_context("a", {"n": 1})
    stage.clock.advance(200)
    assert await chord.cleanup() == Report(expired=1, exported=1)
    assert [(each.context_id, each.state, each.position) for each in exported] == [
        ("a", {"id": "a", "n": 1}, last.position)
    ]
    assert await list_ids(chord) == []


async def test_one_whose_export_fails_is_kept_and_holds_up_nobody(stage: Stage) -> None:
    broken = {"a", "c"}

    async def export(context: Context) -> None:
        if context.context_id in broken:
            raise OSError("no space")

    chord = await stage.open(**TTL, exporter=export)
    await fill(chord, stage, "a", "b", "c", "d")
    stage.clock.advance(200)
    assert await chord.cleanup() == Report(expired=2, exported=2, failed=2)
    assert await list_ids(chord) == ["a", "c"]
    broken.clear()
    assert await chord.cleanup() == Report(expired=2, exported=2)


@pytest.mark.parametrize("limit", [1, 2])
async def test_those_that_fail_do_not_use_up_the_limit(stage: Stage, limit: int) -> None:
    def export(context: Context) -> None:
        if context.context_id < "n":
            raise OSError("no space")

    chord = await stage.open(**TTL, exporter=export)
    await fill(chord, stage, "a", "b", "x", "c", "y", "z")
    stage.clock.advance(200)
    assert (await chord.cleanup(limit=limit)).expired == limit
    assert await list_ids(chord) == ["a", "b", "c", *"xyz"[limit:]]


async def test_one_that_is_written_while_it_is_exported_is_kept(stage: Stage) -> None:
    proceed = asyncio.Event()
    begun = asyncio.Event()

    async def export(context: Context) -> None:
        begun.set()
        await proceed.wait()

    chord = await stage.open(**TTL, exporter=export)
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    cleaning = asyncio.create_task(chord.cleanup())
    await begun.wait()
    await chord.update_context("a", {"n": 1})
    proceed.set()
    assert await cleaning == Report(skipped=1)
    assert (await chord.get_context("a")).state == {"id": "a", "n": 1}


async def test_one_that_was_written_before_its_export_is_not_exported(stage: Stage) -> None:
    exported: list[Context] = []
    chord, backend = await stage.open_by_hand(**TTL, exporter=exported.append)
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    backend.hold("due")
    cleaning = asyncio.create_task(chord.cleanup())
    due = await backend.next("due")
    await due.carry_out()
    await chord.update_context("a", {"n": 1})
    backend.hold()
    due.answer()
    assert await cleaning == Report(skipped=1)
    assert exported == []


async def test_an_exporter_may_use_the_runtime(stage: Stage) -> None:
    async def export(context: Context) -> None:
        await chord.update_context("archive", {context.context_id: dict(context.state)})

    chord = await stage.open(**TTL, exporter=export)
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    await chord.set_context("archive", {})
    assert await chord.cleanup() == Report(expired=1, exported=1)
    assert (await chord.get_context("archive")).state == {"a": {"id": "a"}}


# -- deltas --------------------------------------------------------------------------------------


async def test_old_deltas_are_dropped_once_a_snapshot_covers_them(stage: Stage) -> None:
    chord = await stage.open(delta_ttl=100.0, snapshot_every=4, delta_threshold=50)
    first = await chord.set_context("a", {"n": 0})
    for n in range(1, 11):
        await chord.update_context("a", {"n": n, "pad": str(n) * 40})
    stage.clock.advance(60)
    await chord.update_context("a", {"n": 20})
    stage.clock.advance(60)
    report = await chord.cleanup()
    assert 4 <= report.trimmed <= 11
    assert (await chord.cleanup()).trimmed == 0
    elsewhere = await stage.open(delta_ttl=1e9)
    reply = await elsewhere.sync_context("a", first.position)
    assert isinstance(reply, FullContext)
    assert reply.reason == "compacted"
    assert reply.context.state == {"n": 20, "pad": "10" * 40}


async def test_the_newest_deltas_stay(stage: Stage) -> None:
    chord = await stage.open(delta_ttl=100.0, snapshot_every=1, delta_threshold=3)
    await chord.set_context("a", {"n": 0})
    commits = [await chord.update_context("a", {"n": n}) for n in range(1, 20)]
    await chord.cleanup()
    elsewhere = await stage.open(delta_threshold=3)
    reply = await elsewhere.sync_context("a", commits[-4].position)
    assert reply.position == commits[-1].position
    assert not isinstance(reply, FullContext)


async def test_a_log_that_was_cut_has_no_hole(stage: Stage) -> None:
    chord = await stage.open(delta_ttl=10.0, snapshot_every=2, delta_threshold=50)
    await chord.set_context("a", {"n": 0})
    for n in range(1, 30):
        await chord.update_context("a", {"n": n, "pad": str(n) * 20})
        stage.clock.advance(1)
        await chord.cleanup(limit=1)
    backend = await stage.connect()
    stored = await backend.load("a")
    assert stored is not None
    versions = [entry.version for entry in stored.entries]
    assert versions == list(range(versions[0], 31))
    assert len(versions) < 30
    assert (await (await stage.open()).get_context("a")).state["n"] == 29


async def test_clean_up_beside_writers_loses_nothing(stage: Stage) -> None:
    chord = await stage.open(**TTL, delta_ttl=1.0, snapshot_every=2)
    await chord.set_context("a", {"n": 0})

    async def write() -> None:
        for _ in range(50):
            await chord.update_context("a", {"n": Increment()})
            await turn(1)

    writing = asyncio.create_task(write())
    while not writing.done():
        stage.clock.advance(3)
        await chord.cleanup()
        await turn(1)
    await writing
    context = await chord.get_context("a")
    assert context.state == {"n": 50}
    assert context.position.version == 51


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1"])
async def test_what_is_no_limit_is_refused(chord: Runtime, limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await chord.cleanup(limit=limit)
    assert caught.value.name == "limit"


async def test_a_limit_may_be_as_large_as_one_likes(stage: Stage) -> None:
    chord = await stage.open(**TTL)
    await fill(chord, stage, "a")
    stage.clock.advance(200)
    assert (await chord.cleanup(limit=10**30)).expired == 1


async def test_nothing_is_due_under_an_endless_ttl(stage: Stage) -> None:
    endless = float("inf")
    chord = await stage.open(
        context_ttl=endless, delta_ttl=endless, op_ttl=endless, context_auto_delete=True
    )
    await chord.set_context("a", {"n": 0}, op_id="op")
    await chord.update_context("a", {"n": 1})
    stage.clock.advance(1e9)
    assert await chord.cleanup() == Report()
    assert (await chord.set_context("a", {"n": 0}, op_id="op")).position.version == 1
    assert not isinstance(await chord.sync_context("a", 1), FullContext)
