"""Test what a client is told: each reason, each form of `since`, and that the reply never lies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import Modified
from chord.delta import equal
from chord.errors import InvalidArgument
from chord.history import History
from chord.position import Position
from chord.records import Context, DeltaUpdate, FullContext, NoChange
from chord.replica import Replica
from chord.sync import SMALL, decide, read_since
from chord.testing.strategies import texts
from tests.laws import thorough
from tests.timelines import Timeline, context_of, delta_of, timelines

HEAD = 200


@pytest.fixture
def context() -> Context:
    return context_of({"n": HEAD}, HEAD)


@pytest.fixture
def history() -> History:
    """Versions 51 to 200; version v counts v bytes, and was updated at 1000 + v."""
    history = History(50)
    for version in range(51, HEAD + 1):
        changes = {"n": Modified(version - 1, version)}
        history.append(delta_of(changes, version, at=1000.0 + version), version)
    return history


def reason(context: Context, since: Any, history: History, size: int = 0, **limits: Any) -> str:
    """The reason of a full reply; else the name of the reply's class."""
    match decide(context, read_since(since), history, size, **limits):
        case FullContext(sent, why):
            assert sent is context
            return why
        case reply:
            return type(reply).__name__


# -- reasons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", [None, 0, "0", "000", "k:0", Position("k", 0)])
def test_who_knows_nothing_asked_for_all(context: Context, history: History, since: Any) -> None:
    assert reason(context, since, history) == "requested"


@pytest.mark.parametrize("since", [HEAD, str(HEAD), f"k:{HEAD}", Position("k", HEAD)])
def test_who_knows_the_latest_is_told_so(context: Context, history: History, since: Any) -> None:
    assert decide(context, read_since(since), history, 0) == NoChange(context.position)


@pytest.mark.parametrize("version", [0, 1, HEAD - 1, HEAD, HEAD + 1])
def test_who_knows_another_life_gets_all(context: Context, history: History, version: int) -> None:
    assert reason(context, Position("other", version), history) == "epoch-changed"


@pytest.mark.parametrize("since", [HEAD + 1, f"k:{HEAD + 1}", 10**17, 10**30])
def test_who_knows_more_than_we_do_gets_all(context: Context, history: History, since: Any) -> None:
    assert reason(context, since, history) == "ahead"


@pytest.mark.parametrize("since", [150, "150", "k:150", Position("k", 150)])
def test_who_is_behind_gets_one_delta(context: Context, history: History, since: Any) -> None:
    reply = decide(context, read_since(since), history, 0)
    assert isinstance(reply, DeltaUpdate)
    assert (reply.delta.from_version, reply.delta.position) == (150, context.position)
    assert equal(reply.delta.changes, {"n": Modified(150, HEAD)})


@pytest.mark.parametrize(
    ("since", "threshold", "told"),
    [
        (100, 100, "DeltaUpdate"),
        (99, 100, "compacted"),
        (199, 1, "DeltaUpdate"),
        (198, 1, "compacted"),
        (199, 0, "compacted"),
        (200, 0, "NoChange"),
        (50, 1000, "DeltaUpdate"),
        (49, 1000, "compacted"),
        (1, 1000, "compacted"),
    ],
)
def test_the_threshold_is_exact_however_much_is_remembered(
    context: Context, history: History, since: int, threshold: int, told: str
) -> None:
    assert reason(context, since, history, threshold=threshold) == told


def test_the_threshold_is_100_unless_told(context: Context, history: History) -> None:
    assert reason(context, 100, history) == "DeltaUpdate"
    assert reason(context, 99, history) == "compacted"


@pytest.mark.parametrize(
    ("not_before", "told"),
    [(None, "DeltaUpdate"), (1151.0, "DeltaUpdate"), (1151.5, "compacted")],
)
def test_a_delta_that_is_too_old_is_not_served(
    context: Context, history: History, not_before: float | None, told: str
) -> None:
    assert reason(context, 150, history, not_before=not_before) == told


# Versions 181 to 200 count 3810 bytes together; 179 to 200 count 4169.
@pytest.mark.parametrize(
    ("since", "state_bytes", "told"),
    [
        (180, SMALL + 1, "DeltaUpdate"),
        (178, SMALL, "DeltaUpdate"),
        (178, SMALL + 1, "smaller"),
        (178, 4168, "smaller"),
        (178, 4169, "DeltaUpdate"),
        (150, 0, "DeltaUpdate"),
        (150, SMALL, "DeltaUpdate"),
        (99, SMALL + 1, "compacted"),
    ],
)
def test_a_state_over_4_kb_that_is_smaller_than_its_deltas_is_sent_instead(
    context: Context, history: History, since: int, state_bytes: int, told: str
) -> None:
    assert SMALL == 4096
    assert reason(context, since, history, state_bytes) == told


# -- since ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "read"),
    [
        (None, None),
        (0, None),
        ("0", None),
        (5, 5),
        ("5", 5),
        ("005", 5),
        ("k3f9:41", Position("k3f9", 41)),
        (Position("k3f9", 41), Position("k3f9", 41)),
    ],
)
def test_a_position_a_version_or_nothing_is_read(since: Any, read: Any) -> None:
    assert read_since(since) == read


@pytest.mark.parametrize(
    "since",
    [
        *(-1, -3, "-3", "-0", "+5", "5.0", " 5", "5 ", "²", "1e3", "9" * 19),
        *(True, False, 5.0, 0.0, float("nan"), b"5", [], {}, ("k", 5)),
        *("", "garbage", ":", "k:", ":5", "k:-5", "k:x", "a:b:5", "None", "null"),
    ],
)
def test_anything_else_is_refused(since: Any) -> None:
    with pytest.raises(InvalidArgument, match="since") as caught:
        read_since(since)
    assert isinstance(caught.value, ValueError)


@given(texts(20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = read_since(text)
    except ValueError:
        return
    assert text.lstrip("0") == (str(read) if isinstance(read, int) else "") or text.count(":") == 1


# -- it never lies -------------------------------------------------------------------------------


@thorough
@given(timelines(8), timelines(3), st.data())
def test_a_replica_that_applies_the_reply_equals_the_server(
    timeline: Timeline, elsewhere: Timeline, data: st.DataObject
) -> None:
    client = Replica()
    behind = data.draw(st.integers(timeline.first, timeline.head))
    known = data.draw(
        st.sampled_from(
            [
                None,
                timeline.context(behind),
                context_of(elsewhere.states[-1], timeline.head + 1),
                context_of(elsewhere.states[-1], elsewhere.head, epoch="other"),
            ]
        )
    )
    if known is not None:
        client.receive(FullContext(known, "requested"))
    history = timeline.history(data.draw(st.integers(timeline.first, timeline.head)))
    reply = decide(
        timeline.context(),
        client.since,
        history,
        data.draw(st.sampled_from([0, SMALL, SMALL + 1, 10**6])),
        threshold=data.draw(st.integers(0, 8)),
        not_before=data.draw(st.none() | st.integers(1000, 1010).map(float)),
    )
    assert client.receive(reply) == ("current" if isinstance(reply, NoChange) else "applied")
    assert client.position == timeline.context().position
    assert equal(client.state, timeline.states[-1])
    assert not client.needs_sync
