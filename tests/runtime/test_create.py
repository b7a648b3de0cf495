"""Test updates that begin a context where there is none."""

from __future__ import annotations

import asyncio

import pytest

from chord import Added, Append, ContextNotFound, Increment, InvalidState, VersionConflict
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


async def test_create_begins_with_that_state_and_the_changes_in_one_version(
    chord: Runtime,
) -> None:
    commit = await chord.update_context(
        "a", {"n": Increment(), "people": {"ana": 1}}, create={"n": 10, "people": {"bor": 2}}
    )
    assert commit.changed
    assert commit.position.version == 1
    assert commit.delta is not None
    assert commit.delta.from_version == 0
    assert commit.delta.changes == {"n": Added(11), "people": Added({"bor": 2, "ana": 1})}
    assert (await chord.get_context("a")).state == {"n": 11, "people": {"bor": 2, "ana": 1}}


async def test_create_is_one_commit(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.update_context("a", {"n": 1}, create={})
    assert backend.seen.count("commit") == 1


async def test_create_without_changes_is_a_life_too(chord: Runtime) -> None:
    commit = await chord.update_context("a", {}, create={})
    assert commit.changed
    assert commit.position.version == 1
    assert (await chord.get_context("a")).state == {}


async def test_create_counts_for_nothing_where_there_is_a_context(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    commit = await chord.update_context("a", {"n": Increment()}, create={"n": 100, "m": 1})
    assert commit.position.version == 2
    assert (await chord.get_context("a")).state == {"n": 2}


async def test_create_may_expect_that_there_is_none(chord: Runtime) -> None:
    await chord.update_context("a", {"n": 1}, create={}, expected=0)
    with pytest.raises(VersionConflict):
        await chord.update_context("a", {"n": 2}, create={}, expected=0)


async def test_who_expects_a_version_does_not_create(chord: Runtime) -> None:
    with pytest.raises(ContextNotFound):
        await chord.update_context("a", {"n": 1}, create={}, expected=3)
    assert await chord.list_contexts() == []


async def test_of_many_who_create_one_does(chord: Runtime) -> None:
    calls = [chord.update_context("a", {"log": Append([n])}, create={"log": []}) for n in range(10)]
    commits = await asyncio.gather(*calls)
    assert sorted(commit.position.version for commit in commits) == list(range(1, 11))
    state = (await chord.get_context("a")).state
    assert sorted(state["log"]) == list(range(10))


async def test_create_takes_no_operators(chord: Runtime) -> None:
    with pytest.raises(InvalidState):
        await chord.update_context("a", {}, create={"n": Increment()})
    with pytest.raises(InvalidState):
        await chord.update_context("a", {"n": Append([1])}, create={"n": 1})
    assert await chord.list_contexts() == []
