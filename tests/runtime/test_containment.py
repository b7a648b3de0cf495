"""Show that what an application's own code does wrong stays with the call that it belongs to."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from chord import (
    CorruptData,
    Event,
    Increment,
    MsgspecCodec,
    OutcomeUnknown,
    StatelessChord,
    Summary,
)
from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.testing.faulty import FaultyBackend
from tests.runtime.stage import Runtime, Stage

pytestmark = pytest.mark.anyio

user: contextvars.ContextVar[str] = contextvars.ContextVar("user")


def raise_cancelled(state: object) -> Any:
    raise asyncio.CancelledError


async def test_a_function_that_is_told_of_a_cancellation_fails_alone(chord: Runtime) -> None:
    await chord.set_context("c", {"n": 0})
    results = await asyncio.gather(
        chord.transform_context("c", raise_cancelled),
        chord.update_context("c", {"n": Increment()}),
        return_exceptions=True,
    )
    assert isinstance(results[0], RuntimeError)
    assert (await chord.get_context("c")).state["n"] == 1


async def test_a_function_sees_the_context_variables_of_its_caller(chord: Runtime) -> None:
    await chord.set_context("c", {})
    for name in ("ana", "bo"):
        user.set(name)
        await chord.transform_context("c", lambda state: {"by": user.get()})
        assert (await chord.get_context("c")).state["by"] == name


class Broken(MsgspecCodec):
    """A codec that cannot read what it wrote."""

    def decode_state(self, data: bytes) -> Any:
        raise ValueError("broken")


@pytest.mark.parametrize("end", ["delete", "restore"])
async def test_what_cannot_be_read_can_still_be_ended(stage: Stage, end: str) -> None:
    writer = await stage.open()
    await writer.set_context("c", {"n": 1})
    await stage.let_go(writer, "c")
    chord = await stage.open(codec=Broken(), cache_size=0, provider=lambda context_id: {"n": 2})
    with pytest.raises(CorruptData):
        await chord.get_context("c")
    if end == "delete":
        assert await chord.delete_context("c")
        assert await chord.list_contexts() == []
    else:
        commit = await chord.restore_context("c")
        assert (await writer.get_context("c")).position == commit.position


class Failing:
    def record(self, event: Event) -> None:
        raise OSError("nobody takes note")


async def test_telemetry_that_fails_fails_no_operation(stage: Stage) -> None:
    chord = await stage.open(telemetry=Failing())
    assert (await chord.set_context("c", {})).changed


async def test_an_exporter_that_waits_for_what_is_cancelled_fails_alone(stage: Stage) -> None:
    async def export(context: object) -> None:
        asked = asyncio.get_running_loop().create_future()
        asked.cancel()
        await asked

    chord = await stage.open(context_auto_delete=True, context_ttl=1.0, exporter=export)
    await chord.set_context("c", {})
    stage.clock.advance(2)
    report = await chord.cleanup()
    assert (report.failed, report.expired) == (1, 0)
    assert isinstance((await chord.list_contexts())[0], Summary)


async def test_a_create_that_nobody_can_tell_of_is_not_put_again() -> None:
    """By then another life may have come and gone."""
    backend = MemoryBackend(clock=ManualClock())
    await backend.open()
    faulty = FaultyBackend(backend, fail_at=1, mode="lost", only={"commit"})
    async with StatelessChord(faulty, watch_poll=None) as chord:
        with pytest.raises(OutcomeUnknown):
            await chord.set_context("c", {})
        assert await chord.list_contexts() == []
        assert (await chord.set_context("c", {})).position.version == 1


async def test_a_watch_is_entered_once_and_before_it_is_used(chord: Runtime) -> None:
    await chord.set_context("c", {})
    watch: Any = chord.watch_context("c")
    with pytest.raises(RuntimeError, match="async with"):
        await anext(watch)
    async with watch:
        with pytest.raises(RuntimeError, match="once"):
            await watch.__aenter__()


async def test_a_position_may_be_expected_as_text(chord: Runtime) -> None:
    first = await chord.set_context("c", {})
    assert (await chord.update_context("c", {"n": 1}, expected=str(first.position))).changed
