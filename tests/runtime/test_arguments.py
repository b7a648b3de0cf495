"""Test ids, settings, and how errors tell what happened."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from chord import (
    Append,
    BackendUnavailable,
    ChordError,
    ConfigurationError,
    ContextNotFound,
    DeltaUpdate,
    InvalidArgument,
    InvalidContextId,
    NotApplied,
    OutcomeUnknown,
    Settings,
    StatelessChord,
)
from tests.by_hand import ByHand
from tests.runtime.kinds import stateful, stateless
from tests.runtime.stage import Runtime, Stage
from tests.waiting import outcome_of, turn, while_time_runs

pytestmark = pytest.mark.anyio

GOOD_IDS = ["a", "x" * 512, "é" * 256, "\U0001f600" * 128, " ", "a/b:c{d}e%f*g?", "'\"`;--", "\x01"]
BAD_IDS = ["", "\0", "a\0b", "x" * 513, "é" * 257, "\ud800", None, 1, b"a", ("a",)]


@pytest.mark.parametrize("context_id", GOOD_IDS)
async def test_any_such_id_will_do(stage: Stage, chord: Runtime, context_id: str) -> None:
    await chord.set_context(context_id, {"n": 1}, op_id=context_id)
    await chord.update_context(context_id, {"n": 2})
    elsewhere = await stage.open()
    assert (await elsewhere.get_context(context_id)).context_id == context_id
    [summary] = await chord.list_contexts()
    assert summary.context_id == context_id
    again = await chord.set_context(context_id, {"n": 1}, op_id=context_id)
    assert again.position.version == 1
    assert await chord.delete_context(context_id)


@pytest.mark.parametrize("context_id", BAD_IDS)
async def test_no_call_takes_any_other(chord: Runtime, context_id: Any) -> None:
    for call in (
        lambda: chord.set_context(context_id, {}),
        lambda: chord.update_context(context_id, {}, create={}),
        lambda: chord.transform_context(context_id, dict),
        lambda: chord.get_context(context_id),
        lambda: chord.delete_context(context_id),
        lambda: chord.sync_context(context_id),
        lambda: chord.watch_context(context_id).__aenter__(),
        lambda: chord.export_context(context_id),
        lambda: chord.restore_context(context_id),
    ):
        with pytest.raises(InvalidContextId):
            await call()
    assert await chord.list_contexts() == []


async def test_ids_that_look_alike_are_not_the_same(chord: Runtime) -> None:
    ids = ["a", "A", " a", "a ", "é", "e\u0301"]
    for n, context_id in enumerate(ids):
        await chord.set_context(context_id, {"n": n})
    for n, context_id in enumerate(ids):
        assert (await chord.get_context(context_id)).state == {"n": n}


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), True])
async def test_what_is_no_timeout_is_refused(chord: Runtime, timeout: Any) -> None:
    await chord.set_context("a", {})
    for call in (
        chord.set_context("a", {"n": 1}, timeout=timeout),
        chord.update_context("a", {"n": 1}, timeout=timeout),
        chord.transform_context("a", lambda state: {"n": 1}, timeout=timeout),
    ):
        with pytest.raises(InvalidArgument) as caught:
            await call
        assert caught.value.name == "timeout"
    assert (await chord.get_context("a")).state == {}


# -- errors --------------------------------------------------------------------------------------


async def test_a_store_that_is_away_before_a_write_means_not_applied(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    backend.hold("commit")
    writing = stage_write(chord)
    (await backend.next("commit")).fail(BackendUnavailable("there", "away"))
    error = await writing
    assert isinstance(error, NotApplied)
    assert isinstance(error, BackendUnavailable)
    assert error.applied is False
    backend.hold()
    assert (await chord.get_context("a")).state == {"log": []}


async def test_an_unknown_outcome_says_that_it_is(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    backend.hold("commit", "load", "acquire")
    writing = stage_write(chord)
    (await backend.next("commit")).fail(OutcomeUnknown("there", "no answer"))
    error = await while_time_runs(stage.clock, while_away(backend, writing))
    assert isinstance(error, OutcomeUnknown)
    assert not isinstance(error, NotApplied)
    assert error.applied is None


async def while_away(backend: ByHand, writing: asyncio.Task[Any]) -> Any:
    """What a write comes to while nothing that is asked of the store is answered."""
    while not writing.done():
        while backend.calls:
            backend.calls.pop().fail(BackendUnavailable("there", "away"))
        await turn(1)
    return await writing


def stage_write(chord: Runtime) -> Any:
    return asyncio.ensure_future(outcome_of(chord.update_context("a", {"log": Append([1])})))


async def test_a_read_from_a_store_that_is_away_says_so(stage: Stage) -> None:
    there = await stage.open()
    await there.set_context("a", {})
    chord, backend = await stage.open_by_hand()
    await chord.get_context("a")

    for call in (chord.get_context("a"), chord.sync_context("a")):
        backend.hold("load")
        reading = asyncio.ensure_future(outcome_of(call))
        (await backend.next("load")).fail(BackendUnavailable("there", "away"))
        assert isinstance(await reading, BackendUnavailable)
        backend.hold()
    await turn()
    assert (await chord.get_context("a")).state == {}


@stateful
async def test_an_owner_answers_reads_while_the_store_is_away(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    first = await chord.set_context("a", {"n": 1})
    await chord.update_context("a", {"n": 2})
    backend.seen.clear()
    backend.hold("load", "heads", "acquire", "renew")
    assert (await chord.get_context("a")).state == {"n": 2}
    assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)
    assert backend.seen == []


@stateless
async def test_one_that_failed_does_not_hold_up_the_next(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    backend.hold("commit")
    first = stage_write(chord)
    held = await backend.next("commit")
    second = stage_write(chord)
    await turn()
    backend.hold()
    held.fail(BackendUnavailable("there", "away"))
    assert isinstance(await first, BackendUnavailable)
    assert (await second).position.version == 2


@stateful
async def test_what_was_applied_behind_one_that_failed_is_not_applied(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand()
    await chord.set_context("a", {"log": []})
    backend.hold("commit")
    writing = [stage_write(chord)]
    held = await backend.next("commit")
    writing += [stage_write(chord) for _ in range(2)]
    await turn()
    backend.hold()
    held.fail(BackendUnavailable("there", "away"))
    for error in await asyncio.gather(*writing):
        assert isinstance(error, BackendUnavailable)
    assert (await stage_write(chord)).position.version == 2
    assert (await chord.get_context("a")).state == {"log": [1]}


async def test_errors_can_be_pickled(chord: Runtime) -> None:
    error = await outcome_of(chord.get_context("a"))
    assert isinstance(error, ContextNotFound)
    copied = pickle.loads(pickle.dumps(error))
    assert isinstance(copied, ContextNotFound)
    assert copied.context_id == "a"
    assert str(copied) == str(error)
    assert isinstance(error, ChordError)


# -- settings ------------------------------------------------------------------------------------


async def test_fields_may_be_given_by_name(stage: Stage) -> None:
    settings = Settings(clock=stage.clock, delta_threshold=1)
    async with StatelessChord.open("memory://", settings=settings, delta_threshold=2) as chord:
        await chord.set_context("a", {"n": 0})
        commits = [await chord.update_context("a", {"n": n}) for n in range(1, 5)]
        assert commits[1].context.state == {"n": 2}
        replies = [await chord.sync_context("a", version) for version in (3, 2)]
        assert [type(reply).__name__ for reply in replies] == ["DeltaUpdate", "FullContext"]


async def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bogus"):
        async with StatelessChord.open("memory://", bogus=1):
            pytest.fail("opened")


async def test_format_delta_speaks_the_format_of_the_settings(stage: Stage) -> None:
    flat, patch = await stage.open(), await stage.open(formatter="json-patch")
    commit = await flat.set_context("a", {"n": 1})
    assert commit.delta is not None
    assert patch.format_delta(commit.delta) == [{"op": "add", "path": "/n", "value": 1}]
    assert flat.format_delta(commit.delta) != patch.format_delta(commit.delta)


async def test_flush_returns_once_all_is_stored(chord: Runtime) -> None:
    await chord.set_context("a", {"n": 1})
    await chord.flush()
    await chord.flush("a")
    with pytest.raises(InvalidContextId):
        await chord.flush("")
