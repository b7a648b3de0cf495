"""Test the records: what they know of themselves, and what a commit can still be asked."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from typing import Any

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from chord import records
from chord.changes import Added
from chord.errors import VersionGone
from chord.position import Position
from chord.records import (
    Batch,
    Commit,
    Context,
    ContextDeleted,
    Delta,
    DeltaUpdate,
    Entry,
    Fence,
    FullContext,
    Grant,
    NoChange,
    Operation,
    Report,
    Snapshot,
    Stored,
    Summary,
)

AT = Position("k3f9", 2)
CONTEXT = Context(context_id="room:1", state={"a": 1}, position=AT, updated_at=1000.0)
DELTA = Delta(
    context_id="room:1",
    changes={"a": Added(1)},
    from_version=1,
    version=2,
    epoch="k3f9",
    updated_at=1000.0,
)


class Runtime:
    """Remembers one context, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Position, float]] = []

    def recall(self, context_id: str, position: Position, updated_at: float) -> Context:
        self.asked.append((context_id, position, updated_at))
        return CONTEXT


def commit_of(runtime: Any, **fields: Any) -> Commit:
    values: dict[str, Any] = {"position": AT, "delta": DELTA, "changed": True, "durable": True}
    private = {"_context_id": "room:1", "_updated_at": 1000.0, "_runtime": runtime}
    return Commit(**{**values, **private, **fields})


# -- deltas and replies --------------------------------------------------------------------------


def test_a_delta_leads_to_its_position() -> None:
    assert DELTA.position == AT


@pytest.mark.parametrize(("from_version", "conflated"), [(1, False), (0, True), (-5, True)])
def test_a_delta_over_more_than_one_version_is_conflated(
    from_version: int, conflated: bool
) -> None:
    assert replace(DELTA, from_version=from_version).conflated is conflated


def test_replies_match_by_position() -> None:
    replies = [FullContext(CONTEXT, "ahead"), DeltaUpdate(DELTA), NoChange(AT), ContextDeleted(AT)]
    match replies:
        case [FullContext(context, reason), DeltaUpdate(delta), NoChange(at), ContextDeleted(last)]:
            assert (context, reason, delta, at, last) == (CONTEXT, "ahead", DELTA, AT, AT)
        case _:
            pytest.fail("no match")


def test_each_reply_says_where_a_client_is_then() -> None:
    replies = (FullContext(CONTEXT, "requested"), DeltaUpdate(DELTA), NoChange(AT))
    assert [reply.position for reply in replies] == [AT, AT, AT]


def test_a_report_counts_from_zero() -> None:
    assert attrs.astuple(Report()) == (0, 0, 0, 0, 0)


# -- commits -------------------------------------------------------------------------------------


def test_a_commit_asks_its_runtime_for_its_context_when_it_is_asked() -> None:
    runtime = Runtime()
    commit = commit_of(weakref.ref(runtime))
    assert runtime.asked == []
    assert commit.context is CONTEXT
    assert runtime.asked == [("room:1", AT, 1000.0)]


def test_a_commit_does_not_keep_its_runtime() -> None:
    runtime = Runtime()
    commit = commit_of(weakref.ref(runtime))
    del runtime
    gc.collect()
    with pytest.raises(VersionGone) as caught:
        _ = commit.context
    assert (caught.value.context_id, caught.value.position) == ("room:1", AT)


def test_commits_are_equal_by_what_they_say() -> None:
    one, other = Runtime(), Runtime()
    assert commit_of(weakref.ref(one)) == commit_of(weakref.ref(other), _context_id="b")
    assert commit_of(weakref.ref(one)) != commit_of(weakref.ref(one), durable=False)


def test_a_commit_shows_only_what_it_says() -> None:
    shown = repr(commit_of(lambda: None, delta=None))
    wanted = f"Commit(position={AT!r}, delta=None, changed=True, durable=True)"
    assert shown == wanted


def duplicate_by_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, duplicate_by_pickle])
def test_a_copied_commit_says_the_same_and_has_no_runtime(duplicate: Any) -> None:
    runtime = Runtime()
    commit = commit_of(weakref.ref(runtime))
    made = duplicate(commit)
    assert made == commit
    with pytest.raises(VersionGone) as caught:
        _ = made.context
    assert (caught.value.context_id, caught.value.position) == ("room:1", AT)


# -- all of them ---------------------------------------------------------------------------------

FENCE = Fence("owner", 1)
ENTRY = Entry(version=2, commit_id="c", updated_at=1.0, changes=b"x")
OPERATION = Operation(AT, 1.0)
BATCH = Batch(context_id="a", expect=None, position=AT, updated_at=1.0, entries=(ENTRY,))
STORED = Stored(
    context_id="a",
    position=AT,
    updated_at=1.0,
    floor=0,
    snapshot=Snapshot(1, b"x"),
    entries=(ENTRY,),
    operations={"op": OPERATION},
)
ALL = [
    *(
        CONTEXT,
        DELTA,
        commit_of(lambda: None),
        Summary(context_id="a", position=AT, updated_at=1.0),
    ),
    *(FullContext(CONTEXT, "smaller"), DeltaUpdate(DELTA), NoChange(AT), ContextDeleted(AT)),
    *(Report(expired=1), FENCE, ENTRY, OPERATION, BATCH, STORED, Snapshot(1, b"x")),
    Grant(FENCE, STORED),
]
each_record = pytest.mark.parametrize("record", ALL, ids=lambda each: type(each).__name__)


def is_record(cls: type) -> bool:
    return attrs.has(cls) or issubclass(cls, msgspec.Struct)


def test_every_record_has_an_example() -> None:
    classes = inspect.getmembers(records, inspect.isclass)
    ours = {cls for _, cls in classes if is_record(cls) and cls.__module__ == records.__name__}
    assert {type(record) for record in ALL} == ours


@each_record
def test_a_record_cannot_be_changed(record: Any) -> None:
    name = next(iter(inspect.signature(type(record)).parameters))
    with pytest.raises(AttributeError):
        setattr(record, name, None)


@each_record
def test_a_record_has_no_room_for_more(record: Any) -> None:
    assert not hasattr(record, "__dict__")


@each_record
def test_a_pickled_record_is_equal(record: Any) -> None:
    assert duplicate_by_pickle(record) == record


@pytest.mark.parametrize("cls", [Context, Delta, Commit, Summary, Report, Entry, Batch, Stored])
def test_records_of_many_fields_are_made_by_name(cls: type) -> None:
    parameters = inspect.signature(cls).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
