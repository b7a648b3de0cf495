"""Test the list of contexts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chord import InvalidArgument, InvalidContextId, StatelessChord, Summary
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


async def list_ids(chord: Runtime, *arguments: Any, **options: Any) -> list[str]:
    return [summary.context_id for summary in await chord.list_contexts(*arguments, **options)]


async def fill(chord: Runtime, *ids: str) -> None:
    await asyncio.gather(*(chord.set_context(context_id, {}) for context_id in ids))


async def test_an_empty_store_lists_nothing(chord: Runtime) -> None:
    assert list(await chord.list_contexts()) == []


async def test_it_tells_position_and_time(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(5)
    commit = await chord.update_context("a", {"n": 2})
    assert list(await chord.list_contexts()) == [
        Summary(context_id="a", position=commit.position, updated_at=stage.clock.time())
    ]


async def test_it_is_in_order_of_ids(chord: Runtime) -> None:
    ids = ["b", "a", "a:1", "A", "a2", "\ue000", "é", "\U0001f600", "ž", "0"]
    await fill(chord, *ids)
    assert await list_ids(chord) == sorted(ids)


async def test_pages_follow_each_other_without_gap_or_overlap(chord: Runtime) -> None:
    ids = [f"room:{n:03}" for n in range(57)]
    await fill(chord, *ids)
    seen: list[str] = []
    while page := await list_ids(chord, "", seen[-1] if seen else None, 10):
        seen += page
    assert seen == ids


async def test_a_page_is_100_unless_told_otherwise(chord: Runtime) -> None:
    await fill(chord, *(f"{n:03}" for n in range(120)))
    assert len(await list_ids(chord)) == 100
    assert len(await list_ids(chord, limit=110)) == 110


async def test_only_ids_with_the_prefix(chord: Runtime) -> None:
    await fill(chord, "a", "room", "room:1", "room:2", "room;", "rooms", "z", "%", "_", "ro%m")
    assert await list_ids(chord, "room:") == ["room:1", "room:2"]
    assert await list_ids(chord, "room") == ["room", "room:1", "room:2", "room;", "rooms"]
    assert await list_ids(chord, "%") == ["%"]
    assert await list_ids(chord, "_") == ["_"]
    assert await list_ids(chord, "ro%") == ["ro%m"]
    assert await list_ids(chord, "nothing") == []


async def test_after_may_be_before_or_behind_the_prefix(chord: Runtime) -> None:
    await fill(chord, "a", "b:1", "b:2", "c")
    assert await list_ids(chord, "b:", "a") == ["b:1", "b:2"]
    assert await list_ids(chord, "b:", "b:1") == ["b:2"]
    assert await list_ids(chord, "b:", "b:15") == ["b:2"]
    assert await list_ids(chord, "b:", "c") == []


async def test_what_was_deleted_is_not_listed(chord: Runtime) -> None:
    await fill(chord, "a", "b", "c")
    await chord.delete_context("b")
    assert await list_ids(chord) == ["a", "c"]


async def test_namespaces_do_not_see_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with (
        StatelessChord.open(url, namespace="one") as one,
        StatelessChord.open(url, namespace="two") as two,
    ):
        await one.set_context("a", {"n": 1})
        assert await list_ids(two) == []
        await two.set_context("a", {"n": 2})
        assert (await one.get_context("a")).state == {"n": 1}


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1", None])
async def test_what_is_no_limit_is_refused(chord: Runtime, limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await chord.list_contexts(limit=limit)
    assert caught.value.name == "limit"


@pytest.mark.parametrize("prefix", [None, b"a", 1, "\ud800", "a\0", "x" * 513])
async def test_what_is_no_prefix_is_refused(chord: Runtime, prefix: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await chord.list_contexts(prefix)
    assert caught.value.name == "prefix"


@pytest.mark.parametrize("after", ["", 1, "\0", "x" * 600])
async def test_what_is_no_id_is_refused(chord: Runtime, after: Any) -> None:
    with pytest.raises(InvalidContextId):
        await chord.list_contexts(after=after)


async def test_a_limit_may_be_as_large_as_one_likes(chord: Runtime) -> None:
    await fill(chord, "a", "b")
    assert await list_ids(chord, limit=10**30) == ["a", "b"]


@pytest.mark.parametrize("prefix", ["\U0010ffff", "a\U0010ffff", "\U0010ffff" * 128])
async def test_a_prefix_at_the_end_of_all_finds_what_begins_so(chord: Runtime, prefix: str) -> None:
    await fill(chord, "a", "x", prefix)
    assert await list_ids(chord, prefix) == [prefix]
