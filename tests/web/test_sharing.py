"""Test what is remembered of encoded replies, and for how long."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.web.sharing import OVERHEAD, Frame, Sharing, pack, splice
from chord.web.wire import Current, DeltaMessage, Encoding, Full, ReplyMessage, decode_reply


def make_frame(size: int = 10) -> Frame:
    return Frame("full", "e:1", "x" * size)


def test_what_was_asked_for_before_is_not_made_again() -> None:
    sharing = Sharing(10_000)
    first = sharing.share("key", make_frame)
    assert sharing.share("key", lambda: pytest.fail("made again")) is first
    assert sharing.statistics()["hits"] == 1


def test_other_keys_share_nothing() -> None:
    sharing = Sharing(10_000)
    assert sharing.share("a", make_frame) is not sharing.share("b", make_frame)


def test_no_more_bytes_are_remembered_than_the_limit() -> None:
    sharing = Sharing(3 * (100 + OVERHEAD))
    for key in range(10):
        sharing.share(key, lambda: make_frame(100))
        sharing.check()
    assert len(sharing) == 3
    assert sharing.statistics()["remembered_bytes"] == 3 * (100 + OVERHEAD)


def test_what_was_used_last_is_forgotten_last() -> None:
    sharing = Sharing(2 * (10 + OVERHEAD))
    first = sharing.share("a", make_frame)
    sharing.share("b", make_frame)
    sharing.share("a", make_frame)
    sharing.share("c", make_frame)
    assert sharing.share("a", make_frame) is first


def test_what_takes_all_the_room_is_not_remembered() -> None:
    sharing = Sharing(100 + OVERHEAD)
    sharing.share("small", make_frame)
    sharing.share("large", lambda: make_frame(101))
    assert len(sharing) == 1
    sharing.check()


@pytest.mark.parametrize(("letter", "width"), [("x", 1), ("\u0416", 2), ("\U0001f600", 4)])
def test_a_text_counts_for_the_bytes_that_it_takes(letter: str, width: int) -> None:
    sharing = Sharing(100_000)
    sharing.share("key", lambda: Frame("full", "e:1", letter + "x" * 9_999))
    told = sharing.statistics()["remembered_bytes"]
    assert width * 10_000 <= told - OVERHEAD < width * 10_000 + 100
    sharing.check()


def test_what_could_not_be_made_is_not_remembered() -> None:
    sharing = Sharing(10_000)
    with pytest.raises(ZeroDivisionError):
        sharing.share("key", lambda: Frame("full", "", str(1 / 0)))
    assert len(sharing) == 0
    assert repr(sharing) == "<Sharing 0 of 0 B>"


REPLIES: list[ReplyMessage] = [
    Current(context="a", position="e:1"),
    Full(context="a", position="e:1", state={}, reason="requested"),
    Full(context='"}', position="e:1", state={"a": {"b": [1]}}, reason="ahead", types=[([], "x")]),
    DeltaMessage(context="a", from_="e:1", position="e:2", changes={"a": ["m", {}]}),
]


@pytest.mark.parametrize("encoding", list(Encoding))
@given(reply=st.sampled_from(REPLIES), ref=st.text(max_size=5) | st.integers(-(2**63), 2**64 - 1))
def test_a_ref_is_put_in_as_if_it_had_been_encoded(
    encoding: Encoding, reply: Any, ref: str | int
) -> None:
    whole = msgspec.structs.replace(reply, ref=ref)
    assert decode_reply(splice(pack(reply, encoding), ref), encoding) == whole


def test_without_a_ref_the_frame_is_the_same_object() -> None:
    data = pack(REPLIES[0], Encoding.JSON)
    assert splice(data, None) is data
