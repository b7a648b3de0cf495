"""Test the ring of deltas: no hole, the oldest go first, and what is merged is what is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import Modified
from chord.delta import equal, merge
from chord.history import REMEMBERED, History
from chord.records import Delta
from tests.laws import thorough
from tests.timelines import Timeline, delta_of, timelines


def count(history: History, versions: int, size: int = 10, since: float = 1000.0) -> None:
    """Append so many versions, each of which counts `n` up by one, one second apart."""
    for version in range(history.head + 1, history.head + versions + 1):
        changes = {"n": Modified(version - 1, version)}
        history.append(delta_of(changes, version, at=since + version), size)
        history.check()


@pytest.fixture
def history() -> History:
    """Versions 4 to 8, on the base 3, each updated at 1000 plus its version."""
    history = History(3)
    count(history, 5)
    return history


# -- contiguous ----------------------------------------------------------------------------------


def test_a_new_history_ends_where_it_begins() -> None:
    history = History(7)
    assert (history.base, history.head, len(history)) == (7, 7, 0)


def test_each_delta_leads_on(history: History) -> None:
    assert (history.base, history.head, len(history)) == (3, 8, 5)
    assert repr(history) == "<History 3..8>"


@pytest.mark.parametrize("version", [8, 10, 1, 4])
def test_a_delta_that_does_not_continue_it_is_refused(history: History, version: int) -> None:
    with pytest.raises(ValueError, match="does not continue"):
        history.append(delta_of({}, version), 1)
    assert history.head == 8
    history.check()


@pytest.mark.parametrize(("version", "problem"), [(10, "one delta for each"), (8, "continue")])
def test_a_delta_of_many_versions_or_none_is_refused(
    history: History, version: int, problem: str
) -> None:
    fields: dict[str, Any] = {"context_id": "a", "changes": {}, "epoch": "k", "updated_at": 1.0}
    with pytest.raises(ValueError, match=problem):
        history.append(Delta(from_version=8, version=version, **fields), 1)


def test_a_delta_of_another_life_is_refused(history: History) -> None:
    with pytest.raises(ValueError, match="one epoch"):
        history.append(delta_of({}, 9, epoch="other"), 1)


# -- trimming ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "base"),
    [
        ({}, 3),
        ({"count": 5}, 3),
        ({"count": 2}, 6),
        ({"count": 0}, 8),
        ({"before": 1004.0}, 3),
        ({"before": 1004.5}, 4),
        ({"before": 1006.0}, 5),
        ({"before": 2000.0}, 8),
        ({"size": 50}, 3),
        ({"size": 49}, 4),
        ({"size": 10}, 7),
        ({"size": 9}, 8),
        ({"size": 0}, 8),
        ({"count": 4, "before": 1006.0, "size": 20}, 6),
    ],
)
def test_trimming_drops_the_oldest_alone(
    history: History, limits: dict[str, Any], base: int
) -> None:
    assert history.trim(**limits) == base - 3
    assert (history.base, history.head, len(history)) == (base, 8, 8 - base)
    assert [history.get(version) is not None for version in range(3, 10)] == [
        base < version <= 8 for version in range(3, 10)
    ]
    history.check()


def test_what_was_trimmed_is_told_no_more(history: History) -> None:
    assert history.since(3) is not None
    history.trim(count=2)
    assert history.since(3) is None
    assert history.since(5) is None
    assert history.since(6) is not None


def test_an_old_clock_does_not_hide_what_is_behind_it() -> None:
    history = History(0)
    for version, at in ((1, 1000.0), (2, 900.0), (3, 1100.0)):
        history.append(delta_of({"n": Modified(version, version + 1)}, version, at=at), 1)
    assert history.trim(before=1000.0) == 0


# -- telling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [-1, 0, 2, 8, 9])
def test_what_it_does_not_reach_it_does_not_tell(history: History, version: int) -> None:
    assert history.since(version) is None


def test_one_version_is_told_by_the_delta_itself(history: History) -> None:
    assert history.since(7) is history.get(8)


def test_many_versions_are_told_by_one_conflated_delta(history: History) -> None:
    delta = history.since(5)
    assert delta is not None
    assert (delta.from_version, delta.version, delta.conflated) == (5, 8, True)
    assert (delta.context_id, delta.epoch, delta.updated_at) == ("room:1", "k", 1008.0)
    assert equal(delta.changes, {"n": Modified(5, 8)})


@pytest.mark.parametrize(("not_before", "told"), [(1006.0, True), (1006.5, False), (None, True)])
def test_a_delta_with_too_old_a_part_is_not_told(
    history: History, not_before: float | None, told: bool
) -> None:
    assert (history.since(5, not_before=not_before) is not None) is told


def test_the_same_question_has_the_same_answer(history: History) -> None:
    assert history.since(4) is history.since(4)


def test_an_answer_is_not_kept_when_there_is_more_to_tell(history: History) -> None:
    before = history.since(4)
    count(history, 1)
    after = history.since(4)
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (8, 9)
    assert equal(before.changes, {"n": Modified(4, 8)})
    assert equal(after.changes, {"n": Modified(4, 9)})


def test_it_remembers_a_bounded_number_of_answers() -> None:
    history = History(0)
    count(history, REMEMBERED * 2)
    for version in range(REMEMBERED * 2):
        assert history.since(version) is not None
        history.check()


def test_sizes_add_up(history: History) -> None:
    assert [history.size_since(version) for version in range(3, 9)] == [50, 40, 30, 20, 10, 0]
    history.trim(count=2)
    assert [history.size_since(version) for version in (6, 7, 8)] == [20, 10, 0]


# -- against a list ------------------------------------------------------------------------------

STEPS = st.one_of(
    st.just(("append",)),
    st.tuples(st.just("since"), st.integers(0, 12)),
    st.tuples(st.just("trim"), st.sampled_from(["count", "before", "size"]), st.integers(0, 9)),
)


@thorough
@given(timelines(8), st.lists(STEPS, max_size=30))
def test_it_tells_what_a_list_of_deltas_would(timeline: Timeline, steps: list[Any]) -> None:
    history = History(timeline.first)
    left, kept = list(timeline.deltas), list[tuple[Delta, int]]()
    for step in steps:
        match step:
            case ("append",) if left:
                kept.append((left[0], left[0].version * 7 % 5))
                history.append(*kept[-1])
                del left[0]
            case ("trim", str(limit), int(amount)):
                value = 1000.0 + amount if limit == "before" else amount
                assert history.trim(**{limit: value}) == trim(kept, limit, value)  # type: ignore[arg-type]
            case ("since", int(version)):
                check_since(history, kept, version)
        history.check()
        assert len(history) == len(kept)


def trim(kept: list[tuple[Delta, int]], limit: str, value: float) -> int:
    before = len(kept)
    while kept and (
        (limit == "count" and len(kept) > value)
        or (limit == "before" and kept[0][0].updated_at < value)
        or (limit == "size" and sum(size for _, size in kept) > value)
    ):
        del kept[0]
    return before - len(kept)


def check_since(history: History, kept: list[tuple[Delta, int]], version: int) -> None:
    told = history.since(version)
    tail = [(delta, size) for delta, size in kept if delta.version > version]
    if not tail or tail[0][0].from_version != version:
        assert told is None
        return
    assert told is not None
    assert (told.from_version, told.version) == (version, tail[-1][0].version)
    assert equal(told.changes, merge([delta.changes for delta, _ in tail]))
    assert history.size_since(version) == sum(size for _, size in tail)
