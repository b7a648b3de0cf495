"""Test what sets and updates make of a context, and what they answer."""

from __future__ import annotations

import asyncio

import pytest

from chord import (
    REMOVE,
    Added,
    Append,
    ContextNotFound,
    Increment,
    InvalidState,
    Modified,
    Position,
    Removed,
    Replace,
    Spliced,
)
from tests.runtime.kinds import make_runtime as make_runtime
from tests.runtime.kinds import relaxed, storing
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


# -- set -----------------------------------------------------------------------------------------


async def test_a_life_begins_at_version_1(chord: Runtime) -> None:
    commit = await chord.set_context("a", {"topic": "standup", "people": {"ana": {}}})
    assert commit.position.version == 1
    assert commit.changed
    assert commit.delta is not None
    assert commit.delta.from_version == 0
    assert commit.delta.version == 1
    assert commit.delta.epoch == commit.position.epoch
    assert commit.delta.changes == {"topic": Added("standup"), "people": Added({"ana": {}})}


async def test_a_life_that_begins_empty_is_a_change(chord: Runtime) -> None:
    commit = await chord.set_context("a", {})
    assert commit.changed
    assert commit.position.version == 1
    assert commit.delta is not None
    assert commit.delta.changes == {}
    assert (await chord.get_context("a")).state == {}


async def test_set_replaces_the_whole_state(chord: Runtime) -> None:
    await chord.set_context("a", {"goes": 1, "stays": {"x": 1, "y": 2}})
    commit = await chord.set_context("a", {"stays": {"y": 2}, "comes": 3})
    assert commit.delta is not None
    assert commit.delta.changes == {
        "goes": Removed(1),
        "stays": {"x": Removed(1)},
        "comes": Added(3),
    }
    assert (await chord.get_context("a")).state == {"stays": {"y": 2}, "comes": 3}


async def test_the_same_state_makes_no_version(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1, "m": [1]})
    commit = await chord.set_context("a", {"m": [1], "n": 1})
    assert not commit.changed
    assert commit.delta is None
    assert commit.position == first.position


async def test_an_update_that_changes_nothing_makes_no_version(chord: Runtime) -> None:
    first = await chord.set_context("a", {"n": 1, "m": {"x": None}})
    commit = await chord.update_context("a", {"n": 1, "m": {"x": None}, "gone": REMOVE})
    assert not commit.changed
    assert commit.delta is None
    assert commit.position == first.position


@pytest.mark.parametrize("how", ["set", "update"])
async def test_an_unchanged_write_stores_nothing_and_renews_nothing(stage: Stage, how: str) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"n": 1})
    began = stage.clock.time()
    stage.clock.advance(100)
    backend.seen.clear()
    await getattr(chord, f"{how}_context")("a", {"n": 1})
    assert "commit" not in backend.seen
    assert (await chord.get_context("a")).updated_at == began
    [summary] = await chord.list_contexts()
    assert summary.updated_at == began


async def test_a_write_renews_the_time(stage: Stage, chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(100)
    commit = await chord.update_context("a", {"n": 2})
    assert commit.delta is not None
    assert commit.delta.updated_at == stage.clock.time()
    assert (await chord.get_context("a")).updated_at == stage.clock.time()


@storing
async def test_a_write_is_durable_once_it_is_acknowledged(stage: Stage, chord: Runtime) -> None:
    backend = await stage.connect()
    commit = await chord.set_context("a", {"n": 1})
    assert commit.durable
    assert await backend.heads(["a"]) == {"a": commit.position}
    commit = await chord.update_context("a", {"n": 2})
    assert commit.durable
    assert await backend.heads(["a"]) == {"a": commit.position}


@relaxed
async def test_where_that_is_not_asked_it_says_so_until_it_is_stored(
    stage: Stage, chord: Runtime
) -> None:
    backend = await stage.connect()
    begun = await chord.set_context("a", {"n": 1})
    assert begun.durable
    commit = await chord.update_context("a", {"n": 2})
    assert not commit.durable
    assert not (await chord.update_context("a", {"n": 2})).durable
    assert await backend.heads(["a"]) == {"a": begun.position}
    await chord.flush("a")
    assert await backend.heads(["a"]) == {"a": commit.position}
    assert (await chord.update_context("a", {"n": 2})).durable


# -- update --------------------------------------------------------------------------------------


async def test_a_dict_merges(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": {"typing": False, "name": "Ana"}}})
    commit = await chord.update_context("a", {"people": {"ana": {"typing": True}}})
    assert commit.delta is not None
    assert commit.delta.changes == {"people": {"ana": {"typing": Modified(False, True)}}}
    assert (await chord.get_context("a")).state == {
        "people": {"ana": {"typing": True, "name": "Ana"}}
    }


async def test_a_dict_merges_into_nothing_where_there_is_no_dict(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1, "items": [1]})
    await chord.update_context("a", {"n": {"x": 1}, "items": {"y": {"z": 2}}, "new": {}})
    assert (await chord.get_context("a")).state == {
        "n": {"x": 1},
        "items": {"y": {"z": 2}},
        "new": {},
    }


async def test_what_is_no_dict_replaces(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": 1}, "items": [1, 2], "n": 1})
    await chord.update_context("a", {"people": "nobody", "items": [3], "n": None})
    assert (await chord.get_context("a")).state == {"people": "nobody", "items": [3], "n": None}


async def test_an_empty_dict_that_is_added_is_told(chord: Runtime) -> None:
    await chord.set_context("a", {})
    commit = await chord.update_context("a", {"people": {}})
    assert commit.delta is not None
    assert commit.delta.changes == {"people": Added({})}


async def test_remove_deletes_a_key(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": {"n": 1}, "bor": 2}})
    commit = await chord.update_context("a", {"people": {"ana": REMOVE}})
    assert commit.delta is not None
    assert commit.delta.changes == {"people": {"ana": Removed({"n": 1})}}
    assert (await chord.get_context("a")).state == {"people": {"bor": 2}}


async def test_replace_puts_a_dict_whole(chord: Runtime) -> None:
    await chord.set_context("a", {"people": {"ana": 1, "bor": 2}})
    await chord.update_context("a", {"people": Replace({"bor": 3})})
    assert (await chord.get_context("a")).state == {"people": {"bor": 3}}


async def test_append_tells_only_what_was_added(chord: Runtime) -> None:
    await chord.set_context("a", {"log": [1, 2]})
    commit = await chord.update_context("a", {"log": Append([3]), "new": Append([1])})
    assert commit.delta is not None
    assert commit.delta.changes == {"log": Spliced(2, [], [3]), "new": Added([1])}
    assert (await chord.get_context("a")).state == {"log": [1, 2, 3], "new": [1]}


async def test_increment_adds_to_what_is_there(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 40, "x": 1.5})
    await chord.update_context("a", {"n": Increment(2), "x": Increment(-1), "new": Increment()})
    assert (await chord.get_context("a")).state == {"n": 42, "x": 0.5, "new": 1}


@pytest.mark.parametrize("operator", [REMOVE, Replace(1), Append([1]), Increment()])
async def test_set_takes_no_operators(chord: Runtime, operator: object) -> None:
    with pytest.raises(InvalidState) as caught:
        await chord.set_context("a", {"people": {"ana": operator}})
    assert caught.value.path == ("people", "ana")
    assert await chord.list_contexts() == []


@pytest.mark.parametrize(
    "changes",
    [{"ok": 1, "text": Append([1])}, {"ok": 1, "text": Increment()}, {"ok": 1, "in": [REMOVE]}],
)
async def test_an_operator_out_of_place_writes_nothing(
    chord: Runtime, changes: dict[str, object]
) -> None:
    first = await chord.set_context("a", {"text": "x"})
    with pytest.raises(InvalidState) as caught:
        await chord.update_context("a", changes)
    assert caught.value.path[0] == list(changes)[1]
    context = await chord.get_context("a")
    assert context.state == {"text": "x"}
    assert context.position == first.position


async def test_an_update_needs_a_context(chord: Runtime) -> None:
    with pytest.raises(ContextNotFound):
        await chord.update_context("a", {"n": 1})
    assert await chord.list_contexts() == []


# -- many at once --------------------------------------------------------------------------------


async def test_each_request_has_a_version_of_its_own(chord: Runtime) -> None:
    begun = await chord.set_context("a", {})
    calls = [chord.update_context("a", {f"k{n}": n}) for n in range(20)]
    commits = await asyncio.gather(*calls)
    versions = [commit.position.version for commit in commits]
    assert versions == list(range(2, 22))
    assert {commit.position.epoch for commit in commits} == {begun.position.epoch}
    for n, commit in enumerate(commits):
        assert commit.delta is not None
        assert commit.delta.from_version == commit.position.version - 1
        assert commit.delta.changes == {f"k{n}": Added(n)}


async def test_each_version_has_a_log_entry_of_its_own(stage: Stage, chord: Runtime) -> None:
    backend = await stage.connect()
    await chord.set_context("a", {})
    await asyncio.gather(*(chord.update_context("a", {f"k{n}": n}) for n in range(20)))
    await chord.flush()
    stored = await backend.load("a")
    assert stored is not None
    assert [entry.version for entry in stored.entries][-20:] == list(range(2, 22))


async def test_one_bad_request_hurts_no_other(chord: Runtime) -> None:
    await chord.set_context("a", {"text": "x"})
    results = await asyncio.gather(
        chord.update_context("a", {"n": Increment()}),
        chord.update_context("a", {"n": Increment(), "text": Increment()}),
        chord.update_context("a", {"n": Increment()}),
        return_exceptions=True,
    )
    assert isinstance(results[1], InvalidState)
    context = await chord.get_context("a")
    assert context.state == {"text": "x", "n": 2}
    assert context.position.version == 3


async def test_writes_of_one_caller_keep_their_order(chord: Runtime) -> None:
    await chord.set_context("a", {"log": []})
    await asyncio.gather(*(chord.update_context("a", {"log": Append([n])}) for n in range(50)))
    assert (await chord.get_context("a")).state == {"log": list(range(50))}


async def test_contexts_do_not_touch_each_other(chord: Runtime) -> None:
    ids = [f"room:{n}" for n in range(20)]
    commits = await asyncio.gather(*(chord.set_context(id, {"id": id}) for id in ids))
    assert len({commit.position.epoch for commit in commits}) == 20
    await asyncio.gather(*(chord.update_context(id, {"n": Increment()}) for id in ids))
    for id in ids:
        context = await chord.get_context(id)
        assert context.state == {"id": id, "n": 1}
        assert context.position.version == 2


async def test_what_the_caller_does_with_its_dict_later_changes_nothing(chord: Runtime) -> None:
    mine: dict[str, dict[str, object]] = {"people": {"ana": [1]}}
    waiting = asyncio.ensure_future(chord.set_context("a", mine))
    await asyncio.sleep(0)
    mine["people"]["ana"] = "changed"
    await waiting
    assert (await chord.get_context("a")).state == {"people": {"ana": [1]}}


async def test_a_commit_says_where_its_delta_leads(chord: Runtime) -> None:
    await chord.set_context("a", {})
    commit = await chord.update_context("a", {"n": 1})
    assert commit.delta is not None
    assert commit.delta.position == commit.position
    assert isinstance(commit.position, Position)
    assert not commit.delta.conflated
