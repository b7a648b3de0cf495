"""Test what a principal is told who knows something already, and what that costs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chord.errors import ContextNotFound, InvalidArgument
from chord.stateless import StatelessChord
from chord.web.desk import Desk
from chord.web.faults import Forbidden
from chord.web.gate import Gate, Hooks, Permit
from chord.web.limits import Limits
from chord.web.wire import Encoding
from tests.web.cards import GAME, SECRET, see

pytestmark = pytest.mark.anyio

ANA = Permit("ana", "game", frozenset({"read"}))
BO = Permit("bo", "game", frozenset({"read"}))


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("game", GAME)
        yield chord


def make_desk(chord: Any, **hooks: Any) -> Desk:
    return Desk(chord, Gate(Hooks(**({"project": see} | hooks))), Limits())


async def tell(desk: Desk, since: str | None, permit: Permit = ANA) -> dict[str, Any]:
    """What a sync tells."""
    frame = await desk.reading.sync(permit, since, Encoding.JSON)
    message: dict[str, Any] = json.loads(frame.data)
    assert (frame.kind, frame.position) == (message["type"], message["position"])
    return message


async def test_who_knows_nothing_gets_all(chord: StatelessChord) -> None:
    full = await tell(make_desk(chord), None)
    assert (full["reason"], full["state"]) == ("requested", see(GAME, "ana"))


async def test_who_knows_all_is_told_so(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    here = (await tell(desk, None))["position"]
    assert await tell(desk, here) == {"type": "current", "context": "game", "position": here}


async def test_who_knows_something_is_told_the_rest(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    here = (await tell(desk, None))["position"]
    await chord.update_context("game", {"table": {"turn": "bo"}, "deck": []})
    assert (await tell(desk, here))["changes"] == {"table": {"turn": ["m", "bo"]}}


async def test_why_all_is_told_is_told(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    here = (await tell(desk, None))["position"]
    place, _, tag = here.partition("~")
    epoch, _, version = place.partition(":")
    reasons = {
        known: (await tell(desk, known)).get("reason")
        for known in (
            f"other:{version}~{tag}",
            f"{epoch}:{int(version) + 1}~{tag}",
            f"{epoch}:{version}~other",
            f"{epoch}:{version}",
        )
    }
    assert list(reasons.values()) == ["epoch-changed", "ahead", "ahead", "ahead"]
    assert (await tell(make_desk(chord), here))["reason"] == "ahead"


async def test_what_is_not_remembered_is_told_whole(chord: StatelessChord) -> None:
    desk = Desk(chord, Gate(Hooks(project=see)), Limits(remembered_views=1))
    here = (await tell(desk, None))["position"]
    await chord.update_context("game", {"table": {"turn": "bo"}})
    await tell(desk, None)
    assert (await tell(desk, here))["reason"] == "compacted"


async def test_who_changes_sides_while_they_ask_is_told_whole(chord: StatelessChord) -> None:
    roles = {"ana": "ana", "bo": "bo"}

    def project(state: Any, who: Any) -> dict[str, Any]:
        return see(state, roles[who])

    class Slow:
        """A runtime that is slow enough for somebody to change sides."""

        async def get_context(self, context_id: str) -> Any:
            roles["ana"] = side
            return await chord.get_context(context_id)

    side = "ana"
    desk = make_desk(Slow(), project=project, view_key=roles.__getitem__)
    here = (await tell(desk, None))["position"]
    await tell(desk, None, BO)
    side = "bo"
    told = await tell(desk, here)
    assert (told["type"], told["state"]) == ("full", see(GAME, "bo"))


async def test_what_is_hidden_is_in_no_frame_of_either_encoding(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    for encoding in Encoding:
        frame = await desk.reading.sync(ANA, None, encoding)
        assert SECRET not in str(frame.data)
        assert SECRET in str((await desk.reading.sync(BO, None, encoding)).data)


async def test_a_state_is_read_where_it_was_first_seen_so(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    first = await desk.reading.get(ANA)
    await chord.update_context("game", {"deck": []})
    assert await desk.reading.get(ANA) == first


async def test_those_who_ask_the_same_are_given_the_same_bytes(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    first = await desk.reading.sync(ANA, None, Encoding.JSON)
    async with desk.reading.watch(ANA, None, 0.0, Encoding.JSON) as frames:
        assert await anext(frames) is first


async def test_a_crowd_is_told_one_frame_in_each_encoding(chord: StatelessChord) -> None:
    desk = make_desk(chord, project=None)
    encodings = [Encoding.JSON, Encoding.MSGPACK, Encoding.JSON, Encoding.MSGPACK]
    async with AsyncExitStack() as stack:
        watches = [
            await stack.enter_async_context(desk.reading.watch(ANA, None, 0.0, each))
            for each in encodings
        ]
        for watch in watches:
            await anext(watch)
        await chord.update_context("game", {"deck": []})
        frames = [await anext(watch) for watch in watches]
    assert frames[0] is frames[2]
    assert frames[1] is frames[3]
    assert [type(frame.data) for frame in frames[:2]] == [str, bytes]


async def test_nothing_is_read_without_a_permit(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    writer = Permit("ana", "game", frozenset({"write"}))
    with pytest.raises(Forbidden):
        await desk.reading.get(writer)
    with pytest.raises(Forbidden):
        await desk.reading.sync(writer, None, Encoding.JSON)
    with pytest.raises(Forbidden):
        async with desk.reading.watch(writer, None, 0.0, Encoding.JSON):
            pass


@pytest.mark.parametrize("hooks", [{}, {"project": None}])
async def test_what_is_no_position_is_refused(chord: StatelessChord, hooks: Any) -> None:
    desk = make_desk(chord, **hooks)
    for since in ("41", "", "here"):
        with pytest.raises(InvalidArgument, match="since"):
            await tell(desk, since)


async def test_where_nothing_is_hidden_a_position_of_a_view_is_no_help(
    chord: StatelessChord,
) -> None:
    here = (await tell(make_desk(chord), None))["position"]
    assert (await tell(make_desk(chord, project=None), here))["reason"] == "requested"


async def test_a_context_that_is_not_there_is_not_found(chord: StatelessChord) -> None:
    nowhere = Permit("ana", "nowhere", frozenset({"read"}))
    with pytest.raises(ContextNotFound):
        await make_desk(chord).reading.get(nowhere)
