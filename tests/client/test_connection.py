"""Test a client's connections: when it makes another, what it sends again, and when it gives up."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from chord.client import Backoff, ConnectionRefused, Invalid, RateLimited
from chord.client.client import Written, connect
from chord.clock import ManualClock
from chord.errors import ChordClosed, NotApplied, OutcomeUnknown, VersionConflict
from chord.web.wire import Delete, Encoding, Hello, Ping, Pong, Sync, Update, Watch
from tests.client.script import (
    HEARTBEAT,
    Script,
    answer,
    client_of,
    full,
    pass_pause,
    refuse,
    scripted,
    soon,
)
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

SLOW = Backoff(first=100.0, longest=100.0)


# -- what is sent again --------------------------------------------------------------------------


async def test_what_is_asked_while_there_is_no_connection_waits_for_one() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        script.refuse_with(HTTPStatus.SERVICE_UNAVAILABLE)
        asked = [soon(client.update("room:1", {"n": number})) for number in range(3)]
        await until(clock.pending)
        assert not client.connected
        script.admit()
        clock.advance(60)
        line = await script.accept()
        assert [(await answer(line, Update)).changes["n"] for _ in asked] == [0, 1, 2]
        assert [await each for each in asked] == [Written("k:2", True)] * 3
        assert client.connected


async def test_a_write_with_an_op_id_is_sent_again_until_it_is_answered() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {"n": 1}, op_id="op-1"))
        for _ in range(2):
            line = await script.accept()
            assert (await line.hear(Update)).op == "op-1"
            await line.close()
            await pass_pause(client, clock)
        line = await script.accept()
        assert (await answer(line, Update)).op == "op-1"
        assert await asked == Written("k:2", True)


async def test_a_write_without_an_op_id_that_was_under_way_is_of_unknown_outcome() -> None:
    async with scripted() as script, client_of(script) as client:
        write = soon(client.update("room:1", {"n": 1}))
        delete = soon(client.delete("room:1"))
        line = await script.accept()
        await line.hear(Update)
        await line.hear(Delete)
        await line.close()
        assert isinstance(await write, OutcomeUnknown)
        assert isinstance(await delete, OutcomeUnknown)


async def test_what_is_sent_again_keeps_its_place_before_what_was_not_sent_yet() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = [soon(client.update("room:1", {}, op_id=name)) for name in "ab"]
        line = await script.accept()
        assert [(await line.hear(Update)).op for _ in asked] == ["a", "b"]
        await line.close()
        await until(lambda: not client.connected)
        asked.append(soon(client.update("room:1", {}, op_id="c")))
        await pass_pause(client, clock)
        line = await script.accept()
        assert [(await answer(line, Update)).op for _ in asked] == ["a", "b", "c"]
        assert [await each for each in asked] == [Written("k:2", True)] * 3


async def test_a_read_is_sent_again() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.get("room:1"))
        line = await script.accept()
        await line.hear(Sync)
        await line.close()
        await pass_pause(client, clock)
        line = await script.accept()
        await line.say(full("k:1", ref=(await line.hear(Sync)).ref, n=1))
        assert (await asked).state == {"n": 1}


async def test_what_a_closing_server_refuses_is_sent_to_the_next() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        named = soon(client.update("room:1", {}, op_id="op-1"))
        nameless = soon(client.update("room:1", {}))
        line = await script.accept()
        await refuse(line, Update, "closing")
        await refuse(line, Update, "closing")
        assert isinstance(await nameless, ChordClosed)
        await line.close()
        await pass_pause(client, clock)
        assert (await answer(await script.accept(), Update)).op == "op-1"
        assert await named == Written("k:2", True)


async def test_an_op_id_that_the_server_may_have_forgotten_is_not_sent_again() -> None:
    clock = ManualClock()
    async with (
        scripted() as script,
        client_of(script, clock, resend_for=50, backoff=SLOW) as client,
    ):
        asked = soon(client.update("room:1", {}, op_id="op-1"))
        line = await script.accept()
        await line.hear(Update)
        await line.close()
        await pass_pause(client, clock, 100)
        await script.accept()
        assert isinstance(await asked, OutcomeUnknown)


async def test_who_does_not_wait_any_more_is_not_sent_again() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        gone = soon(client.update("room:1", {}, op_id="gone"))
        line = await script.accept()
        await line.hear(Update)
        gone.cancel()
        await line.close()
        await pass_pause(client, clock)
        asked = soon(client.update("room:1", {}, op_id="here"))
        assert (await answer(await script.accept(), Update)).op == "here"
        await asked


async def test_a_write_that_was_sent_before_and_is_refused_now_is_of_unknown_outcome() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, op_id="op-1"))
        line = await script.accept()
        await line.hear(Update)
        await line.close()
        await pass_pause(client, clock)
        await refuse(await script.accept(), Update, "rate-limited", retry_after=1.0)
        assert isinstance(await asked, OutcomeUnknown)


async def test_a_write_that_was_sent_before_and_meets_a_conflict_was_not_done() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, op_id="op-1", expected="k:1"))
        line = await script.accept()
        await line.hear(Update)
        await line.close()
        await pass_pause(client, clock)
        await refuse(await script.accept(), Update, "conflict", actual="k:7")
        assert isinstance(await asked, VersionConflict)


async def test_a_read_that_was_sent_before_and_is_refused_now_is_just_refused() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.get("room:1"))
        line = await script.accept()
        await line.hear(Sync)
        await line.close()
        await pass_pause(client, clock)
        await refuse(await script.accept(), Sync, "rate-limited", retry_after=1.0)
        assert isinstance(await asked, RateLimited)


async def test_the_time_that_the_machine_slept_counts_for_what_is_sent_again() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock, resend_for=50) as client:
        asked = soon(client.update("room:1", {}, op_id="op-1"))
        line = await script.accept()
        await line.hear(Update)
        clock.jump(100)
        await line.close()
        assert isinstance(await asked, OutcomeUnknown)


async def test_a_message_that_was_too_large_is_not_sent_for_ever() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, op_id="op-1"))
        line = await script.accept()
        await line.hear(Update)
        await line.close(4413)
        assert isinstance(await asked, OutcomeUnknown)


@pytest.mark.parametrize("code", [1009, 4413])
async def test_only_the_largest_message_can_have_been_too_large(code: int) -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        read = soon(client.get("room:1"))
        large = soon(client.update("room:1", {"a": "x" * 1000}, op_id="large"))
        small = soon(client.update("room:1", {}, op_id="small"))
        line = await script.accept()
        for kind in (Sync, Update, Update):
            await line.hear(kind)
        await line.close(code)
        assert isinstance(await large, OutcomeUnknown)
        await pass_pause(client, clock)
        line = await script.accept()
        await line.say(full("k:1", ref=(await line.hear(Sync)).ref, n=1))
        assert (await answer(line, Update)).op == "small"
        assert (await read).state == {"n": 1}
        assert await small == Written("k:2", True)


async def test_a_read_that_was_too_large_to_ask_is_known_to_have_written_nothing() -> None:
    async with scripted() as script, client_of(script) as client:
        read = soon(client.get("room:1"))
        line = await script.accept()
        await line.hear(Sync)
        await line.close(4413)
        assert isinstance(await read, NotApplied)


# -- when the answer is too large ----------------------------------------------------------------


async def test_a_state_that_is_too_large_to_be_read_is_no_reason_to_ask_for_ever() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock, max_size=1000) as client:
        asked = soon(client.get("room:1"))
        for _ in range(2):
            line = await script.accept()
            await line.say(full("k:1", ref=(await line.hear(Sync)).ref, a="x" * 1000))
            await pass_pause(client, clock)
        error = await asked
        assert isinstance(error, Invalid)
        assert (error.code, error.applied) == ("too-large", False)


async def test_a_state_that_is_too_large_to_be_watched_ends_its_room_alone() -> None:
    clock = ManualClock()
    states: dict[str, dict[str, Any]] = {"large": {"a": "x" * 1000}, "small": {"n": 1}}
    async with scripted() as script, client_of(script, clock, max_size=1000) as client:
        entering = {name: soon(client.watch(name).__aenter__()) for name in states}
        line = await script.accept()
        asked = [await line.hear(Watch) for _ in states]
        await line.say(full("k:1", "large", asked[0].ref, **states["large"]))
        await pass_pause(client, clock)
        line = await script.accept()
        watch = await line.hear(Watch)
        assert watch.context == "large"
        await line.say(Ping())
        await line.hear(Pong)  # it asks nothing else until it knows
        await line.say(full("k:1", "large", watch.ref, **states["large"]))
        assert isinstance(await entering["large"], Invalid)
        await pass_pause(client, clock)
        line = await script.accept()
        watch = await line.hear(Watch)
        await line.say(full("k:1", "small", watch.ref, **states["small"]))
        assert (await entering["small"]).state == states["small"]
        asked_next = [soon(client.get("small")) for _ in range(2)]
        assert [(await line.hear(Sync)).context for _ in asked_next] == ["small", "small"]


# -- when it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [4400, 4401, 4403])
async def test_a_client_that_is_refused_for_good_does_not_come_back(code: int) -> None:
    async with scripted() as script, client_of(script) as client:
        watching = soon(client.watch("room:1").__aenter__())
        waiting = soon(client.update("room:1", {}))
        line = await script.accept(greet=False)
        await line.close(code)
        refusal = await waiting
        assert isinstance(refusal, ConnectionRefused)
        assert (refusal.code, refusal.applied) == (code, False)
        assert isinstance(await watching, ConnectionRefused)
        with pytest.raises(ConnectionRefused):
            await client.get("room:1")


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
async def test_a_refused_handshake_is_for_good(status: HTTPStatus) -> None:
    async with scripted() as script:
        script.refuse_with(status)
        async with client_of(script) as client:
            with pytest.raises(ConnectionRefused) as refused:
                await client.get("room:1")
    assert refused.value.code == status


async def test_a_server_that_speaks_something_else_is_none() -> None:
    async with (
        scripted(Encoding.JSON) as script,
        connect(script.url, encoding=Encoding.MSGPACK, proxy=None) as client,
    ):
        with pytest.raises(ConnectionRefused):
            await client.get("room:1")


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, None])
async def test_credentials_that_ran_out_are_made_anew(status: HTTPStatus | None) -> None:
    clock = ManualClock()
    tokens = iter("ab")

    def make_headers() -> dict[str, str]:
        return {"Authorization": next(tokens)}

    async with scripted() as script:
        if status:
            script.refuse_with(status)
        async with client_of(script, clock, headers=make_headers) as client:
            if status is None:
                await (await script.accept()).close(4401)
            await until(lambda: script.attempts == 1)
            await pass_pause(client, clock, 0.0)
            script.admit()
            clock.advance(60)
            assert (await script.accept()).headers["Authorization"] == "b"


async def test_a_client_that_was_left_at_once_is_closed() -> None:
    async with scripted() as script:
        async with client_of(script) as client:
            asked = soon(client.get("room:1"))
        await until(asked.done)
        assert isinstance(await asked, ChordClosed)
        with pytest.raises(ChordClosed):
            await client.get("room:1")


async def test_a_client_that_failed_says_why() -> None:
    def make_headers() -> Any:
        return 5

    async with scripted() as script, client_of(script, headers=make_headers) as client:
        with pytest.raises(ChordClosed, match="the client has failed: TypeError"):
            await client.get("room:1")


async def test_what_waits_when_the_client_is_left_is_told_so() -> None:
    async with scripted() as script:
        async with client_of(script) as client:
            line = await script.accept(greet=False)
            unsent = soon(client.update("room:1", {}, op_id="op-1"))
            await turn()
            await line.say(Hello(heartbeat=HEARTBEAT, limits={}))
            await line.hear(Update)
            await line.close()
            await until(lambda: not client.connected)
            waiting = soon(client.update("room:1", {}))
            await turn()
        assert isinstance(await unsent, OutcomeUnknown)
        assert isinstance(await waiting, ChordClosed)
        assert isinstance(await waiting, NotApplied)
        with pytest.raises(ChordClosed):
            await client.get("room:1")


async def test_leaving_closes_the_connection() -> None:
    async with scripted() as script:
        async with client_of(script) as client:
            line = await script.accept()
            await until(lambda: client.connected)
        assert await line.is_left()


# -- when there is another -----------------------------------------------------------------------


def waits_after(script: Script, clock: ManualClock, attempts: int) -> bool:
    return script.attempts == attempts and clock.pending() > 0


async def check_pauses(script: Script, clock: ManualClock, pauses: list[float]) -> None:
    """Each attempt is refused; the next one comes after just this pause."""
    for number, pause in enumerate(pauses, 1):
        await until(partial(waits_after, script, clock, number))
        clock.advance(pause - 0.125)
        await turn()
        assert script.attempts == number
        clock.advance(0.125)
    await until(lambda: script.attempts == len(pauses) + 1)


async def test_pauses_between_attempts_double() -> None:
    clock = ManualClock()
    async with scripted() as script:
        script.refuse_with(HTTPStatus.SERVICE_UNAVAILABLE)
        async with client_of(script, clock, backoff=Backoff(first=1.0, longest=5.0)):
            await check_pauses(script, clock, [1.0, 2.0, 4.0, 5.0, 5.0])


async def test_a_crowded_server_is_left_alone_for_longer() -> None:
    clock = ManualClock()
    async with scripted() as script:
        script.refuse_with(HTTPStatus.TOO_MANY_REQUESTS)
        async with client_of(script, clock, backoff=Backoff(first=1.0, longest=50.0)):
            await check_pauses(script, clock, [16.0, 32.0])


async def test_a_connection_that_lasted_is_followed_by_a_short_pause() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        for _ in range(4):
            line = await script.accept()
            await until(lambda: client.connected)
            clock.advance(1.0)
            await line.close()
            await until(lambda: not client.connected)
            await until(clock.pending)
            clock.advance(0.25)
        await script.accept()


async def test_a_server_that_is_silent_for_two_heartbeats_is_left() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        line = await script.accept()
        await until(lambda: client.connected)
        clock.advance(HEARTBEAT)
        await line.say(Ping())
        await line.hear(Pong)
        clock.advance(2 * HEARTBEAT - 1)
        await turn()
        assert client.connected
        clock.advance(1)
        await until(lambda: not client.connected)
        assert await line.is_left()
        await pass_pause(client, clock)
        await script.accept()


async def test_a_server_that_does_not_say_hello_is_left() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock):
        line = await script.accept(greet=False)
        while clock.monotonic() < 40:
            await until(clock.pending)
            clock.advance(5)
            await turn()
        assert await line.is_left()
        await script.accept()


async def test_headers_are_made_anew_for_each_handshake() -> None:
    clock = ManualClock()
    tokens = iter("abc")

    async def make_headers() -> dict[str, str]:
        return {"Authorization": next(tokens)}

    async with scripted() as script, client_of(script, clock, headers=make_headers) as client:
        line = await script.accept()
        assert line.headers["Authorization"] == "a"
        await line.close()
        await pass_pause(client, clock)
        assert (await script.accept()).headers["Authorization"] == "b"


async def test_headers_that_cannot_be_made_now_are_made_later() -> None:
    clock = ManualClock()
    tries = iter(["", "a"])

    def make_headers() -> dict[str, str]:
        token = next(tries)
        if not token:
            raise OSError("away")
        return {"Authorization": token}

    async with scripted() as script, client_of(script, clock, headers=make_headers) as client:
        await pass_pause(client, clock)
        assert (await script.accept()).headers["Authorization"] == "a"


async def test_an_error_of_ours_in_making_headers_ends_the_client() -> None:
    def make_headers() -> dict[str, str]:
        raise ConnectionRefused(401, "logged out")

    async with scripted() as script, client_of(script, headers=make_headers) as client:
        with pytest.raises(ConnectionRefused, match="401 logged out"):
            await client.get("room:1")


def test_without_the_library_the_extra_is_named() -> None:
    code = "import sys; sys.modules['websockets'] = None; import chord.client"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'chord-sync[client]'" in ended.stderr
