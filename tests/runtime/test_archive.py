"""Test export and restore: what passes to the application's hooks, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chord import ConfigurationError, Context, ContextNotFound, InvalidState
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio


class Archive:
    """An exporter and a provider, sync and async."""

    def __init__(self) -> None:
        self.kept: dict[str, Context] = {}

    def put(self, context: Context) -> None:
        self.kept[context.context_id] = context

    async def put_later(self, context: Context) -> None:
        await asyncio.sleep(0)
        self.put(context)

    def get(self, context_id: str) -> Mapping[str, Any] | None:
        return self.kept[context_id].state if context_id in self.kept else None

    async def get_later(self, context_id: str) -> Mapping[str, Any] | None:
        await asyncio.sleep(0)
        return self.get(context_id)


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture(params=["sync", "async"])
async def archiving(request: pytest.FixtureRequest, stage: Stage, archive: Archive) -> Runtime:
    if request.param == "sync":
        return await stage.open(exporter=archive.put, provider=archive.get)
    return await stage.open(exporter=archive.put_later, provider=archive.get_later)


async def test_export_hands_over_the_context_and_returns_it(
    archiving: Runtime, archive: Archive
) -> None:
    await archiving.set_context("a", {"n": 1})
    commit = await archiving.update_context("a", {"n": 2})
    context = await archiving.export_context("a")
    assert archive.kept == {"a": context}
    assert context.state == {"n": 2}
    assert context.position == commit.position
    assert (await archiving.get_context("a")) == context


async def test_export_needs_a_context(archiving: Runtime, archive: Archive) -> None:
    with pytest.raises(ContextNotFound):
        await archiving.export_context("a")
    assert archive.kept == {}


async def test_what_was_exported_can_be_restored(archiving: Runtime) -> None:
    await archiving.set_context("a", {"people": {"ana": [1, 2]}})
    first = (await archiving.export_context("a")).position
    await archiving.delete_context("a")
    commit = await archiving.restore_context("a")
    assert commit.position.version == 1
    assert commit.position.epoch != first.epoch
    assert (await archiving.get_context("a")).state == {"people": {"ana": [1, 2]}}


async def test_what_was_restored_can_be_written(archiving: Runtime, archive: Archive) -> None:
    await archiving.set_context("a", {"people": {"ana": [1, 2]}})
    await archiving.export_context("a")
    await archiving.restore_context("a")
    await archiving.update_context("a", {"people": {"ana": [3]}})
    assert archive.kept["a"].state == {"people": {"ana": [1, 2]}}


async def test_what_the_provider_does_not_know_is_not_found(archiving: Runtime) -> None:
    commit = await archiving.set_context("a", {"n": 1})
    with pytest.raises(ContextNotFound):
        await archiving.restore_context("a")
    assert (await archiving.get_context("a")).position == commit.position


async def test_without_hooks_there_is_neither(chord: Runtime) -> None:
    await chord.set_context("a", {})
    with pytest.raises(ConfigurationError):
        await chord.export_context("a")
    with pytest.raises(ConfigurationError):
        await chord.restore_context("a")


async def test_what_a_hook_raises_is_raised(stage: Stage) -> None:
    def fail(_: object) -> None:
        raise OSError("no space")

    chord = await stage.open(exporter=fail, provider=fail)
    commit = await chord.set_context("a", {})
    with pytest.raises(OSError, match="no space"):
        await chord.export_context("a")
    with pytest.raises(OSError, match="no space"):
        await chord.restore_context("a")
    assert (await chord.get_context("a")).position == commit.position


@pytest.mark.parametrize("state", [[1], {"x": {1}}, {1: 2}, "x"])
async def test_what_a_provider_finds_is_held_to_the_same_rules(stage: Stage, state: Any) -> None:
    provider: Callable[[str], Any] = lambda context_id: state  # noqa: E731
    chord = await stage.open(provider=provider)
    with pytest.raises(InvalidState):
        await chord.restore_context("a")
    assert await chord.list_contexts() == []


async def test_a_restore_takes_its_turn(stage: Stage) -> None:
    chord = await stage.open(provider=lambda context_id: {"n": 100})
    await chord.set_context("a", {"n": 0})
    commits = await asyncio.gather(
        chord.update_context("a", {"n": 1}),
        chord.restore_context("a"),
        chord.update_context("a", {"m": 1}),
    )
    assert (await chord.get_context("a")).state["n"] == 100
    assert commits[1].position.version == 1
