"""Test the scenarios: their data, their mix of actions, and that the audit notices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chord import Chord, StatelessChord
from examples.scenarios import (
    MULTIPLE,
    SINGLE,
    Audit,
    Scenario,
    audit,
    find,
    make_change,
    make_group,
    run,
)
from tests.examples.lossy import LossyBackend

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chord() -> AsyncIterator[Chord]:
    async with StatelessChord.open("memory://") as chord:
        yield chord


def test_a_group_has_50_participants_and_20_messages() -> None:
    group = make_group("g")
    assert len(group["participants"]) == 50
    assert {len(each) for each in group["participants"].values()} == {6}
    assert len(group["metadata"]) == 4
    assert len(group["chat_history"]) == 20
    assert {len(each) for each in group["chat_history"]} == {4}


def test_two_of_three_actions_are_updates_of_different_fields() -> None:
    changes = [str(make_change(index)) for index in range(50) if index % 3 < 2]
    assert len(set(changes)) == len(changes) == 34


@pytest.mark.parametrize(("scenario", "updates", "syncs"), [(SINGLE, 34, 16), (MULTIPLE, 700, 300)])
async def test_every_action_is_answered(
    chord: Chord, scenario: Scenario, updates: int, syncs: int
) -> None:
    result = await run(chord, scenario)
    assert (result.updates, result.syncs, result.errors) == (updates, syncs, 0)


async def test_each_update_is_a_version(chord: Chord) -> None:
    await run(chord, SINGLE, "x/")
    context = await find(chord, "x/single:1")
    assert context
    assert context.position.version == 1 + 34


@pytest.mark.parametrize(("scenario", "updates", "syncs"), [(SINGLE, 34, 16), (MULTIPLE, 700, 300)])
async def test_a_sound_store_keeps_every_acknowledged_update(
    chord: Chord, scenario: Scenario, updates: int, syncs: int
) -> None:
    found = await audit(chord, await run(chord, scenario))
    assert found == Audit(updates, updates, syncs, syncs)
    assert found.holds


async def test_the_audit_notices_an_update_that_was_lost(chord: Chord) -> None:
    result = await run(chord, SINGLE)
    await chord.update_context("single:1", {"participants": {"user_1": {"status": "online"}}})
    assert (await audit(chord, result)).lost == 1


async def test_the_audit_notices_a_context_that_was_lost(chord: Chord) -> None:
    result = await run(chord, SINGLE)
    await chord.delete_context("single:1")
    assert await audit(chord, result) == Audit(34, 0, 16, 0)


async def test_the_audit_notices_a_store_that_loses_writes() -> None:
    backend = LossyBackend()
    await backend.open()
    async with StatelessChord(backend) as chord, StatelessChord(backend) as reader:
        assert (await audit(reader, await run(chord, MULTIPLE))).lost > 0
