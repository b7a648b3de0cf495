"""Test the streams of events: what is told, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chord import Chord, ManualClock, StatelessChord
from chord.web.door import Door
from chord.web.limits import Limits
from tests.waiting import turn, until
from tests.web.cards import GAME, SECRET, make_door, read_name
from tests.web.host import host
from tests.web.listener import listen, parse

pytestmark = pytest.mark.anyio

ROOM = "room/1"
STATE: dict[str, Any] = {"topic": "standup", "n": 0}


@pytest.fixture
async def chord() -> AsyncIterator[Chord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context(ROOM, STATE)
        yield chord


@pytest.fixture
def door(chord: Chord) -> Door:
    return Door(chord, open_to_all=True)


def guard(chord: Chord, allowed: set[str], **options: Any) -> Door:
    """A door for those who are in `allowed` now."""
    return Door(
        chord,
        authenticate=read_name,
        authorize=lambda principal, action, context_id: principal in allowed,
        **options,
    )


def connections(door: Door) -> int:
    count: int = door.statistics()["connections"]
    return count


# -- what is told --------------------------------------------------------------------------------


async def test_first_the_state_is_told_then_each_change(chord: Chord, door: Door) -> None:
    first = str((await chord.get_context(ROOM)).position)
    async with listen(door) as listener:
        full = await listener.hear()
        last = str((await chord.update_context(ROOM, {"n": 1})).position)
        delta = await listener.hear()
    assert (full.name, full.position) == ("full", first)
    assert (full.data["state"], full.data["reason"]) == (STATE, "requested")
    assert (delta.name, delta.position, delta.data["from"]) == ("delta", last, first)
    assert delta.data["changes"] == {"n": ["m", 1]}
    assert full.data["type"] == full.name


async def test_no_proxy_is_to_keep_it(door: Door) -> None:
    async with listen(door) as listener:
        await listener.hear()
    assert listener.status == 200
    assert listener.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert listener.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("way", ["last", "since"])
async def test_who_comes_back_is_told_what_is_lacking(chord: Chord, door: Door, way: str) -> None:
    known = str((await chord.get_context(ROOM)).position)
    await chord.update_context(ROOM, {"n": 1})
    last, since = (known, None) if way == "last" else (None, known)
    async with listen(door, last=last, since=since) as listener:
        told = await listener.hear()
    assert (told.name, told.data["from"]) == ("delta", known)


async def test_a_browser_that_comes_back_says_the_later_position(chord: Chord, door: Door) -> None:
    first = str((await chord.get_context(ROOM)).position)
    last = str((await chord.update_context(ROOM, {"n": 1})).position)
    async with listen(door, since=first, last=last) as listener:
        assert (await listener.hear()).name == "current"


async def test_a_stream_ends_with_its_context(chord: Chord, door: Door) -> None:
    async with listen(door) as listener:
        full = await listener.hear()
        await chord.delete_context(ROOM)
        assert await listener.hear_end() == "deleted"
    assert listener.events[-1].position == full.position
    async with listen(door) as again:
        await again.wait_for(lambda: again.ended)
    assert again.status == 404


@pytest.mark.parametrize(
    ("context_id", "since", "status"), [("nowhere", None, 404), (ROOM, "0", 400), (ROOM, "x", 400)]
)
async def test_what_cannot_be_told_is_a_problem(
    door: Door, context_id: str, since: str | None, status: int
) -> None:
    async with listen(door, context_id=context_id, since=since) as listener:
        await listener.wait_for(lambda: listener.ended)
    assert listener.status == status
    assert listener.headers["content-type"] == "application/problem+json"


async def test_a_head_is_told_no_events(door: Door) -> None:
    async with listen(door, method="HEAD") as listener:
        await listener.wait_for(lambda: listener.ended)
    assert (listener.status, listener.text) == (200, "")
    assert listener.headers["content-type"].startswith("text/event-stream")


async def test_all_who_are_at_one_position_cost_one_encoding(chord: Chord, door: Door) -> None:
    async with listen(door) as one, listen(door) as two:
        await one.hear()
        await two.hear()
        before = door.statistics()["encodings"]
        await chord.update_context(ROOM, {"n": 1})
        assert (await one.hear()).data == (await two.hear()).data
    assert door.statistics()["encodings"] == before + 1


# -- views ---------------------------------------------------------------------------------------


async def test_what_is_hidden_is_never_told(chord: Chord) -> None:
    await chord.set_context("game", GAME)
    async with listen(make_door(chord), "ana", "game") as listener:
        await listener.hear()
        await chord.update_context("game", {"deck": [SECRET], "hands": {"bo": {"3": SECRET}}})
        await chord.update_context("game", {"table": {"turn": "bo"}})
        told = await listener.hear()
    assert told.data["changes"] == {"table": {"turn": ["m", "bo"]}}
    assert SECRET not in listener.text


async def test_who_comes_back_with_the_position_of_another_view_is_told_all(chord: Chord) -> None:
    await chord.set_context("game", GAME)
    door = make_door(chord)
    async with listen(door, "bo", "game") as bo:
        his = (await bo.hear()).position
    async with listen(door, "ana", "game", last=his) as ana:
        assert (await ana.hear()).name == "full"
    assert SECRET not in ana.text


async def test_a_stream_in_a_view_that_is_another_by_now_ends(chord: Chord) -> None:
    roles = {"ana": "player"}
    await chord.set_context("game", GAME)
    door = make_door(chord, view_key=lambda player: (player, roles[player]))
    async with listen(door, "ana", "game") as listener:
        await listener.hear()
        roles["ana"] = "dealer"
        await door.recheck()
        assert await listener.hear_end() == "full"


# -- how they end --------------------------------------------------------------------------------


async def test_what_is_refused_now_ends(chord: Chord) -> None:
    allowed = {"ana", "bo"}
    door = guard(chord, allowed)
    async with listen(door, "ana") as ana, listen(door, "bo") as bo:
        await ana.hear()
        await bo.hear()
        allowed.remove("ana")
        await door.recheck()
        assert await ana.hear_end() == "error"
        assert ana.events[-1].data["code"] == "forbidden"
        await chord.update_context(ROOM, {"n": 1})
        assert (await bo.hear()).name == "delta"
    assert ana.events[-1].position is None


async def test_nothing_is_told_once_it_is_refused(chord: Chord) -> None:
    allowed = {"ana"}
    door = guard(chord, allowed)
    async with listen(door, "ana") as ana:
        await ana.hear()
        allowed.clear()
        await door.recheck()
        await chord.update_context(ROOM, {"n": 1})
        await ana.hear_end()
    assert [event.name for event in ana.events] == ["full", "error"]


async def test_what_is_refused_while_it_is_asked_for_does_not_begin(chord: Chord) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    allowed = {"ana"}

    async def authorize(principal: Any, action: str, context_id: str) -> bool:
        answer = principal in allowed
        if not asked.is_set():
            asked.set()
            await answered.wait()
        return answer

    door = Door(chord, authenticate=read_name, authorize=authorize)
    async with listen(door) as listener:
        await asked.wait()
        allowed.clear()
        await door.recheck()
        answered.set()
        await listener.wait_for(lambda: listener.ended)
    assert listener.status == 403


async def test_a_principal_can_be_disconnected(chord: Chord) -> None:
    door = guard(chord, {"ana", "bo"})
    async with listen(door, "ana") as ana, listen(door, "bo") as bo:
        await ana.hear()
        await bo.hear()
        await door.disconnect("ana")
        await ana.hear_end()
        assert not bo.ended


async def test_a_door_that_closes_ends_them(door: Door) -> None:
    async with listen(door) as listener:
        await listener.hear()
        door.close()
        assert await listener.hear_end() == "error"
    assert listener.events[-1].data["code"] == "closing"


async def test_a_door_that_is_closed_begins_none(door: Door) -> None:
    door.close()
    async with listen(door) as listener:
        await listener.wait_for(lambda: listener.ended)
    assert listener.status == 503


async def test_a_runtime_that_closes_ends_them() -> None:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context(ROOM, STATE)
        door = Door(chord, open_to_all=True)
        listening = listen(door)
        listener = await listening.__aenter__()
        await listener.hear()
    assert await listener.hear_end() == "error"
    assert listener.events[-1].data["code"] == "closing"
    await listening.__aexit__(None, None, None)


async def test_a_principal_has_so_many_and_no_more(chord: Chord) -> None:
    door = guard(chord, {"ana", "bo"}, limits=Limits(max_sockets=1))
    async with listen(door, "ana") as first, listen(door, "bo") as other:
        await first.hear()
        await other.hear()
        async with listen(door, "ana") as second:
            await second.wait_for(lambda: second.ended)
    assert second.status == 429
    assert "retry-after" in second.headers
    async with listen(door, "ana") as third:
        assert (await third.hear()).name == "full"


async def test_who_hangs_up_leaves_nothing_behind(chord: Chord, door: Door) -> None:
    async with listen(door) as listener:
        await listener.hear()
        assert connections(door) == 1
    assert connections(door) == 0
    assert chord.statistics()["watchers"] == 0
    door.check()


# -- slow and dead peers -------------------------------------------------------------------------


async def test_a_comment_each_heartbeat_keeps_the_line_open(chord: Chord) -> None:
    clock = ManualClock()
    door = Door(chord, open_to_all=True, clock=clock, limits=Limits(heartbeat=20))
    async with listen(door) as listener:
        await listener.hear()
        await until(lambda: clock.pending())
        for count in (1, 2, 3):
            clock.advance(20)
            await listener.wait_for(lambda count=count: listener.comments == count)
            await until(lambda: clock.pending())
    assert len(listener.events) == 1


async def test_who_reads_slowly_is_told_in_one_what_happened_meanwhile(
    chord: Chord, door: Door
) -> None:
    async with listen(door) as listener:
        await listener.hear()
        listener.reads.clear()
        for number in range(1, 51):
            await chord.update_context(ROOM, {"n": number})
            await turn()
        listener.reads.set()
        first, second = await listener.hear(), await listener.hear()
        await turn()
    assert first.data["changes"] == {"n": ["m", 1]}
    assert second.data["changes"] == {"n": ["m", 50]}
    assert len(listener.events) == 3


async def test_who_takes_nothing_for_two_heartbeats_is_taken_for_dead(chord: Chord) -> None:
    clock = ManualClock()
    door = Door(chord, open_to_all=True, clock=clock, limits=Limits(heartbeat=20))
    async with listen(door) as listener:
        await listener.hear()
        listener.reads.clear()
        await chord.update_context(ROOM, {"n": 1})
        await turn()
        for _ in range(2):
            await until(lambda: clock.pending())
            clock.advance(20)
            await turn()
        await until(lambda: connections(door) == 0)


# -- over a real server --------------------------------------------------------------------------


async def test_a_client_of_a_real_server_comes_back_where_it_was(chord: Chord, door: Door) -> None:
    async with host(door) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        path = "/contexts/room%2F1/events"
        async with client.stream("GET", path) as answer:
            lines = answer.aiter_lines()
            (full,) = parse("\n".join([await anext(lines) for _ in range(4)]))
        await until(lambda: connections(door) == 0)
        await chord.update_context(ROOM, {"n": 1})
        headers = {"last-event-id": full.position or ""}
        async with client.stream("GET", path, headers=headers) as answer:
            lines = answer.aiter_lines()
            (delta,) = parse("\n".join([await anext(lines) for _ in range(4)]))
    assert (full.name, delta.name) == ("full", "delta")
    assert delta.data["from"] == full.position


async def test_a_server_that_goes_away_ends_the_streams(door: Door) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        hosting = host(door)
        url = await hosting.__aenter__()
        async with client.stream("GET", f"{url}/contexts/room%2F1/events") as answer:
            text = answer.aiter_text()
            told = await anext(text)
            await hosting.__aexit__(None, None, None)
            told += "".join([part async for part in text])
    assert [event.name for event in parse(told)] == ["full", "error"]
