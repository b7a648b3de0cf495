"""Test updates that may be coalesced: which are, and what is never lost or mixed by it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import Append, Commit, ContextNotFound, Increment, InvalidState, Modified, Replace
from tests.by_hand import ByHand
from tests.runtime.stage import Runtime, Stage
from tests.waiting import turn

pytestmark = pytest.mark.anyio


async def send_behind(
    chord: Runtime, backend: ByHand, *calls: tuple[dict[str, Any], dict[str, Any]]
) -> list[Any]:
    """Make calls while another is under way, so that none has begun when the last arrives."""
    backend.hold("commit")
    first = asyncio.create_task(chord.update_context("a", {"first": True}))
    held = await backend.next("commit")
    tasks = [
        asyncio.create_task(chord.update_context("a", changes, **options))
        for changes, options in calls
    ]
    await turn()
    backend.hold()
    await held.go()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


EPHEMERAL: dict[str, Any] = {"ephemeral": True}


async def test_those_that_wait_share_a_version(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    calls = [({"x": n, f"k{n}": n}, EPHEMERAL) for n in range(1, 4)]
    commits = await send_behind(chord, backend, *calls)
    assert commits[0] == commits[1] == commits[2]
    assert commits[0].position.version == 3
    assert commits[0].delta is commits[2].delta
    assert commits[0].delta.changes["x"] == Modified(0, 3)
    state = (await chord.get_context("a")).state
    assert state == {"first": True, "x": 3, "k1": 1, "k2": 2, "k3": 3}


async def test_they_take_the_place_of_the_latest(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    commits = await send_behind(
        chord,
        backend,
        ({"x": 1, "y": 1}, EPHEMERAL),
        ({"x": 2}, {}),
        ({"z": 3}, EPHEMERAL),
        ({"w": 4}, {}),
    )
    assert [commit.position.version for commit in commits] == [4, 3, 4, 5]
    assert commits[1].delta.changes == {"x": Modified(0, 2)}
    assert commits[0].delta.changes["x"] == Modified(2, 1)


async def test_one_that_has_begun_is_left_alone(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    backend.hold("commit")
    first = asyncio.create_task(chord.update_context("a", {"x": 1}, ephemeral=True))
    held = await backend.next("commit")
    second = asyncio.create_task(chord.update_context("a", {"x": 2}, ephemeral=True))
    await turn()
    backend.hold()
    await held.go()
    assert (await first).position.version == 2
    assert (await second).position.version == 3


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"x": Increment()}, {}),
        ({"log": Append([1])}, {}),
        ({"deep": {"er": Replace({})}}, {}),
        ({"x": 5}, {"op_id": "op"}),
        ({"x": 5}, {"create": {}}),
        ({"x": 5}, {"expected": 2}),
    ],
)
async def test_those_that_cannot_be_coalesced_have_versions_of_their_own(
    stage: Stage, changes: dict[str, Any], options: dict[str, Any]
) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    calls = ((changes, {**EPHEMERAL, **options}), ({"y": 1}, EPHEMERAL), ({"y": 2}, EPHEMERAL))
    commits = await send_behind(chord, backend, *calls)
    assert [commit.position.version for commit in commits] == [3, 4, 4]


async def test_updates_that_are_not_ephemeral_are_never_coalesced(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    calls: list[Any] = [({"x": n}, {}) for n in range(1, 4)]
    commits = await send_behind(chord, backend, *calls)
    assert [commit.position.version for commit in commits] == [3, 4, 5]


async def test_one_that_is_too_large_fails_alone(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(max_state_bytes=500)
    await chord.set_context("a", {"x": 0})
    commits = await send_behind(
        chord,
        backend,
        ({"x": 1}, EPHEMERAL),
        ({"blob": "x" * 600}, EPHEMERAL),
        ({"y": 2}, EPHEMERAL),
    )
    assert isinstance(commits[1], InvalidState)
    assert isinstance(commits[0], Commit)
    assert isinstance(commits[2], Commit)
    assert (await chord.get_context("a")).state == {"first": True, "x": 1, "y": 2}


async def test_those_that_are_too_large_together_are_taken_while_they_fit(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(max_state_bytes=500)
    await chord.set_context("a", {"x": 0})
    commits = await send_behind(
        chord,
        backend,
        ({"blob": "x" * 300}, EPHEMERAL),
        ({"more": "x" * 300}, EPHEMERAL),
        ({"y": 2}, EPHEMERAL),
    )
    assert isinstance(commits[0], Commit)
    assert isinstance(commits[1], InvalidState)
    assert isinstance(commits[2], Commit)


async def test_an_invalid_one_fails_alone(chord: Runtime) -> None:
    await chord.set_context("a", {"x": 0})
    results = await asyncio.gather(
        chord.update_context("a", {"y": 1}, ephemeral=True),
        chord.update_context("a", {"y": {1, 2}}, ephemeral=True),
        chord.update_context("a", {"z": 2}, ephemeral=True),
        return_exceptions=True,
    )
    assert isinstance(results[1], InvalidState)
    assert (await chord.get_context("a")).state == {"x": 0, "y": 1, "z": 2}


async def test_what_comes_to_nothing_is_unchanged_for_all(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"x": 0})
    commits = await send_behind(chord, backend, ({"x": 1}, EPHEMERAL), ({"x": 0}, EPHEMERAL))
    assert [commit.changed for commit in commits] == [False, False]
    assert {commit.position.version for commit in commits} == {2}


async def test_where_there_is_no_context_none_is_found(chord: Runtime) -> None:
    results = await asyncio.gather(
        chord.update_context("a", {"y": 1}, ephemeral=True),
        chord.update_context("a", {"z": 2}, ephemeral=True),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [ContextNotFound, ContextNotFound]


async def test_an_idle_context_waits_for_no_more(chord: Runtime) -> None:
    await chord.set_context("a", {"x": 0})
    for n in range(1, 4):
        commit = await chord.update_context("a", {"x": n}, ephemeral=True)
        assert commit.position.version == n + 1


async def test_none_of_many_is_lost(chord: Runtime) -> None:
    await chord.set_context("a", {})
    calls = [chord.update_context("a", {f"k{n}": n}, ephemeral=True) for n in range(200)]
    commits = await asyncio.gather(*calls)
    context = await chord.get_context("a")
    assert context.state == {f"k{n}": n for n in range(200)}
    assert max(commit.position.version for commit in commits) == context.position.version
    for n, commit in enumerate(commits):
        assert commit.delta is not None
        assert f"k{n}" in commit.delta.changes
