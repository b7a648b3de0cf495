"""Test the order of writes and their compare-and-set: each race in each order, by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from chord.backends.memory import MemoryBackend
from chord.changes import Append, Increment
from chord.clock import ManualClock
from chord.codec import MsgspecCodec
from chord.contention import LONGEST_PAUSE
from chord.errors import (
    BackendUnavailable,
    ContextNotFound,
    InvalidState,
    OutcomeUnknown,
    OwnedElsewhere,
    VersionConflict,
)
from chord.records import Commit
from chord.state import StateDict
from chord.stateless import StatelessChord
from tests.by_hand import ByHand, Call
from tests.waiting import outcome_of, running, turn, while_time_runs

pytestmark = pytest.mark.anyio

LOST = OutcomeUnknown("there", "the answer was lost")
AWAY = BackendUnavailable("there", "away")

Make: TypeAlias = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(clock: ManualClock) -> MemoryBackend:
    store = MemoryBackend(clock=clock)
    await store.open()
    return store


@pytest.fixture
def line(store: MemoryBackend) -> ByHand:
    return ByHand(store)


@pytest.fixture
def settings(clock: ManualClock) -> dict[str, Any]:
    return {
        "clock": clock,
        "watch_poll": None,
        "commit_attempts": 4,
        "provider": lambda context_id: {"restored": True},
    }


@pytest.fixture
async def here(
    line: ByHand, settings: dict[str, Any], clock: ManualClock
) -> AsyncIterator[StatelessChord]:
    """The runtime under test, on the line that is held up; there is a context `a`."""
    async with StatelessChord(line, **settings) as chord:
        await chord.set_context("a", {"log": []})
        yield chord
        async with running(clock):
            await line.pass_all()
        chord.check()


@pytest.fixture
async def there(store: MemoryBackend, settings: dict[str, Any]) -> AsyncIterator[StatelessChord]:
    """Another process."""
    async with StatelessChord(store, snapshot_every=1, delta_threshold=2, **settings) as chord:
        yield chord
        store.check()


def append(chord: StatelessChord, item: object, **options: Any) -> asyncio.Task[Any]:
    call = chord.update_context("a", {"log": Append([item])}, **options)
    return asyncio.create_task(outcome_of(call))


async def find_log(chord: StatelessChord) -> list[object]:
    log: list[object] = (await chord.get_context("a")).state["log"]
    return log


async def begin(line: ByHand, task: asyncio.Task[Any], *held: str) -> Call:
    """Its commit, which waits; from then on these calls are held up, too."""
    line.hold("commit")
    commit = await line.next("commit")
    line.hold(*held)
    return commit


# -- somebody was faster -------------------------------------------------------------------------


async def test_after_a_conflict_the_turn_starts_again_from_the_store(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    writing = append(here, "here")
    commit = await begin(line, writing)
    await append(there, "there")
    await commit.go()
    assert (await writing).position.version == 3
    assert await find_log(here) == ["there", "here"]
    assert here.statistics()["conflicts"] == 1


async def test_attempts_are_bounded(
    here: StatelessChord, there: StatelessChord, line: ByHand, clock: ManualClock
) -> None:
    writing = append(here, "here")
    for n in range(5):
        line.hold("commit")
        commit = await while_time_runs(clock, line.next("commit"))
        await append(there, n)
        await commit.go()
    error = await writing
    assert isinstance(error, VersionConflict)
    assert error.actual is not None
    assert await find_log(here) == list(range(5))


async def test_further_attempts_wait_a_little_longer_each_time(
    here: StatelessChord,
    there: StatelessChord,
    line: ByHand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longest: list[float] = []

    def shortest(low: float, high: float) -> float:
        longest.append(high)
        return low

    monkeypatch.setattr("random.uniform", shortest)
    writing = append(here, "here")
    for n in range(4):
        commit = await begin(line, writing, "commit")
        await append(there, n)
        await commit.go()
    line.hold()
    await line.pass_all()
    assert (await writing).changed
    assert len(longest) == 3
    assert longest == sorted(set(longest))
    assert longest[-1] <= LONGEST_PAUSE


async def test_what_was_refused_is_refused_only_by_what_the_store_has_now(
    here: StatelessChord, there: StatelessChord
) -> None:
    await there.delete_context("a")
    assert isinstance(await append(here, 1), ContextNotFound)
    await there.set_context("a", {"log": ["new"]})
    assert (await append(here, 1)).position.version == 2


async def test_two_processes_with_one_operation_apply_it_once(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    writing = append(here, "once", op_id="op")
    commit = await begin(line, writing)
    first = await append(there, "once", op_id="op")
    await commit.go()
    assert (await writing).position == first.position
    assert await find_log(here) == ["once"]


async def test_of_a_turn_only_the_repeated_operation_is_left_out(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    first = append(here, 0)
    commit = await begin(line, first, "commit")
    turn_mates = [append(here, 1), append(here, 2, op_id="op"), append(here, 3)]
    await turn()
    await commit.go()
    commit = await line.next("commit")
    line.hold()
    again = await append(there, 2, op_id="op")
    await commit.go()
    results = [await task for task in turn_mates]
    assert results[1].position == again.position
    assert [result.position.version for result in results] == [4, 3, 5]
    assert await find_log(here) == [0, 2, 1, 3]


async def test_a_live_lease_elsewhere_refuses_all_of_a_turn(
    here: StatelessChord, store: MemoryBackend, clock: ManualClock
) -> None:
    await store.acquire("a", "owner", ttl=10.0, address="there:1", fresh_epoch=None)
    for error in await asyncio.gather(append(here, 1), append(here, 2)):
        assert isinstance(error, OwnedElsewhere)
        assert (error.owner, error.address) == ("owner", "there:1")
    clock.advance(11.0)
    assert (await append(here, 3)).changed


# -- nobody knows what became of a commit --------------------------------------------------------


async def test_applied_and_found_it_is_acknowledged(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    await commit.carry_out()
    commit.fail(LOST)
    result = await writing
    assert isinstance(result, Commit)
    assert result.position.version == 2
    assert result.context.state == {"log": [1]}
    assert await find_log(here) == [1]


async def test_applied_and_written_on_it_is_acknowledged(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    await commit.carry_out()
    await append(there, 2)
    commit.fail(LOST)
    assert (await writing).position.version == 2
    assert await find_log(here) == [1, 2]


async def test_lost_it_is_put_again(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    commit.fail(LOST)
    assert (await writing).position.version == 2
    assert await find_log(here) == [1]


async def test_lost_and_overtaken_it_is_drafted_anew(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    await append(there, 2)
    commit.fail(LOST)
    assert (await writing).position.version == 3
    await commit.carry_out()
    assert await find_log(here) == [2, 1]


async def test_late_it_is_found_when_it_is_put_again(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing, "commit")
    commit.fail(LOST)
    again = await line.next("commit")
    await commit.carry_out()
    line.hold()
    await again.go()
    assert (await writing).position.version == 2
    assert await find_log(here) == [1]


async def test_later_still_it_changes_nothing(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    commit.fail(LOST)
    await writing
    await append(here, 2)
    await commit.carry_out()
    assert await find_log(here) == [1, 2]


async def test_where_the_log_no_longer_tells_it_stays_unknown(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    await commit.carry_out()
    for n in range(2, 8):
        await append(there, "x" * 100 + str(n))
    commit.fail(LOST)
    assert isinstance(await writing, OutcomeUnknown)
    assert (await find_log(here)).count(1) == 1


@pytest.mark.parametrize("applied", [True, False])
async def test_deleted_meanwhile_it_stays_unknown(
    here: StatelessChord, there: StatelessChord, line: ByHand, applied: bool
) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    if applied:
        await commit.carry_out()
    await there.delete_context("a")
    commit.fail(LOST)
    assert isinstance(await writing, OutcomeUnknown)
    with pytest.raises(ContextNotFound):
        await here.get_context("a")


@pytest.mark.parametrize("applied", [True, False])
async def test_in_another_life_it_stays_unknown_and_is_not_run_there(
    here: StatelessChord, there: StatelessChord, line: ByHand, applied: bool
) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing)
    if applied:
        await commit.carry_out()
    await there.delete_context("a")
    await there.set_context("a", {"log": []})
    commit.fail(LOST)
    assert isinstance(await writing, OutcomeUnknown)
    assert await find_log(here) == []


async def test_with_the_store_away_it_stays_unknown(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 1)
    commit = await begin(line, writing, "load")
    commit.fail(LOST)
    (await line.next("load")).fail(AWAY)
    assert isinstance(await writing, OutcomeUnknown)
    line.hold()
    assert (await append(here, 2)).changed


async def test_it_is_put_again_three_times_at_most(
    here: StatelessChord, line: ByHand, clock: ManualClock
) -> None:
    writing = append(here, 1)
    line.hold("commit")
    for _ in range(4):
        (await while_time_runs(clock, line.next("commit"))).fail(LOST)
    assert isinstance(await writing, OutcomeUnknown)
    line.hold()
    assert await find_log(here) == []


async def test_all_of_a_turn_share_an_unknown_outcome(here: StatelessChord, line: ByHand) -> None:
    writing = [append(here, n) for n in range(3)]
    commit = await begin(line, writing[0], "load")
    await commit.carry_out()
    commit.fail(LOST)
    (await line.next("load")).fail(AWAY)
    results = await asyncio.gather(*writing)
    assert all(isinstance(result, OutcomeUnknown) for result in results)
    line.hold()
    assert await find_log(here) == [0, 1, 2]


# -- the same, where a life begins or ends -------------------------------------------------------


def create(chord: StatelessChord) -> asyncio.Task[Any]:
    return asyncio.create_task(outcome_of(chord.set_context("b", {"by": "here"})))


async def test_a_creation_that_was_applied_is_acknowledged(
    here: StatelessChord, line: ByHand
) -> None:
    creating = create(here)
    commit = await begin(line, creating)
    await commit.carry_out()
    commit.fail(LOST)
    assert (await creating).position.version == 1
    assert (await here.get_context("b")).state == {"by": "here"}


async def test_a_creation_that_was_not_is_not_put_again_as_it_may_be_late(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    creating = create(here)
    commit = await begin(line, creating)
    commit.fail(LOST)
    assert isinstance(await creating, OutcomeUnknown)
    await commit.carry_out()
    assert (await here.get_context("b")).position.version == 1
    assert await there.delete_context("b")
    with pytest.raises(ContextNotFound):
        await here.get_context("b")


async def test_a_creation_is_known_by_its_epoch_however_far_it_went(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    creating = create(here)
    commit = await begin(line, creating)
    await commit.carry_out()
    for n in range(10):
        await there.update_context("b", {"blob": "x" * 100 + str(n)})
    commit.fail(LOST)
    assert (await creating).position.version == 1
    assert (await here.get_context("b")).position.version == 11


async def test_a_creation_that_another_may_have_overtaken_stays_unknown(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    creating = create(here)
    commit = await begin(line, creating)
    await there.set_context("b", {"by": "there"})
    commit.fail(LOST)
    assert isinstance(await creating, OutcomeUnknown)
    assert (await here.get_context("b")).state == {"by": "there"}


@pytest.mark.parametrize("applied", [True, False])
async def test_a_restore_is_found_or_put_again(
    here: StatelessChord, line: ByHand, applied: bool
) -> None:
    restoring = asyncio.create_task(here.restore_context("a"))
    commit = await begin(line, restoring)
    if applied:
        await commit.carry_out()
    commit.fail(LOST)
    assert (await restoring).position.version == 1
    assert (await here.get_context("a")).state == {"restored": True}


@pytest.mark.parametrize("applied", [True, False])
async def test_a_delete_is_done_or_done_again(
    here: StatelessChord, line: ByHand, applied: bool
) -> None:
    deleting = asyncio.create_task(here.delete_context("a"))
    commit = await begin(line, deleting)
    if applied:
        await commit.carry_out()
    commit.fail(LOST)
    assert await deleting is True
    assert await here.list_contexts() == []


async def test_a_delete_that_expects_stays_unknown_as_another_may_have_done_it(
    here: StatelessChord, line: ByHand
) -> None:
    deleting = asyncio.create_task(outcome_of(here.delete_context("a", expected=1)))
    commit = await begin(line, deleting)
    await commit.carry_out()
    commit.fail(LOST)
    assert isinstance(await deleting, OutcomeUnknown)
    assert await here.list_contexts() == []


async def test_a_delete_that_was_overtaken_is_run_again(
    here: StatelessChord, there: StatelessChord, line: ByHand
) -> None:
    deleting = asyncio.create_task(here.delete_context("a"))
    commit = await begin(line, deleting)
    await append(there, 1)
    commit.fail(LOST)
    assert await deleting is True
    assert await here.list_contexts() == []


@pytest.mark.parametrize("applied", [True, False])
async def test_a_delete_is_not_taken_for_the_end_of_another_life(
    here: StatelessChord, there: StatelessChord, line: ByHand, applied: bool
) -> None:
    deleting = asyncio.create_task(outcome_of(here.delete_context("a")))
    commit = await begin(line, deleting)
    if applied:
        await commit.carry_out()
    else:
        await there.delete_context("a")
    await there.set_context("a", {"log": ["new"]})
    commit.fail(LOST)
    assert isinstance(await deleting, OutcomeUnknown)
    assert await find_log(here) == ["new"]


# -- who waits together --------------------------------------------------------------------------


async def test_what_waits_is_the_next_turn_and_one_commit(
    here: StatelessChord, line: ByHand
) -> None:
    first = append(here, 0)
    commit = await begin(line, first)
    others = [append(here, n) for n in range(1, 10)]
    await turn()
    line.seen.clear()
    await commit.go()
    await asyncio.gather(first, *others)
    assert line.seen == ["commit"]
    assert await find_log(here) == list(range(10))


async def test_contexts_do_not_wait_for_each_other(here: StatelessChord, line: ByHand) -> None:
    writing = append(here, 0)
    commit = await begin(line, writing)
    assert (await here.set_context("b", {})).changed
    assert not writing.done()
    await commit.go()
    assert (await writing).changed


async def test_one_that_is_too_large_fails_alone(
    store: MemoryBackend, settings: dict[str, Any]
) -> None:
    async with StatelessChord(store, max_state_bytes=500, **settings) as chord:
        await chord.set_context("a", {"log": []})
        results = await asyncio.gather(
            append(chord, 1), append(chord, "x" * 600), append(chord, 2, op_id="op")
        )
        assert isinstance(results[1], InvalidState)
        assert [result.position.version for result in (results[0], results[2])] == [2, 3]
        assert await find_log(chord) == [1, 2]


async def test_one_that_makes_the_snapshot_too_large_fails_alone(
    store: MemoryBackend, settings: dict[str, Any]
) -> None:
    async with StatelessChord(store, max_state_bytes=500, **settings) as chord:
        calls = [
            chord.update_context("a", {f"k{n}": "x" * (400 if n == 1 else 60)}, create={})
            for n in range(4)
        ]
        results = await asyncio.gather(*map(outcome_of, calls))
        kept = [n for n, result in enumerate(results) if isinstance(result, Commit)]
        assert len(kept) >= 2
        assert set((await chord.get_context("a")).state) == {f"k{n}" for n in kept}
        assert all(isinstance(result, Commit | InvalidState) for result in results)


class FussyCodec(MsgspecCodec):
    """Raises at a value, as an application's may."""

    def encode_changes(self, changes: Any) -> bytes:
        self._refuse(changes)
        return super().encode_changes(changes)

    def encode_state(self, state: StateDict) -> bytes:
        self._refuse(state)
        return super().encode_state(state)

    def _refuse(self, value: Any) -> None:
        if "bad" in repr(value):
            raise ZeroDivisionError("bad")


async def test_one_that_the_codec_cannot_encode_fails_alone(
    store: MemoryBackend, settings: dict[str, Any]
) -> None:
    async with StatelessChord(store, codec=FussyCodec(), **settings) as chord:
        await chord.set_context("a", {"log": []})
        results = await asyncio.gather(append(chord, 1), append(chord, "bad"), append(chord, 2))
        assert isinstance(results[1], ZeroDivisionError)
        assert await find_log(chord) == [1, 2]
        chord.check()


async def test_a_codec_that_cannot_encode_a_state_leaves_nobody_waiting(
    store: MemoryBackend, settings: dict[str, Any]
) -> None:
    async with StatelessChord(store, codec=FussyCodec(), **settings) as chord:
        calls = [chord.set_context("a", {"n": n}) for n in ("bad", 1)]
        results = await asyncio.gather(*map(outcome_of, calls))
        assert isinstance(results[0], ZeroDivisionError)
        assert (await chord.set_context("a", {"n": 2})).changed
        chord.check()


async def test_an_error_that_is_not_ours_is_told_and_the_next_goes_on(
    here: StatelessChord, line: ByHand
) -> None:
    first = append(here, 1)
    commit = await begin(line, first)
    second = append(here, 2)
    await turn()
    commit.fail(ZeroDivisionError())
    assert isinstance(await first, ZeroDivisionError)
    assert (await second).position.version == 2


async def test_counters_at_the_same_time_count_right(here: StatelessChord) -> None:
    calls = [here.update_context("a", {"n": Increment()}) for _ in range(2500)]
    commits = await asyncio.gather(*calls)
    assert [commit.position.version for commit in commits] == list(range(2, 2502))
    assert (await here.get_context("a")).state["n"] == 2500


async def test_nothing_is_left_behind(here: StatelessChord) -> None:
    await asyncio.gather(*(append(here, n) for n in range(50)))
    statistics = here.statistics()
    assert statistics["waiting"] == statistics["busy"] == 0
