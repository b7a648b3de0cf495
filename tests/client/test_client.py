"""Test the client against a server that answers by hand: what it sends, and what it makes of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from chord.changes import REMOVE, Append, Increment
from chord.client import Invalid
from chord.client.client import Written
from chord.clock import ManualClock
from chord.errors import (
    ContextNotFound,
    DeadlineExceeded,
    InvalidContextId,
    InvalidState,
    OutcomeTimeout,
    Overloaded,
    VersionConflict,
)
from chord.web.wire import (
    Call,
    Delete,
    Done,
    Encoding,
    Hello,
    Result,
    Set,
    Sync,
    Update,
)
from tests.client.script import (
    HEARTBEAT,
    answer,
    client_of,
    delta,
    full,
    refuse,
    scripted,
    soon,
)
from tests.waiting import turn

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("encoding", Encoding)


# -- asking --------------------------------------------------------------------------------------


@BOTH
async def test_an_update_is_sent_and_acknowledged(encoding: Encoding) -> None:
    async with scripted(encoding) as script, client_of(script) as client:
        changes = {"a": REMOVE, "b": Append([b"x"]), "c": {"d": Increment(Decimal("0.1"))}}
        asked = soon(client.update("room:1", changes, op_id="op-1", create={"b": []}))
        said = await answer(await script.accept(), Update)
        assert await asked == Written("k:2", True)
    assert (said.context, said.op, said.create, said.expected) == (
        "room:1",
        "op-1",
        {"b": []},
        None,
    )
    assert [tag for _, tag in said.types if tag != "bytes"] == [
        *("remove", "append"),
        *("decimal", "increment"),
    ]


@BOTH
async def test_a_set_is_sent_and_acknowledged(encoding: Encoding) -> None:
    async with scripted(encoding) as script, client_of(script) as client:
        asked = soon(client.set("room:1", {"due": date(2030, 1, 2)}, expected=0))
        said = await answer(await script.accept(), Set, changed=False)
        assert await asked == Written("k:2", False)
    assert (said.state, said.types) == ({"due": "2030-01-02"}, [(["due"], "date")])
    assert (said.expected, said.op) == (0, None)


async def test_a_delete_says_whether_there_was_one() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.delete("room:1", expected="k:1"))
        line = await script.accept()
        assert (await answer(line, Delete, position=None)).expected == "k:1"
        assert await asked is True
        asked = soon(client.delete("room:1"))
        await answer(line, Delete, position=None, changed=False)
        assert await asked is False


@BOTH
async def test_a_call_returns_what_the_application_did(encoding: Encoding) -> None:
    async with scripted(encoding) as script, client_of(script) as client:
        asked = soon(client.call("room:1", "kick", "ana", {"until": date(2030, 1, 2)}))
        line = await script.accept()
        said = await line.hear(Call)
        await line.say(Result(ref=said.ref, value=["1.50"], types=[([0], "decimal")]))
        assert await asked == [Decimal("1.50")]
    assert (said.name, said.arguments) == ("kick", ["ana", {"until": "2030-01-02"}])
    assert said.types == [([1, "until"], "date")]


@BOTH
async def test_a_context_is_read(encoding: Encoding) -> None:
    async with scripted(encoding) as script, client_of(script) as client:
        asked = soon(client.get("room:1"))
        line = await script.accept()
        said = await line.hear(Sync)
        assert said.since is None
        await line.say(full("k:5", ref=said.ref, price=Decimal("9.90")))
        seen = await asked
    assert (seen.context_id, seen.state, seen.position) == (
        "room:1",
        {"price": Decimal("9.90")},
        "k:5",
    )


async def test_a_sync_answers_with_the_message_for_a_replica() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.sync("room:1", since="k:4"))
        line = await script.accept()
        said = await line.hear(Sync)
        reply = delta("k:4", "k:5", ref=said.ref, n=["m", 5])
        await line.say(reply)
        assert await asked == reply
    assert said.since == "k:4"


async def test_answers_find_who_asked_in_any_order() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = [soon(client.update("room:1", {"n": number})) for number in range(3)]
        line = await script.accept()
        said = [await line.hear(Update) for _ in asked]
        for message in reversed(said):
            position = f"k:{message.changes['n']}"
            await line.say(Done(ref=message.ref, position=position, changed=True))
        assert [(await each).position for each in asked] == ["k:0", "k:1", "k:2"]


async def test_what_was_refused_is_raised() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.update("room:1", {}, expected="k:1"))
        line = await script.accept()
        await refuse(line, Update, "conflict", actual="k:7")
        conflict = await asked
        assert isinstance(conflict, VersionConflict)
        assert (str(conflict.expected), str(conflict.actual)) == ("k:1", "k:7")
        asked = soon(client.get("room:1"))
        await refuse(line, Sync, "not-found")
        assert isinstance(await asked, ContextNotFound)


async def test_what_cannot_be_sent_is_refused_at_once() -> None:
    async with scripted() as script, client_of(script) as client:
        with pytest.raises(InvalidState, match=r"at \['tags'\]: a set"):
            await client.update("room:1", {"tags": {1}})
        with pytest.raises(InvalidContextId):
            await client.get("")
        with pytest.raises(InvalidContextId):
            async with client.watch("\ud800"):
                pass


async def test_what_waits_is_sent_as_it_was_when_it_was_asked() -> None:
    state = {"n": [1]}
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.set("room:1", state))
        await turn()
        state["n"].append(2)
        assert (await answer(await script.accept(), Set)).state == {"n": [1]}
        await asked


async def test_what_is_too_large_for_the_server_is_not_sent() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.set("room:1", {"a": "x" * 1000}))
        small = soon(client.set("room:1", {"a": "x"}))
        line = await script.accept(max_message=500)
        error = await asked
        assert isinstance(error, Invalid)
        assert error.code == "too-large"
        await answer(line, Set)
        assert await small == Written("k:2", True)


async def test_limits_that_make_no_sense_limit_nothing() -> None:
    async with scripted() as script, client_of(script) as client:
        asked = soon(client.set("room:1", {}))
        line = await script.accept(max_message="many", rate=None, burst=-1)
        await answer(line, Set)
        assert await asked == Written("k:2", True)


async def test_only_so_many_may_wait() -> None:
    async with scripted() as script, client_of(script, waiting_limit=1) as client:
        waiting = soon(client.get("room:1"))
        await turn()
        with pytest.raises(Overloaded):
            await client.get("room:2")
        assert client.statistics()["waiting"] == 1
        waiting.cancel()
        await turn()
        assert client.statistics()["waiting"] == 0


# -- time ----------------------------------------------------------------------------------------


async def test_time_that_runs_out_before_it_was_sent_is_no_outcome_at_all() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, timeout=5))
        line = await script.accept(greet=False)
        clock.advance(5)
        assert isinstance(await asked, DeadlineExceeded)
        assert line


async def test_time_that_runs_out_after_it_was_sent_leaves_the_outcome_unknown() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, timeout=5))
        line = await script.accept()
        await line.hear(Update)
        clock.advance(5)
        assert isinstance(await asked, OutcomeTimeout)


async def test_the_server_is_told_how_much_time_is_left() -> None:
    clock = ManualClock()
    async with scripted() as script, client_of(script, clock) as client:
        asked = soon(client.update("room:1", {}, timeout=5))
        line = await script.accept(greet=False)
        clock.advance(2)
        await line.say(Hello(heartbeat=HEARTBEAT, limits={}))
        assert (await answer(line, Update)).timeout == 3
        await asked
