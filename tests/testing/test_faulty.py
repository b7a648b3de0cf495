"""Test the unreliable line to a store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.errors import BackendUnavailable, OutcomeUnknown, VersionConflict
from chord.position import Position
from chord.testing.contract import BackendContract
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_step
from chord.testing.faulty import FaultyBackend, Mode

pytestmark = pytest.mark.anyio

FAR = Position("e1", 2)


class TestFaultyBackendThatNeverFails(BackendContract):
    @pytest.fixture
    async def backend(self, clock: ManualClock) -> AsyncIterator[FaultyBackend]:
        backend = FaultyBackend(MemoryBackend(clock=clock))
        await backend.open()
        yield backend
        await backend.close()


@pytest.fixture
async def inner() -> MemoryBackend:
    backend = MemoryBackend()
    await backend.open()
    await backend.commit(make_birth())
    return backend


async def find_head(backend: MemoryBackend) -> Position | None:
    return (await backend.heads([ROOM])).get(ROOM)


async def test_before_refuses_and_does_nothing(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="before")
    with pytest.raises(BackendUnavailable):
        await faulty.commit(make_step(BORN))
    assert await find_head(inner) == BORN


async def test_after_does_it_and_loses_the_answer(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="after")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(BORN))
    assert await find_head(inner) == FAR


async def test_after_loses_a_refusal_too(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="after")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(FAR))
    assert await find_head(inner) == BORN


async def test_lost_never_does_it(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="lost")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(BORN))
    assert await faulty.heads([ROOM]) == {ROOM: BORN}


async def test_late_does_it_before_the_next_call(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="late")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(BORN))
    assert await find_head(inner) == BORN
    with pytest.raises(VersionConflict):
        await faulty.commit(make_step(BORN))
    assert await find_head(inner) == FAR


async def test_what_comes_of_a_late_call_is_dropped(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="late")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(FAR))
    assert await faulty.heads([ROOM]) == {ROOM: BORN}


async def test_a_late_call_can_be_delivered_alone(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode="late")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(BORN))
    await faulty.deliver()
    assert await find_head(inner) == FAR


@pytest.mark.parametrize("mode", ["before", "after", "lost", "late"])
async def test_a_read_that_fails_is_unavailable(inner: MemoryBackend, mode: Mode) -> None:
    faulty = FaultyBackend(inner, fail_at=1, mode=mode)
    with pytest.raises(BackendUnavailable):
        await faulty.load(ROOM)
    assert await faulty.load(ROOM)


async def test_calls_are_counted_from_one(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at={2, 4})
    outcomes = []
    for _ in range(5):
        try:
            outcomes.append(bool(await faulty.load(ROOM)))
        except BackendUnavailable:
            outcomes.append(False)
    assert outcomes == [True, False, True, False, True]
    assert faulty.count == 5


async def test_only_named_calls_are_counted(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=1, only={"commit"})
    await faulty.load(ROOM)
    with pytest.raises(BackendUnavailable):
        await faulty.commit(make_step(BORN))
    assert faulty.count == 1


async def test_arming_counts_anew(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner)
    await faulty.load(ROOM)
    faulty.arm(1, "lost")
    with pytest.raises(OutcomeUnknown):
        await faulty.commit(make_step(BORN))


async def test_a_healed_line_fails_no_more(inner: MemoryBackend) -> None:
    faulty = FaultyBackend(inner, fail_at=range(100))
    faulty.heal()
    await faulty.commit(make_step(BORN))
    assert await find_head(inner) == FAR
