"""Test the way to the store and back: what is written when, and what is refused of what is read."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chord.changes import Added, Append, Modified
from chord.delta import diff, equal
from chord.errors import CorruptData, InvalidState
from chord.live import Draft, Live
from chord.position import Position
from chord.records import Batch, Entry, Fence, Snapshot, Stored
from chord.requests import Delete, Restore, Set
from chord.state import take_in
from chord.testing.strategies import State, Write, histories
from tests.laws import CODEC, fresh, pack, thorough
from tests.paper import ENTRY, NOW, Paper, count_to, make_journal, put


def check_same(read: Live, live: Live) -> None:
    """What was read is what was in memory."""
    read.check()
    assert equal(read.state, live.state)
    assert (read.position, read.updated_at, read.ended) == (live.position, NOW, live.ended)
    for version in range(read.history.base, live.position.version):
        told, known = read.history.since(version), live.history.since(version)
        assert told is not None
        assert known is not None
        assert replace(told, changes={}) == replace(known, changes={})
        assert equal(told.changes, known.changes)
        assert read.history.size_since(version) == live.history.size_since(version)


# -- written -------------------------------------------------------------------------------------


def test_a_life_begins_with_a_snapshot_and_an_empty_entry() -> None:
    paper = Paper(make_journal())
    batch = paper.run(Set(state=take_in({"n": 1}), op_id="op"))
    entry = Entry(version=1, commit_id="ck:1", updated_at=NOW, changes=b"", op_id="op")
    snapshot = Snapshot(1, CODEC.encode_state(take_in({"n": 1})))
    assert batch == Batch(
        context_id="room:1",
        expect=None,
        position=Position("k", 1),
        updated_at=NOW,
        entries=(entry,),
        snapshot=snapshot,
        forget_operations=True,
        forget_before=NOW - 300.0,
    )


def test_an_update_is_an_entry_alone() -> None:
    batch = count_to(1).run(put({"n": 2}))
    assert batch.snapshot is None
    assert (batch.expect, batch.position) == (Position("k", 1), Position("k", 2))
    assert [entry.changes for entry in batch.entries] == [pack({"n": Modified(1, 2)})]
    assert not batch.forget_operations


def test_only_the_first_entry_of_a_life_is_empty() -> None:
    batch = Paper(make_journal()).run(Set(state=take_in({"n": 1})), put({"n": 2}))
    assert [entry.changes for entry in batch.entries] == [b"", pack({"n": Modified(1, 2)})]
    assert batch.snapshot == Snapshot(2, CODEC.encode_state(take_in({"n": 2})))


def test_what_changed_nothing_is_not_written() -> None:
    batch = count_to(1).run(put({"n": 1}), put({"n": 2}), put({"n": 2}))
    assert [entry.version for entry in batch.entries] == [2]


def test_a_delete_writes_nothing() -> None:
    batch = count_to(3).run(Delete())
    assert (batch.expect, batch.position) == (Position("k", 3), None)
    assert (batch.entries, batch.snapshot, batch.forget_operations) == ((), None, True)


def test_a_restore_forgets_operations_and_an_ended_epoch_does_not() -> None:
    assert count_to(3).run(Restore(state=take_in({})), epoch="fresh").forget_operations
    paper = count_to(3)
    assert paper.live is not None
    paper.live.ended = True
    batch = paper.run(put({"n": 4}), epoch="fresh")
    assert not batch.forget_operations
    assert (batch.position, batch.snapshot is not None) == (Position("fresh", 4), True)
    assert paper.live is not None
    assert not paper.live.ended
    assert paper.live.history.base == 4


def test_a_fence_goes_with_the_batch() -> None:
    draft = Draft("room:1", count_to(1).live)
    draft.take(put({"n": 2}), NOW, "k")
    journal = make_journal()
    batch = journal.compose(draft, [journal.write(draft, "c")], NOW, fence=Fence("me", 1))
    assert batch.fence == Fence("me", 1)


@pytest.mark.parametrize(
    ("size", "every", "due"),
    [
        (0, 4, 5),  # outweighed at once, so due when 4 versions have passed
        (0, 7, 8),
        (10 * ENTRY, 4, 12),  # the log outweighs it with the 11th entry
        (10 * ENTRY, 0, 12),
        (0, 0, 2),
    ],
)
def test_a_snapshot_is_due_when_versions_passed_and_the_log_outweighs_the_last(
    size: int, every: int, due: int
) -> None:
    paper = count_to(1, snapshot_every=every)
    assert paper.live is not None
    paper.live.snapshot_bytes = size
    taken = [version for version in range(2, due + 2) if paper.run(put({"n": version})).snapshot]
    assert taken[0] == due
    assert paper.live.snapshot_version == taken[-1]


def test_after_a_snapshot_the_log_counts_from_zero() -> None:
    paper = count_to(2, snapshot_every=2)
    assert paper.live is not None
    assert paper.live.log_bytes == ENTRY
    assert paper.run(put({"n": 3})).snapshot is not None
    assert paper.live.log_bytes == 0
    paper.run(put({"n": 4}))
    assert paper.live.log_bytes == ENTRY


@pytest.mark.parametrize(("threshold", "trim_to"), [(3, 7), (100, 0), (0, 10)])
def test_a_snapshot_cuts_the_log_but_for_what_is_served(threshold: int, trim_to: int) -> None:
    paper = count_to(9, delta_threshold=threshold, snapshot_every=9)
    assert paper.run(put({"n": 10})).trim_to == trim_to
    assert paper.load().snapshot is not None
    assert [entry.version for entry in paper.load().entries] == list(range(trim_to + 1, 11))


def test_without_a_snapshot_nothing_is_cut() -> None:
    assert count_to(9, delta_threshold=1).run(put({"n": 10})).trim_to == 0


@pytest.mark.parametrize("size", [200, 2000])
def test_a_state_that_is_too_large_is_refused(size: int) -> None:
    paper = count_to(1, max_state_bytes=150)
    with pytest.raises(InvalidState, match="max_state_bytes is 150"):
        paper.run(Set(state=take_in({"s": "x" * size})))
    with pytest.raises(InvalidState, match="max_state_bytes is 150"):
        Paper(paper.journal).run(Set(state=take_in({"s": "x" * size})))


def test_a_log_that_may_hide_a_state_too_large_makes_a_snapshot_due() -> None:
    paper = count_to(1, max_state_bytes=150, snapshot_every=1000)
    written = [paper.run(put({"n": 10**n})) for n in range(1, 15)]
    assert any(batch.snapshot for batch in written)


def test_a_state_that_grows_too_large_piece_by_piece_is_refused() -> None:
    paper = count_to(1, max_state_bytes=150, snapshot_every=1000)
    grow = put({"log": Append(["x"] * 10)})
    with pytest.raises(InvalidState, match="max_state_bytes"):
        paper.run(*[grow] * 20)


def test_a_reader_that_was_faster_is_not_overtaken() -> None:
    paper = count_to(2)
    draft = Draft("room:1", paper.live)
    draft.take(put({"n": 3}), NOW, "k")
    written = [paper.journal.write(draft, "c")]
    batch = paper.journal.compose(draft, written, NOW)
    paper.run(put({"n": 3}))
    assert paper.live is not None
    assert paper.journal.advance(draft, batch, written) is paper.live
    paper.live.check()
    assert paper.live.position == Position("k", 3)


# -- read ----------------------------------------------------------------------------------------


@thorough
@given(
    histories(6),
    st.lists(st.integers(1, 3), min_size=6, max_size=6),
    st.sampled_from([0, 1, 2, 100]),
    st.sampled_from([0, 2, 64]),
    st.integers(0, 5),
)
def test_what_is_read_is_what_was_written(
    history: tuple[State, list[Write]],
    sizes: list[int],
    threshold: int,
    every: int,
    seen: int,
) -> None:
    first, writes = history
    journal = make_journal(delta_threshold=threshold, snapshot_every=every)
    paper = Paper(journal)
    paper.run(Set(state=take_in(first)))
    reader = journal.recover(paper.load())
    for size in sizes:
        paper.try_to_run(*(put(write) for write in writes[:size]))
        del writes[:size]
        assert paper.live is not None
        check_same(journal.recover(paper.load()), paper.live)
        assert len(paper.live.history) <= threshold
        if seen := seen - 1:
            if paper.reaches(reader.position):
                journal.extend(reader, paper.load_after(reader.position))
            else:
                reader = journal.recover(paper.load())
            check_same(reader, paper.live)


def test_a_recovered_context_counts_snapshot_and_log_apart() -> None:
    live = make_journal().recover(count_to(5).load())
    assert live.snapshot_version == 1
    assert live.snapshot_bytes == len(CODEC.encode_state(take_in({"n": 1})))
    assert live.log_bytes == 4 * ENTRY


@pytest.mark.parametrize(("floor", "base"), [(1, 1), (3, 3), (5, 5)])
def test_nothing_up_to_the_floor_is_served(floor: int, base: int) -> None:
    live = make_journal().recover(attrs.evolve(count_to(5).load(), floor=floor))
    assert (live.history.base, live.state) == (base, {"n": 5})
    live.check()


@pytest.mark.parametrize(("threshold", "base"), [(0, 5), (2, 3), (4, 1), (9, 1)])
def test_no_more_than_the_threshold_is_kept(threshold: int, base: int) -> None:
    live = make_journal(delta_threshold=threshold).recover(count_to(5).load())
    assert live.history.base == base
    live.check()


def test_entries_behind_the_snapshot_are_history() -> None:
    paper = count_to(5)
    snapshot = Snapshot(4, CODEC.encode_state(take_in({"n": 4})))
    live = make_journal().recover(attrs.evolve(paper.load(), snapshot=snapshot))
    assert (live.state, live.history.base, live.log_bytes) == ({"n": 5}, 1, ENTRY)


def test_an_unclean_end_is_not_continued() -> None:
    stored = attrs.evolve(count_to(5).load(), unclean=True)
    live = make_journal().recover(stored)
    assert live.ended
    paper = Paper(make_journal())
    paper.live, paper.stored = live, stored
    assert paper.run(put({"n": 6}), epoch="fresh").position == Position("fresh", 6)


def test_a_load_of_what_is_known_already_changes_nothing() -> None:
    paper = count_to(5)
    live = paper.journal.recover(paper.load())
    paper.journal.extend(live, paper.load_after(Position("k", 3)))
    paper.journal.extend(live, paper.load_after(Position("k", 5)))
    assert paper.live is not None
    check_same(live, paper.live)


# -- refused -------------------------------------------------------------------------------------

STORED = count_to(5).load()
BEGUN = CODEC.encode_state(take_in({"n": 1}))


def without(version: int, stored: Stored = STORED) -> Stored:
    entries = tuple(entry for entry in stored.entries if entry.version != version)
    return attrs.evolve(stored, entries=entries)


def damaged(version: int, changes: bytes, stored: Stored = STORED) -> Stored:
    entries = tuple(
        replace(entry, changes=changes) if entry.version == version else entry
        for entry in stored.entries
    )
    return attrs.evolve(stored, entries=entries)


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (attrs.evolve(STORED, snapshot=None), "no snapshot"),
        (attrs.evolve(STORED, snapshot=Snapshot(1, b"\x01\xc1")), "not readable"),
        (attrs.evolve(STORED, snapshot=Snapshot(1, b"")), "format"),
        (attrs.evolve(STORED, snapshot=Snapshot(6, BEGUN)), "does not meet"),
        (attrs.evolve(STORED, snapshot=Snapshot(5, b"\x02")), "format"),
        (attrs.evolve(STORED, entries=()), "does not meet"),
        (attrs.evolve(STORED, entries=STORED.entries[2:]), "does not meet"),
        (attrs.evolve(STORED, entries=STORED.entries[:4]), "hole"),
        (attrs.evolve(STORED, entries=STORED.entries[::-1]), "hole"),
        (attrs.evolve(STORED, entries=STORED.entries * 2), "hole"),
        (attrs.evolve(STORED, position=Position("k", 6)), "hole"),
        (without(3), "hole"),
        (without(5), "hole"),
        (damaged(3, b""), "format"),
        (damaged(3, b"\x01\xc1"), "not readable"),
        (damaged(3, pack({"m": Modified(1, 2)})), "there is nothing"),
        (damaged(5, pack({"n": Added(5)})), "there already"),
    ],
)
def test_a_load_that_cannot_be_right_is_corrupt(stored: Stored, problem: str) -> None:
    with pytest.raises(CorruptData, match=problem) as caught:
        make_journal().recover(stored)
    assert caught.value.where == "context 'room:1'"


@pytest.mark.parametrize(
    "stored",
    [
        without(4),
        without(5),
        damaged(4, b""),
        damaged(5, b"\x01\xc1"),
        damaged(5, pack({"n": Added(1)})),
    ],
)
def test_what_cannot_be_right_does_not_hurt_what_is_known(stored: Stored) -> None:
    journal = make_journal()
    live = journal.recover(count_to(3).load())
    before = fresh(live.state), live.position, live.log_bytes, len(live.history)
    with pytest.raises(CorruptData):
        journal.extend(live, attrs.evolve(stored, snapshot=None))
    assert equal(live.state, before[0])
    assert (live.position, live.log_bytes, len(live.history)) == before[1:]
    live.check()
    journal.extend(live, attrs.evolve(STORED, snapshot=None))
    assert not diff(live.state, {"n": 5})
