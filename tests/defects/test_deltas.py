"""Test that defects 13 to 19 and 25 are not ours: of deltas and of the values in them.

Each docstring tells the defect as it was found in a system of this kind.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chord import (
    REMOVE,
    Added,
    Append,
    DeltaUpdate,
    Modified,
    NoChange,
    Removed,
    Replace,
    Spliced,
)
from chord.delta import equal
from tests.defects.clients import catch_up, check_follows
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("state", "steps", "changes"),
    [
        pytest.param({"k": 1}, [{"k": REMOVE}, {"k": 2}], {"k": Modified(1, 2)}, id="comes-back"),
        pytest.param({"k": 1}, [{"k": REMOVE}, {"k": 1}], {}, id="comes-back-the-same"),
        pytest.param(
            {"k": 1},
            [{"k": {"a": 1}}, {"k": {"a": 2}}],
            {"k": Modified(1, {"a": 2})},
            id="becomes-a-map-that-changes",
        ),
        pytest.param({}, [{"k": 1}, {"k": 2}], {"k": Added(2)}, id="is-added-and-changes"),
        pytest.param({"k": 1}, [{"k": 2}, {"k": 1}], {}, id="there-and-back"),
        pytest.param(
            {"k": {"a": 1}}, [{"k": {"a": 2}}, {"k": REMOVE}], {"k": Removed({"a": 1})}, id="goes"
        ),
    ],
)
async def test_13_deltas_merge_to_what_the_client_lacks(
    stage: Stage, state: dict[str, Any], steps: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    """Merged deltas deleted keys that were there, told wrong kinds of change, or crashed."""
    chord = await stage.open()
    await chord.set_context("a", state)
    replica = await catch_up(chord)
    for step in steps:
        await chord.update_context("a", step)
    for reader in (chord, await stage.open()):
        reply = await reader.sync_context("a", replica.since)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == changes
    await check_follows(replica, chord)


@pytest.mark.parametrize(
    ("changes", "path"), [({"k": {}}, ["k"]), ({"old": {"k": {}}}, ["old", "k"])]
)
async def test_14_an_empty_map_that_is_added_is_told(
    stage: Stage, changes: dict[str, Any], path: list[str]
) -> None:
    """An empty map made a version with an empty delta, and no client ever learned of its key."""
    chord = await stage.open()
    await chord.set_context("a", {"old": {"n": 1}})
    replica = await catch_up(chord)
    commit = await chord.update_context("a", changes)
    assert commit.delta
    assert chord.format_delta(commit.delta) == [{"action": "added", "path": path, "value": {}}]
    await check_follows(replica, await stage.open())


RICH: dict[str, Any] = {
    "date": date(2030, 1, 2),
    "moment": datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
    "time": time(3, 4),
    "span": timedelta(seconds=5),
    "price": Decimal("1.10"),
    "id": UUID(int=7),
    "blob": b"\x00",
}


async def test_15_values_that_are_records_of_the_language_are_kept(stage: Stage) -> None:
    """A date or a decimal in a state crashed set and update."""
    chord = await stage.open()
    await chord.set_context("set", {"deep": {"list": [RICH]}})
    await chord.set_context("a", {"price": Decimal("1.1")})
    replica = await catch_up(chord)
    await chord.update_context("a", RICH)
    reader = await stage.open()
    assert equal((await reader.get_context("set")).state, {"deep": {"list": [RICH]}})
    await check_follows(replica, reader)
    assert replica.state
    assert equal(replica.state, RICH)


async def test_16_numbers_of_different_types_are_different(stage: Stage) -> None:
    """1 and 1.0 were "no change"."""
    chord = await stage.open()
    commit = await chord.set_context("a", {"n": 0, "list": [[0]]})
    reader = await stage.open()
    for version, n in enumerate((1, 1.0, True, Decimal(1)), start=2):
        commit = await chord.set_context("a", {"n": n, "list": [[n]]})
        assert commit.position.version == version
        assert type((await reader.get_context("a")).state["n"]) is type(n)
    assert isinstance(await reader.sync_context("a", commit.position), NoChange)


async def test_17_any_key_and_any_depth_can_be_formatted(stage: Stage) -> None:
    """A user's key "action" crashed the formatter, and a path of three keys came out nested."""
    chord = await stage.open()
    state = {"action": "x", "people": {"action": {"value": 1}}}
    await chord.set_context("a", state)
    commit = await chord.update_context("a", {"action": "y", "people": {"action": {"value": 2}}})
    assert commit.delta
    assert chord.format_delta(commit.delta) == [
        {"action": "modified", "path": ["action"], "old_value": "x", "value": "y"},
        {
            "action": "modified",
            "path": ["people", "action", "value"],
            "old_value": 1,
            "value": 2,
        },
    ]
    patched = (await stage.open(formatter="json-patch")).format_delta(commit.delta)
    assert [step["path"] for step in patched] == ["/action", "/people/action/value"]
    merged = (await stage.open(formatter="merge-patch")).format_delta(commit.delta)
    assert merged == {"action": "y", "people": {"action": {"value": 2}}}


@pytest.mark.parametrize("how", ["append", "whole"])
async def test_18_a_list_that_grew_is_told_by_what_it_grew_by(stage: Stage, how: str) -> None:
    """A list that grew by one message was sent whole, once as it was and once as it is."""
    chord, backend = await stage.open(), await stage.connect()
    log = [f"message {n}" for n in range(1000)]
    first = await chord.set_context("a", {"log": log})
    change = Append(["new"]) if how == "append" else [*log, "new"]
    await chord.update_context("a", {"log": change})
    for reader in (chord, await stage.open()):
        reply = await reader.sync_context("a", first.position)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"log": Spliced(1000, [], ["new"])}
    stored = await backend.load("a", after=first.position)
    assert stored
    assert len(stored.entries[-1].changes) < 50


async def test_19_an_update_can_remove_a_key(stage: Stage) -> None:
    """An update could not remove a key."""
    chord = await stage.open()
    await chord.set_context("a", {"people": {"ana": {"n": 1}, "bor": {}}})
    replica = await catch_up(chord)
    commit = await chord.update_context("a", {"people": {"ana": REMOVE, "nobody": REMOVE}})
    assert commit.delta
    assert commit.delta.changes == {"people": {"ana": Removed({"n": 1})}}
    await check_follows(replica, await stage.open())
    assert replica.state == {"people": {"bor": {}}}


async def test_19_an_update_can_empty_a_map(stage: Stage) -> None:
    """An update could not empty a map."""
    chord = await stage.open()
    await chord.set_context("a", {"people": {"ana": 1, "bor": 2}, "n": 1})
    replica = await catch_up(chord)
    commit = await chord.update_context("a", {"people": Replace({})})
    assert commit.delta
    assert commit.delta.changes == {"people": {"ana": Removed(1), "bor": Removed(2)}}
    await check_follows(replica, await stage.open())
    assert replica.state == {"people": {}, "n": 1}


async def test_25_a_none_that_stays_is_no_change(chord: Runtime) -> None:
    """A key that was null before and after was told as added in every delta."""
    first = await chord.set_context("a", {"none": None, "deep": {"none": None}, "n": 1})
    commits = [
        await chord.update_context("a", {"none": None, "n": 2}),
        await chord.set_context("a", {"none": None, "deep": {"none": None}, "n": 3}),
    ]
    for n, commit in enumerate(commits, start=1):
        assert commit.delta
        assert commit.delta.changes == {"n": Modified(n, n + 1)}
    reply = await chord.sync_context("a", first.position)
    assert isinstance(reply, DeltaUpdate)
    assert reply.delta.changes == {"n": Modified(1, 3)}
    assert not (await chord.update_context("a", {"deep": {"none": None}})).changed
