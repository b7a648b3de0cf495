"""Test `Commit.context`: exactly the state of its version, or `VersionGone`."""

from __future__ import annotations

import asyncio
import gc
import pickle
import weakref

import pytest

from chord import Append, Commit, Increment, VersionGone
from tests.runtime.kinds import stateful, stateless
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn

pytestmark = pytest.mark.anyio


async def test_it_is_the_state_of_that_very_version(stage: Stage, chord: Runtime) -> None:
    commits = [await chord.set_context("a", {"n": 0, "log": []})]
    times = [stage.clock.time()]
    for n in range(1, 30):
        stage.clock.advance(1)
        times.append(stage.clock.time())
        commits.append(await chord.update_context("a", {"n": n, "log": Append([n])}))
    for n, commit in enumerate(commits):
        context = commit.context
        assert context.context_id == "a"
        assert context.position == commit.position
        assert context.state == {"n": n, "log": list(range(1, n + 1))}
        assert context.updated_at == times[n]


async def test_those_of_one_turn_are_told_apart(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    calls = [chord.update_context("a", {"n": Increment()}) for _ in range(10)]
    commits = await asyncio.gather(*calls)
    assert [commit.context.state["n"] for commit in commits] == list(range(1, 11))


async def test_an_unchanged_commit_has_the_state_that_it_found(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 0})
    commit = await chord.set_context("a", {"n": 0})
    await chord.update_context("a", {"n": 1})
    assert commit.context.state == {"n": 0}


async def test_it_is_good_for_delta_threshold_more_versions(stage: Stage) -> None:
    chord = await stage.open(delta_threshold=3)
    commit = await chord.set_context("a", {"n": 0})
    for n in range(1, 4):
        await chord.update_context("a", {"n": n})
    assert commit.context.state == {"n": 0}
    await chord.update_context("a", {"n": 4})
    with pytest.raises(VersionGone) as caught:
        _ = commit.context
    assert caught.value.context_id == "a"
    assert caught.value.position == commit.position


@stateless
async def test_it_is_good_while_the_context_is_among_the_last(stage: Stage) -> None:
    chord = await stage.open(cache_size=2)
    first = await chord.set_context("a", {"n": 1})
    await chord.set_context("b", {})
    assert first.context.state == {"n": 1}
    await chord.set_context("c", {})
    assert first.context.state == {"n": 1}
    await chord.set_context("d", {})
    await chord.set_context("e", {})
    with pytest.raises(VersionGone):
        _ = first.context


async def test_a_context_that_is_read_is_among_the_last(stage: Stage) -> None:
    chord = await stage.open(cache_size=2)
    first = await chord.set_context("a", {"n": 1})
    await chord.set_context("b", {})
    await chord.get_context("a")
    await chord.set_context("c", {})
    assert first.context.state == {"n": 1}


@stateful
async def test_it_is_good_while_the_context_is_live(stage: Stage) -> None:
    chord = await stage.open(cache_size=0)
    commit = await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    stage.clock.advance(100)
    await turn()
    assert chord.statistics()["dormant"] == 1
    assert commit.context.state == {"n": 1}


@stateful
async def test_it_is_gone_once_the_context_has_left_memory(stage: Stage) -> None:
    chord = await stage.open(cache_size=0)
    commit = await chord.set_context("a", {"n": 1})
    await stage.let_go(chord)
    with pytest.raises(VersionGone):
        _ = commit.context
    assert (await chord.update_context("a", {"n": 2})).position.version == 2


@stateless
async def test_without_a_cache_it_is_gone_at_once(stage: Stage) -> None:
    chord = await stage.open(cache_size=0)
    commit = await chord.set_context("a", {"n": 1})
    with pytest.raises(VersionGone):
        _ = commit.context
    assert (await chord.get_context("a")).state == {"n": 1}
    assert (await chord.update_context("a", {"n": 2})).position.version == 2


async def test_it_is_gone_after_delete(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1})
    await chord.delete_context("a")
    with pytest.raises(VersionGone):
        _ = commit.context
    await chord.set_context("a", {"n": 2})
    with pytest.raises(VersionGone):
        _ = commit.context


async def test_it_is_gone_after_restore(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 2})
    commit = await chord.set_context("a", {"n": 1})
    restored = await chord.restore_context("a")
    assert restored.position.version == commit.position.version
    with pytest.raises(VersionGone):
        _ = commit.context
    assert restored.context.state == {"n": 2}
    for n in range(3, 6):
        await chord.update_context("a", {"n": n})
    with pytest.raises(VersionGone):
        _ = commit.context
    assert restored.context.state == {"n": 2}


async def test_it_is_gone_once_the_runtime_is_closed(stage: Stage) -> None:
    async with stage.make(await stage.connect()) as chord:
        commit = await chord.set_context("a", {"n": 1})
    with pytest.raises(VersionGone):
        _ = commit.context


async def test_it_holds_its_runtime_weakly(stage: Stage) -> None:
    async def leave_a_commit() -> tuple[Commit, weakref.ref[Runtime]]:
        async with stage.make(await stage.connect()) as chord:
            return await chord.set_context("a", {"n": 1}), weakref.ref(chord)

    commit, runtime = await leave_a_commit()
    gc.collect()
    assert runtime() is None
    with pytest.raises(VersionGone):
        _ = commit.context


async def test_a_commit_that_was_pickled_keeps_all_but_its_context(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1})
    copied = pickle.loads(pickle.dumps(commit))
    assert copied == commit
    with pytest.raises(VersionGone):
        _ = copied.context


async def test_asking_is_not_seen_by_others(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"n": 1, "deep": {"x": [1]}})
    await chord.update_context("a", {"deep": {"x": Append([2])}})
    assert commit.context.state == {"n": 1, "deep": {"x": [1]}}
    assert (await chord.get_context("a")).state == {"n": 1, "deep": {"x": [1, 2]}}
