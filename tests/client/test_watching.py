"""Test what a client watches: it is told of every change, and mends what was lost by itself."""

from __future__ import annotations

import pytest

from chord.changes import Added, Modified, Removed, Spliced
from chord.client import Forbidden
from chord.client.client import Client
from chord.client.room import Change, Room
from chord.clock import ManualClock
from chord.errors import ContextNotFound
from chord.web.leaves import WireError
from chord.web.wire import Current, Deleted, Encoding, Fault, Full, Ping, Pong, Unwatch, Watch
from tests.client.script import (
    HEARTBEAT,
    Line,
    Script,
    client_of,
    delta,
    full,
    pass_pause,
    scripted,
    soon,
)
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio


async def watching(client: Client, script: Script, **state: object) -> tuple[Line, Room]:
    """A room that was told its first state; it is never left."""
    entering = soon(client.watch("room:1").__aenter__())
    line = await script.accept()
    await line.begin("k:1", **state)
    room = await entering
    assert isinstance(room, Room)
    return line, room


def fault(code: str, ref: str | int | None = None, retry_after: float | None = None) -> Fault:
    return Fault(
        code=code,
        message=code,
        applied=False,
        context="room:1",
        ref=ref,
        retry_after=retry_after,
    )


# -- being told ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", Encoding)
async def test_a_room_has_its_state_when_it_is_entered(encoding: Encoding) -> None:
    async with scripted(encoding) as script, client_of(script) as client:
        entering = soon(client.watch("room:1", interval=0.5).__aenter__())
        line = await script.accept()
        watch = await line.begin("k:1", n=1, seen=b"x")
        room = await entering
        assert (room.state, room.position, room.deleted) == ({"n": 1, "seen": b"x"}, "k:1", False)
        assert (watch.context, watch.since, watch.interval) == ("room:1", None, 0.5)
        assert repr(room) == "<Room 'room:1' at k:1>"


async def test_a_room_tells_of_each_change() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:1", "k:2", n=["m", 2]))
        assert await anext(room) == Change(
            changes={"n": Modified(1, 2)}, state={"n": 2}, position="k:2"
        )
        await line.say(delta("k:2", "k:3", m=["a", [1]], n=["r"]))
        assert (await anext(room)).changes == {"m": Added([1]), "n": Removed(2)}
        await line.say(delta("k:3", "k:4", m=["s", 1, 0, [2]]))
        assert (await anext(room)).changes == {"m": Spliced(1, [], [2])}


async def test_a_slow_reader_is_told_of_several_changes_in_one() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        for version in range(1, 9):
            await line.say(delta(f"k:{version}", f"k:{version + 1}", n=["m", version + 1]))
        await until(lambda: room.position == "k:9")
        change = await anext(room)
        assert (change.changes, change.position) == ({"n": Modified(1, 9)}, "k:9")


async def test_another_full_state_is_told_by_what_changed() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1, m=1)
        await line.say(full("k:9", n=1, m=2))
        assert (await anext(room)).changes == {"m": Modified(1, 2)}


async def test_what_changed_nothing_is_not_told() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(full("k:1~another", n=1), delta("k:1~another", "k:2", n=["m", 2]))
        assert (await anext(room)).position == "k:2"


async def test_a_room_ends_where_its_context_is_deleted() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(Deleted(context="room:1", position="k:1"))
        assert [change async for change in room] == []
        assert (room.deleted, room.state) == (True, None)
        assert client.statistics()["watched"] == 0


async def test_a_context_that_is_not_there_cannot_be_watched() -> None:
    async with scripted() as script, client_of(script) as client:
        entering = soon(client.watch("room:1").__aenter__())
        line = await script.accept()
        await line.say(fault("not-found", (await line.hear(Watch)).ref))
        assert isinstance(await entering, ContextNotFound)


async def test_a_context_that_was_made_again_can_be_watched_again() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(Deleted(context="room:1", position="k:1"))
        await until(lambda: room.deleted)
        entering = soon(client.watch("room:1").__aenter__())
        assert (await line.begin("z:1", n=5)).since is None
        again = await entering
        assert again.state == {"n": 5}


async def test_who_is_told_of_changes_is_told_when_the_room_is_left() -> None:
    async with scripted() as script, client_of(script) as client:
        _, room = await watching(client, script, n=1)

        async def read() -> list[Change]:
            return [change async for change in room]

        readers = [soon(read()) for _ in range(2)]
        await turn()
        await room.__aexit__()
        await until(lambda: all(reader.done() for reader in readers))
        assert [await reader for reader in readers] == [[], []]


# -- sharing -------------------------------------------------------------------------------------


async def test_two_rooms_of_a_context_share_one_watch() -> None:
    async with scripted() as script, client_of(script) as client:
        line, first = await watching(client, script, n=1)
        async with client.watch("room:1") as second:
            await line.say(delta("k:1", "k:2", n=["m", 2]))
            assert await anext(first) == await anext(second)
        await line.say(delta("k:2", "k:3", n=["m", 3]), Ping())
        assert (await anext(first)).position == "k:3"
        await line.hear(Pong)


async def test_the_watch_ends_when_the_last_room_is_left() -> None:
    async with scripted() as script, client_of(script) as client:

        async def visit() -> None:
            async with client.watch("room:1"):
                pass

        visiting = soon(visit())
        line = await script.accept()
        await line.begin()
        assert (await line.hear(Unwatch)).context == "room:1"
        assert await visiting is None
        assert client.statistics()["watched"] == 0


async def test_who_wants_to_be_told_more_often_is() -> None:
    async with scripted() as script, client_of(script) as client:
        entering = soon(client.watch("room:1", interval=2).__aenter__())
        line = await script.accept()
        await line.begin("k:1", n=1)
        await entering
        async with client.watch("room:1", interval=1):
            again = await line.hear(Watch)
            assert (again.interval, again.since) == (1, "k:1")


# -- mending -------------------------------------------------------------------------------------


async def test_a_gap_is_mended_by_watching_again_from_there() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:2", "k:3", n=["m", 3]))
        watch = await line.hear(Watch)
        assert (watch.since, room.state) == ("k:1", {"n": 1})
        await line.say(delta("k:1", "k:3", ref=watch.ref, n=["m", 3]))
        assert (await anext(room)).state == {"n": 3}


async def test_one_question_is_under_way_at_a_time() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:2", "k:3", n=["m", 3]), delta("k:3", "k:4", n=["m", 4]))
        watch = await line.hear(Watch)
        await line.say(Ping())
        await line.hear(Pong)
        await line.say(delta("k:1", "k:4", ref=watch.ref, n=["m", 4]))
        await until(lambda: room.position == "k:4")
        # the second gap was noticed after the question was asked, so it is asked once more
        clock.advance(0.25)
        watch = await line.hear(Watch)
        assert watch.since == "k:4"
        await line.say(Current(context="room:1", position="k:4", ref=watch.ref), Ping())
        await line.hear(Pong)
        assert room.state == {"n": 4}


async def test_a_delta_that_does_not_fit_is_mended_by_the_full_state() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:1", "k:2", m=["m", 3]))
        assert (await line.begin("k:2", n=2)).since is None
        assert (await anext(room)).changes == {"n": Modified(1, 2)}


async def test_answers_that_do_not_help_are_asked_again_more_and_more_slowly() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:2", "k:3", n=["m", 3]))
        since = []
        for pause in (0.25, 0.5, 1.0):
            watch = await line.hear(Watch)
            since.append(watch.since)
            await line.say(Current(context="room:1", position="k:9", ref=watch.ref), Ping())
            await line.hear(Pong)
            clock.advance(pause - 0.125)
            await line.say(Ping())
            await line.hear(Pong)
            clock.advance(0.125)
        assert since == ["k:1", "k:1", "k:1"]
        assert (await line.begin("k:9", n=9)).since is None
        assert (await anext(room)).state == {"n": 9}


async def test_a_question_that_is_not_answered_is_asked_again() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        entering = soon(client.watch("room:1").__aenter__())
        line = await script.accept()
        await line.hear(Watch)
        clock.advance(30)
        await line.begin("k:1", n=1)
        assert (await entering).state == {"n": 1}


async def test_a_deletion_that_was_not_told_in_full_is_asked_about() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(Deleted(context="room:1", position="k:5"))
        await line.say(fault("not-found", (await line.hear(Watch)).ref))
        assert [change async for change in room] == []
        assert room.deleted


async def test_what_cannot_be_read_is_passed_over_and_mended() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        for noise in (b"noise", b'{"type":"news"}', b'{"type":"delta","context":"room:1"}'):
            await line.say_raw(noise)
        await line.say(delta("k:2", "k:3", n=["m", 3]))
        watch = await line.hear(Watch)
        await line.say(delta("k:1", "k:3", ref=watch.ref, n=["m", 3]))
        assert (await anext(room)).state == {"n": 3}


# -- being refused -------------------------------------------------------------------------------


async def test_a_watch_that_the_server_ends_raises_why() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        await line.say(fault("forbidden"))
        with pytest.raises(Forbidden):
            await anext(room)
        assert room.state == {"n": 1}
        assert client.statistics()["watched"] == 0


async def test_a_watch_that_is_refused_raises_why() -> None:
    async with scripted() as script, client_of(script) as client:
        entering = soon(client.watch("room:1").__aenter__())
        line = await script.accept()
        await line.say(fault("forbidden", (await line.hear(Watch)).ref))
        assert isinstance(await entering, Forbidden)


@pytest.mark.parametrize(
    "code", ["rate-limited", "overloaded", "unavailable", "closing", "internal"]
)
async def test_a_watch_that_is_refused_for_now_is_asked_for_again(code: str) -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        entering = soon(client.watch("room:1").__aenter__())
        line = await script.accept()
        watch = await line.hear(Watch)
        await line.say(fault(code, watch.ref, retry_after=5), Ping())
        await line.hear(Pong)
        clock.advance(5)
        await line.begin("k:1", n=1)
        assert (await entering).state == {"n": 1}


async def check_silence(line: Line) -> None:
    """Nothing was asked until now."""
    await line.say(Ping())
    await line.hear(Pong)


async def test_a_watch_that_fails_again_and_again_is_asked_for_more_and_more_slowly() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, room = await watching(client, script, n=1)
        await line.say(fault("internal"))
        for pause in (0.25, 0.5, 1.0, 2.0):
            watch = await line.hear(Watch)
            await line.say(Current(context="room:1", position="k:1", ref=watch.ref))
            await line.say(fault("internal"))
            await check_silence(line)
            clock.advance(pause - 0.125)
            await check_silence(line)
            clock.advance(0.125)
        await line.hear(Watch)
        assert room.state == {"n": 1}


async def test_a_watch_that_failed_long_ago_is_asked_for_at_once() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, _ = await watching(client, script, n=1)
        for _ in range(3):
            await line.say(fault("internal"))
            watch = await line.hear(Watch)
            await line.say(Current(context="room:1", position="k:1", ref=watch.ref))
            for _ in range(3):
                clock.advance(HEARTBEAT)
                await check_silence(line)


async def test_a_state_that_is_nested_too_deeply_ends_the_watch_and_not_the_client() -> None:
    async with scripted() as script, client_of(script) as client:
        line, room = await watching(client, script, n=1)
        deep = b'{"a":' * 600 + b"1" + b"}" * 600
        await line.say_raw(
            b'{"type":"full","context":"room:1","position":"k:2","reason":"requested","state":'
            + deep
            + b"}"
        )
        with pytest.raises(WireError):
            await anext(room)
        await check_silence(line)


async def test_a_state_that_cannot_be_read_ends_the_watch() -> None:
    async with scripted() as script, client_of(script) as client:
        entering = soon(client.watch("room:1").__aenter__())
        line = await script.accept()
        watch = await line.hear(Watch)
        types: list[tuple[list[str | int], str]] = [(["n"], "int")]
        bad = Full(
            context="room:1",
            position="k:1",
            state={},
            reason="requested",
            types=types,
            ref=watch.ref,
        )
        await line.say(bad)
        assert isinstance(await entering, WireError)


# -- connections ---------------------------------------------------------------------------------


async def test_a_room_goes_on_from_its_position_on_the_next_connection() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, room = await watching(client, script, n=1)
        await line.say(delta("k:1", "k:2", n=["m", 2]))
        await anext(room)
        await line.close()
        await until(lambda: not client.connected)
        assert room.state == {"n": 2}
        await pass_pause(client, clock)
        line = await script.accept()
        watch = await line.hear(Watch)
        assert watch.since == "k:2"
        await line.say(delta("k:2", "k:7", ref=watch.ref, n=["m", 7]))
        assert (await anext(room)).changes == {"n": Modified(2, 7)}


async def test_a_context_that_went_while_the_client_was_away_ends_its_room() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line, room = await watching(client, script, n=1)
        await line.close()
        await pass_pause(client, clock)
        line = await script.accept()
        await line.say(fault("not-found", (await line.hear(Watch)).ref))
        assert [change async for change in room] == []
        assert room.deleted


async def test_all_rooms_come_back() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        names = [f"room:{number}" for number in range(5)]
        entering = [soon(client.watch(name).__aenter__()) for name in names]
        line = await script.accept()
        for _ in names:
            await line.begin("k:1")
        for each in entering:
            await each
        await line.close()
        await pass_pause(client, clock)
        line = await script.accept()
        assert {(await line.hear(Watch)).context for _ in names} == set(names)
        await turn()
