"""Test when a commit is due, what an error of one means, and what an actor keeps until then."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.behavior import Behavior
from actors.durability import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MAX_UNSTORED,
    MAX_UNSTORED_BYTES,
    Durability,
    Verdict,
    bears,
    find_pause,
    judge,
)
from chord.config import Settings
from chord.errors import (
    BackendUnavailable,
    ChordError,
    CorruptData,
    DuplicateOperation,
    Fenced,
    OutcomeTimeout,
    OutcomeUnknown,
    OwnedElsewhere,
    VersionConflict,
)
from chord.position import Position
from chord.records import Batch, Fence
from chord.requests import Delete, Restore, Set
from chord.state import take_in
from tests.paper import ENTRY, NOW, Paper, count_to, make_journal, put

each_mode = pytest.mark.parametrize("mode", ["write-through", "write-behind", "memory"])


def live_at_three(mode: str, **fields: Any) -> tuple[Durability, Behavior]:
    """A context at version 3, and when it is stored."""
    limits = Settings(durability=mode, **fields)  # type: ignore[arg-type]
    durability = Durability.from_settings(limits)
    live = count_to(3).live
    journal = make_journal(**fields)
    at_once = durability.shows_at_once
    return durability, Behavior("room:1", live, {}, journal, limits, shows_at_once=at_once)


def write(behavior: Behavior, *numbers: int, **fields: Any) -> None:
    for n in numbers:
        behavior.take(put({"n": n}, **fields), NOW, lambda: "fresh")


def compose(behavior: Behavior) -> Batch:
    fence = Fence("us", 1)
    return behavior.compose("c", NOW, fence=fence, lease_ttl=9.0, most=1000, most_bytes=10**6)


# -- what an outcome means -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (BackendUnavailable("memory://", "away"), Verdict.REFUSED),
        (CorruptData("here", "broken"), Verdict.REFUSED),
        (Fenced("a"), Verdict.DISOWNED),
        (OwnedElsewhere("a", "them", ""), Verdict.DISOWNED),
        (VersionConflict("a", Position("k", 1), None), Verdict.DISOWNED),
        (DuplicateOperation("a", "op"), Verdict.DISOWNED),
        (OutcomeUnknown("memory://", "lost"), Verdict.DOUBTFUL),
        (OutcomeTimeout("a"), Verdict.DOUBTFUL),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_says_what_became_of_the_batch(error: ChordError, verdict: Verdict) -> None:
    assert judge(error) is verdict


def test_a_store_bears_the_batch_that_was_the_last_to_change_it() -> None:
    paper = count_to(3)
    batch = paper.run(put({"n": 4}), put({"n": 5}))
    assert bears(paper.load(), batch)


def test_a_store_does_not_bear_a_batch_that_it_never_had() -> None:
    paper = count_to(3)
    before = paper.load()
    assert not bears(before, paper.run(put({"n": 4})))
    assert not bears(None, paper.run(put({"n": 5})))


def test_a_store_does_not_bear_ours_where_another_wrote_that_version() -> None:
    paper = count_to(3)
    batch = paper.run(put({"n": 4}))
    stored = paper.load()
    *rest, last = stored.entries
    entries = (*rest, msgspec.structs.replace(last, commit_id="theirs"))
    assert not bears(attrs.evolve(stored, entries=entries), batch)
    assert not bears(attrs.evolve(stored, entries=()), batch)


def test_a_life_that_the_batch_begins_is_known_by_its_epoch() -> None:
    paper = Paper(make_journal())
    batch = paper.run(Set(state=take_in({"n": 1})))
    assert bears(paper.load(), batch)
    assert bears(attrs.evolve(paper.load(), entries=()), batch)
    assert not bears(attrs.evolve(paper.load(), position=Position("theirs", 1)), batch)


def test_nothing_in_the_store_bears_a_delete() -> None:
    paper = count_to(3)
    before = paper.load()
    batch = paper.run(Delete())
    assert bears(None, batch)
    assert not bears(before, batch)


# -- pauses ----------------------------------------------------------------------------------------


@given(st.integers(1, 10**6), st.floats(0.0, 1.0))
def test_a_pause_is_at_least_half_of_the_longest_for_its_attempt(n: int, chance: float) -> None:
    longest = find_pause(n, 1.0)
    assert longest / 2 <= find_pause(n, chance) <= longest <= LONGEST_PAUSE
    shorter = find_pause(n - 1, 1.0) if n > 1 else FIRST_PAUSE / 2
    assert longest == min(LONGEST_PAUSE, 2 * shorter)


# -- when a commit is due --------------------------------------------------------------------------


@each_mode
def test_nothing_is_due_where_all_is_stored(mode: str) -> None:
    durability, behavior = live_at_three(mode)
    assert not durability.is_due(behavior)
    assert not durability.is_pressing(behavior)


@pytest.mark.parametrize(
    ("mode", "due"), [("write-through", True), ("write-behind", False), ("memory", False)]
)
def test_only_what_is_written_through_is_due_at_once(mode: str, due: bool) -> None:
    durability, behavior = live_at_three(mode)
    write(behavior, 4)
    assert durability.is_due(behavior) is due


@each_mode
def test_the_end_of_a_life_stands_alone_and_is_due_at_once(mode: str) -> None:
    durability, behavior = live_at_three(mode)
    assert behavior.stands_alone(Delete())
    behavior.take(Delete(), NOW, lambda: "fresh")
    assert durability.is_due(behavior)
    assert not behavior.exists
    assert behavior.shown == Position("k", 3)
    behavior.confirm(compose(behavior))
    assert behavior.peek() is None
    assert behavior.is_settled


def test_behind_a_write_it_is_due_by_count_or_by_bytes() -> None:
    for limits in ({"flush_count": 2}, {"flush_bytes": ENTRY + 1}):
        durability, behavior = live_at_three("write-behind", **limits)
        write(behavior, 4)
        assert not durability.is_due(behavior)
        write(behavior, 5)
        assert durability.is_due(behavior)


def test_in_memory_no_number_of_versions_is_due() -> None:
    durability, behavior = live_at_three("memory", flush_count=1, flush_bytes=1)
    write(behavior, *range(4, 20))
    assert not durability.is_due(behavior)


def test_it_is_crowded_when_so_many_versions_or_bytes_are_not_stored() -> None:
    durability, behavior = live_at_three("memory")
    write(behavior, *(n % 2 for n in range(MAX_UNSTORED - 1)))
    assert not durability.is_crowded(behavior)
    write(behavior, 7)
    assert durability.is_crowded(behavior)
    assert durability.is_pressing(behavior)
    durability, behavior = live_at_three("memory")
    behavior.take(put({"text": "x" * MAX_UNSTORED_BYTES}), NOW, lambda: "fresh")
    assert durability.is_crowded(behavior)


# -- what is kept until then -----------------------------------------------------------------------


@each_mode
def test_unstored_bytes_are_what_the_log_is_to_take(mode: str) -> None:
    _, behavior = live_at_three(mode)
    write(behavior, 4, 5, 6)
    assert behavior.unstored_bytes == 3 * ENTRY
    batch = compose(behavior)
    write(behavior, 7)
    behavior.confirm(batch)
    assert behavior.unstored_bytes == ENTRY


def test_what_nobody_would_be_served_is_shed_and_then_skipped() -> None:
    _, behavior = live_at_three("memory", delta_threshold=2)
    write(behavior, *range(4, 10))
    behavior.shed()
    assert (behavior.unstored, behavior.unstored_bytes) == (2, 2 * ENTRY)
    batch = compose(behavior)
    assert batch.expect == Position("k", 3)
    assert [entry.version for entry in batch.entries] == [8, 9]
    assert batch.snapshot is not None
    assert (batch.snapshot.version, batch.trim_to) == (9, 7)


def test_a_remembered_operation_and_what_is_behind_it_is_not_shed() -> None:
    _, behavior = live_at_three("memory", delta_threshold=2)
    write(behavior, 4)
    write(behavior, 5, op_id="a")
    write(behavior, *range(6, 10))
    behavior.shed()
    assert [step.op_id for step in behavior.steps] == ["a", None, None, None, None]


def test_nothing_is_shed_while_it_is_on_its_way() -> None:
    _, behavior = live_at_three("memory", delta_threshold=2)
    write(behavior, *range(4, 10))
    compose(behavior)
    behavior.shed()
    assert behavior.unstored == 6


def test_a_new_life_forgets_the_operations() -> None:
    _, behavior = live_at_three("memory")
    write(behavior, 4, op_id="a")
    behavior.confirm(compose(behavior))
    behavior.take(Restore(state=take_in({})), NOW, lambda: "fresh")
    behavior.confirm(compose(behavior))
    assert behavior.recall_operation("a", 0.0) is None
