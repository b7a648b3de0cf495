"""Test the way to the application's hooks: sync or async, none at all, or one that fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chord.archive import fetch, hand_over
from chord.config import Settings
from chord.errors import ConfigurationError, ContextNotFound
from chord.hooks import Exporter, Provider
from chord.position import Position
from chord.records import Context

pytestmark = pytest.mark.anyio

CONTEXT = Context(context_id="a", state={"n": 1}, position=Position("k", 1), updated_at=0.0)


def provide(context_id: str) -> Mapping[str, Any] | None:
    return {"id": context_id}


async def provide_later(context_id: str) -> Mapping[str, Any] | None:
    return {"id": context_id}


def provide_nothing(context_id: str) -> None:
    return None


async def provide_nothing_later(context_id: str) -> None:
    return None


def fail(asked: object) -> None:
    raise OSError("no space")


async def fail_later(asked: object) -> None:
    raise OSError("no space")


# -- the exporter --------------------------------------------------------------------------------


async def test_an_exporter_is_given_the_context() -> None:
    kept: list[Context] = []
    await hand_over(Settings(exporter=kept.append), CONTEXT)
    assert kept == [CONTEXT]


async def test_an_async_exporter_is_waited_for() -> None:
    kept: list[Context] = []

    async def keep(context: Context) -> None:
        kept.append(context)

    await hand_over(Settings(exporter=keep), CONTEXT)
    assert kept == [CONTEXT]


@pytest.mark.parametrize("exporter", [fail, fail_later])
async def test_what_an_exporter_raises_is_raised(exporter: Exporter) -> None:
    with pytest.raises(OSError, match="no space"):
        await hand_over(Settings(exporter=exporter), CONTEXT)


async def test_without_an_exporter_nothing_is_handed_over() -> None:
    with pytest.raises(ConfigurationError, match="exporter"):
        await hand_over(Settings(), CONTEXT)


# -- the provider --------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", [provide, provide_later])
async def test_a_provider_is_asked_for_the_state(provider: Provider) -> None:
    assert await fetch(Settings(provider=provider), "a") == {"id": "a"}


async def test_an_empty_state_is_a_state() -> None:
    assert await fetch(Settings(provider=lambda context_id: {}), "a") == {}


@pytest.mark.parametrize("provider", [provide_nothing, provide_nothing_later])
async def test_what_a_provider_does_not_know_is_not_found(provider: Provider) -> None:
    with pytest.raises(ContextNotFound) as caught:
        await fetch(Settings(provider=provider), "a")
    assert caught.value.context_id == "a"


@pytest.mark.parametrize("provider", [fail, fail_later])
async def test_what_a_provider_raises_is_raised(provider: Provider) -> None:
    with pytest.raises(OSError, match="no space"):
        await fetch(Settings(provider=provider), "a")


async def test_without_a_provider_nothing_is_fetched() -> None:
    with pytest.raises(ConfigurationError, match="provider"):
        await fetch(Settings(), "a")
