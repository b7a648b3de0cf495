"""Test one socket: what it is answered, what it may ask for, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from chord.changes import Increment
from chord.clock import ManualClock
from chord.stateless import StatelessChord
from chord.web.door import Door
from chord.web.limits import Limits
from chord.web.session import TOKEN
from chord.web.wire import Encoding
from tests.waiting import turn, until
from tests.web.visitor import Closed, Visitor, visit

pytestmark = pytest.mark.anyio

LIMITS = Limits(max_message=10_000, max_depth=8, max_contexts=3, max_malformed=3, max_pending=4)


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room:1", {"n": 1})
        yield chord


def open_door(chord: Any, **options: Any) -> Door:
    defaults: dict[str, Any] = {"open_to_all": True, "limits": LIMITS}
    return Door(chord, **(defaults | options))


@pytest.fixture(params=list(Encoding), ids=lambda encoding: encoding.value)
async def visitor(request: pytest.FixtureRequest, chord: StatelessChord) -> AsyncIterator[Visitor]:
    async with visit(open_door(chord), encoding=request.param) as visitor:
        yield visitor


# -- what is answered ----------------------------------------------------------------------------


async def test_a_watch_begins_with_the_full_state(visitor: Visitor) -> None:
    full = await visitor.ask("watch", context="room:1", ref="w")
    assert (full["type"], full["state"], full["reason"]) == ("full", {"n": 1}, "requested")
    assert full["ref"] == "w"


async def test_a_watch_goes_on_by_delta(visitor: Visitor, chord: StatelessChord) -> None:
    full = await visitor.ask("watch", context="room:1", ref=1)
    commit = await chord.update_context("room:1", {"n": 2, "x": {"y": 1}})
    assert await visitor.hear() == {
        "type": "delta",
        "context": "room:1",
        "from": full["position"],
        "position": str(commit.position),
        "changes": {"n": ["m", 2], "x": ["a", {"y": 1}]},
    }


async def test_a_watch_resumes_by_delta(visitor: Visitor, chord: StatelessChord) -> None:
    here = str((await chord.get_context("room:1")).position)
    await chord.update_context("room:1", {"n": 2})
    delta = await visitor.ask("watch", context="room:1", since=here)
    assert (delta["type"], delta["from"]) == ("delta", here)


async def test_a_watch_that_lacks_nothing_is_told_so(
    visitor: Visitor, chord: StatelessChord
) -> None:
    here = str((await chord.get_context("room:1")).position)
    current = await visitor.ask("watch", context="room:1", since=here, ref=0)
    assert current == {"type": "current", "context": "room:1", "position": here, "ref": 0}


async def test_a_watch_ends_where_the_context_does(visitor: Visitor, chord: StatelessChord) -> None:
    full = await visitor.ask("watch", context="room:1")
    await chord.delete_context("room:1")
    deleted = await visitor.hear()
    assert deleted == {"type": "deleted", "context": "room:1", "position": full["position"]}
    await chord.set_context("room:1", {"n": 2})
    assert (await visitor.ask("watch", context="room:1"))["state"] == {"n": 2}


async def test_what_is_not_watched_any_more_is_not_told(
    visitor: Visitor, chord: StatelessChord
) -> None:
    await visitor.ask("watch", context="room:1")
    done = await visitor.ask("unwatch", context="room:1", ref=9)
    assert done == {"type": "done", "ref": 9, "position": None, "changed": False}
    await chord.update_context("room:1", {"n": 2})
    assert (await visitor.ask("sync", context="room:1", ref=10))["ref"] == 10


async def test_a_second_watch_begins_anew(visitor: Visitor, chord: StatelessChord) -> None:
    await visitor.ask("watch", context="room:1", ref=1)
    assert (await visitor.ask("watch", context="room:1", ref=2))["ref"] == 2
    await chord.update_context("room:1", {"n": 2})
    await visitor.hear_only("delta")
    assert (await visitor.ask("sync", context="room:1", ref=3))["ref"] == 3


async def test_many_contexts_share_a_socket(visitor: Visitor, chord: StatelessChord) -> None:
    await chord.set_context("room:2", {})
    await visitor.ask("watch", context="room:1")
    await visitor.ask("watch", context="room:2")
    await chord.update_context("room:2", {"a": 1})
    await chord.update_context("room:1", {"a": 1})
    heard = {(await visitor.hear_only("delta"))["context"] for _ in range(2)}
    assert heard == {"room:1", "room:2"}


async def test_a_sync_says_what_is_lacking(visitor: Visitor, chord: StatelessChord) -> None:
    here = str((await chord.get_context("room:1")).position)
    assert (await visitor.ask("sync", context="room:1", ref=1))["type"] == "full"
    assert (await visitor.ask("sync", context="room:1", ref=1, since=here))["type"] == "current"


async def test_a_set_is_acknowledged_by_position_and_changed_only(
    visitor: Visitor, chord: StatelessChord
) -> None:
    done = await visitor.ask("set", ref=1, context="new", state={"a": [1, {"b": None}]})
    context = await chord.get_context("new")
    assert context.state == {"a": [1, {"b": None}]}
    assert done == {"type": "done", "ref": 1, "position": str(context.position), "changed": True}
    again = await visitor.ask("set", ref=2, context="new", state={"a": [1, {"b": None}]})
    assert again == done | {"ref": 2, "changed": False}


async def test_an_update_with_operators_is_done(visitor: Visitor, chord: StatelessChord) -> None:
    types = [[["n"], "increment"], [["log"], "append"], [["old"], "remove"]]
    changes = {"n": 5, "log": ["a"], "old": None}
    await visitor.ask("update", ref=1, context="room:1", changes=changes, types=types)
    assert (await chord.get_context("room:1")).state == {"n": 6, "log": ["a"]}


async def test_an_update_creates_where_it_is_told_to(
    visitor: Visitor, chord: StatelessChord
) -> None:
    await visitor.ask("update", ref=1, context="new", changes={"a": 1}, create={"b": 2})
    assert (await chord.get_context("new")).state == {"a": 1, "b": 2}


async def test_an_operation_is_done_once(visitor: Visitor, chord: StatelessChord) -> None:
    types = [[["n"], "increment"]]
    said: dict[str, Any] = {"context": "room:1", "changes": {"n": 1}, "types": types, "op": "o"}
    first = await visitor.ask("update", ref=1, **said)
    second = await visitor.ask("update", ref=2, **said)
    assert second["position"] == first["position"]
    assert (await chord.get_context("room:1")).state == {"n": 2}


async def test_what_was_not_expected_is_a_conflict(visitor: Visitor, chord: StatelessChord) -> None:
    old = str((await chord.get_context("room:1")).position)
    here = str((await chord.update_context("room:1", {"n": 2})).position)
    fault = await visitor.ask("update", ref=1, context="room:1", changes={"n": 0}, expected=old)
    assert (fault["code"], fault["applied"], fault["actual"]) == ("conflict", False, here)
    fault = await visitor.ask("set", ref=2, context="room:1", state={}, expected=0)
    assert (fault["code"], fault["ref"], fault["context"]) == ("conflict", 2, "room:1")
    done = await visitor.ask("update", ref=3, context="room:1", changes={"n": 0}, expected=here)
    assert done["changed"]


async def test_a_delete_says_whether_there_was_one(visitor: Visitor) -> None:
    done = await visitor.ask("delete", ref=1, context="room:1")
    assert done == {"type": "done", "ref": 1, "position": None, "changed": True}
    assert not (await visitor.ask("delete", ref=2, context="room:1"))["changed"]


async def test_what_is_not_there_is_not_found(visitor: Visitor) -> None:
    for kind, fields in (("watch", {}), ("sync", {}), ("update", {"changes": {"a": 1}})):
        fault = await visitor.ask(kind, ref=1, context="nowhere", **fields)
        assert (fault["type"], fault["code"], fault["ref"]) == ("error", "not-found", 1)


async def test_a_watch_without_a_ref_is_refused_by_its_context(visitor: Visitor) -> None:
    fault = await visitor.ask("watch", context="nowhere")
    assert fault["context"] == "nowhere"
    assert "ref" not in fault


async def test_a_call_is_answered_by_the_application(chord: StatelessChord) -> None:
    async def call(principal: Any, context_id: str, name: str, arguments: list[Any]) -> Any:
        return [context_id, name, *arguments]

    async with visit(open_door(chord, call=call)) as visitor:
        result = await visitor.ask(
            "call",
            ref=1,
            context="room:1",
            name="roll",
            arguments=["9.90"],
            types=[[[0], "decimal"]],
        )
    assert result["value"] == ["room:1", "roll", "9.90"]
    assert result["types"] == [[[2], "decimal"]]


async def test_there_are_no_calls_unless_the_application_has_some(visitor: Visitor) -> None:
    fault = await visitor.ask("call", ref=1, context="room:1", name="roll", arguments=[])
    assert fault["code"] == "not-found"


async def test_writes_of_one_socket_are_done_in_order(
    visitor: Visitor, chord: StatelessChord
) -> None:
    for number in range(20):
        visitor.say("update", ref=number, context="room:1", changes={"n": number})
    for _ in range(20):
        await visitor.hear_only("done")
    assert (await chord.get_context("room:1")).state == {"n": 19}


# -- what is not understood ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "1", '"watch"', "null", '{"type":"dance"}', '{"type":"watch"}'),
        '{"type":"watch","context":1}',
        '{"type":"watch","context":"a","context":"b"}',
        '{"type":"watch","context":"room:1","expected":1}',
        '{"type":"watch","context":"room:1","interval":-1}',
        '{"type":"sync","ref":1.5,"context":"room:1"}',
        '{"type":"set","ref":1,"context":"room:1","state":[]}',
        '{"type":"set","ref":1,"context":"room:1","state":{"a":NaN}}',
        '{"type":"set","ref":1,"context":"room:1","state":{"a":"\\ud800"}}',
        '{"type":"update","ref":1,"context":"room:1","changes":{},"types":[[["a"],"remove"]]}',
        '{"type":"update","ref":1,"context":"room:1","changes":{"a":1},"types":[[["a"],"magic"]]}',
        '{"type":"update","ref":1,"context":"room:1","changes":{},"expected":7}',
        "[" * 5000,
        '{"a":' * 1900,
    ],
)
async def test_what_is_malformed_is_said_to_be(chord: StatelessChord, text: str) -> None:
    async with visit(open_door(chord)) as visitor:
        visitor.say_raw(text)
        fault = await visitor.hear_only("error")
        assert (fault["code"], fault["applied"]) == ("malformed", False)
        assert (await visitor.ask("sync", ref=1, context="room:1"))["type"] == "full"


async def test_a_frame_of_the_other_kind_is_malformed(chord: StatelessChord) -> None:
    door = open_door(chord)
    async with visit(door) as visitor:
        visitor.say_raw(msgspec.msgpack.encode({"type": "pong"}))
        assert (await visitor.hear())["code"] == "malformed"
    async with visit(door, encoding=Encoding.MSGPACK) as visitor:
        visitor.say_raw('{"type":"pong"}')
        assert (await visitor.hear())["code"] == "malformed"


async def test_a_malformed_message_is_answered_by_its_ref(visitor: Visitor) -> None:
    assert (await visitor.ask("dance", ref="mine"))["ref"] == "mine"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("watch", {"context": ""}),
        ("watch", {"context": "a\0b"}),
        ("watch", {"context": "room:1", "since": "41"}),
        ("sync", {"context": "room:1", "since": "here"}),
        ("set", {"context": "room:1", "state": {}, "expected": "here"}),
        ("set", {"context": "room:1", "state": {}, "op": ""}),
        ("update", {"context": "room:1", "changes": {"n": []}, "types": [[["n"], "append"]]}),
    ],
)
async def test_what_cannot_be_is_invalid(
    visitor: Visitor, kind: str, fields: dict[str, Any]
) -> None:
    fault = await visitor.ask(kind, ref=1, **fields)
    assert (fault["type"], fault["code"], fault["ref"]) == ("error", "invalid", 1)


async def test_too_many_malformed_messages_end_it(chord: StatelessChord) -> None:
    async with visit(open_door(chord)) as visitor:
        for _ in range(LIMITS.max_malformed + 1):
            visitor.say_raw("{")
        assert await visitor.hear_end() == 4400


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["a", "\u00e9"])
async def test_a_message_that_is_too_large_ends_it(chord: StatelessChord, letter: str) -> None:
    async with visit(open_door(chord)) as visitor:
        size = LIMITS.max_message // len(letter.encode())
        visitor.say_raw(json.dumps({"type": letter * size}, ensure_ascii=False))
        assert (await visitor.hear())["code"] == "too-large"
        assert await visitor.hear_end() == 4413


async def test_a_message_that_is_too_deep_is_refused(visitor: Visitor) -> None:
    state: dict[str, Any] = {}
    for _ in range(LIMITS.max_depth):
        state = {"a": state}
    fault = await visitor.ask("set", ref=1, context="deep", state=state)
    assert fault["code"] == "malformed"
    assert (await visitor.ask("set", ref=1, context="deep", state=state["a"]))["changed"]


async def test_a_socket_watches_so_many_contexts_and_no_more(
    visitor: Visitor, chord: StatelessChord
) -> None:
    for number in range(4):
        await chord.set_context(f"room:{number}", {})
    for number in range(3):
        await visitor.ask("watch", context=f"room:{number}")
    assert (await visitor.ask("watch", context="room:3"))["code"] == "too-many"
    assert (await visitor.ask("watch", context="room:2"))["type"] == "full"
    await visitor.ask("unwatch", context="room:1", ref=1)
    assert (await visitor.ask("watch", context="room:3"))["type"] == "full"


async def test_who_asks_too_often_is_told_when_to_ask_again(chord: StatelessChord) -> None:
    clock = ManualClock()
    limits = Limits(rate=2.0, burst=2.0)
    async with visit(open_door(chord, limits=limits, clock=clock)) as visitor:
        for number in range(2):
            assert (await visitor.ask("sync", ref=number, context="room:1"))["type"] == "full"
        fault = await visitor.ask("sync", ref=2, context="room:1")
        assert fault["code"] == "rate-limited"
        assert fault["ref"] == 2
        assert fault["applied"] is False
        clock.advance(fault["retry_after"])
        assert (await visitor.ask("sync", ref=3, context="room:1"))["type"] == "full"


async def test_who_does_not_heed_it_is_closed(chord: StatelessChord) -> None:
    limits = Limits(rate=1.0, burst=3.0)
    async with visit(open_door(chord, limits=limits, clock=ManualClock())) as visitor:
        for number in range(20):
            visitor.say("sync", ref=number, context="room:1")
        assert await visitor.hear_end() == 4429


async def test_a_long_message_waits_until_its_tokens_are_there(chord: StatelessChord) -> None:
    clock = ManualClock()
    limits = Limits(rate=1.0, burst=4.0, heartbeat=1000.0)
    async with visit(open_door(chord, limits=limits, clock=clock)) as visitor:
        long = {"text": "x" * 3 * TOKEN}
        assert (await visitor.ask("set", ref=1, context="new", state=long))["type"] == "done"
        timers = clock.pending()
        visitor.say("set", ref=2, context="new", state={})
        visitor.say("set", ref=3, context="new", state=long)
        assert (await visitor.hear())["code"] == "rate-limited"
        await until(lambda: clock.pending() > timers)
        assert visitor.heard_nothing()
        clock.advance(4.0)
        assert (await visitor.hear())["ref"] == 3


async def test_who_waits_for_its_tokens_is_not_taken_for_dead(chord: StatelessChord) -> None:
    clock = ManualClock()
    limits = Limits(rate=1.0, burst=64.0, heartbeat=10.0)
    async with visit(open_door(chord, limits=limits, clock=clock)) as visitor:
        visitor.say("set", ref=1, context="new", state={"text": "x" * 63 * TOKEN})
        await visitor.hear_only("done")
        timers = clock.pending()
        visitor.say("set", ref=2, context="new", state={"text": "y" * 63 * TOKEN})
        for _ in range(7):
            await until(lambda: clock.pending() > timers)
            clock.advance(10.0)
            await turn()
        while (message := await visitor.hear())["type"] == "ping":
            pass
        assert (message["type"], message["ref"]) == ("done", 2)


async def test_others_have_their_turn_between_two_messages(chord: StatelessChord) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with visit(open_door(chord)) as visitor:
        for _ in range(100):
            visitor.say("pong")
        visitor.say("sync", ref=1, context="room:1")
        counting = asyncio.create_task(count())
        await visitor.hear_only("full")
        counting.cancel()
        assert turns >= 100


class Gated:
    """A runtime that answers nothing until it is let."""

    def __init__(self, chord: Any) -> None:
        self._chord = chord
        self.asked = 0
        self.may_answer = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chord, name)

    async def sync_context(self, *arguments: Any) -> Any:
        self.asked += 1
        await self.may_answer.wait()
        return await self._chord.sync_context(*arguments)

    async def update_context(self, *arguments: Any, **options: Any) -> Any:
        self.asked += 1
        await self.may_answer.wait()
        return await self._chord.update_context(*arguments, **options)


async def test_who_has_too_much_under_way_is_not_read(chord: StatelessChord) -> None:
    gated = Gated(chord)
    async with visit(open_door(gated)) as visitor:
        for number in range(10):
            visitor.say("sync", ref=number, context="room:1")
        await until(lambda: gated.asked == LIMITS.max_pending)
        await turn()
        assert gated.asked == LIMITS.max_pending
        gated.may_answer.set()
        refs = {(await visitor.hear_only("full"))["ref"] for _ in range(10)}
        assert refs == set(range(10))


# -- a read, and a recheck meanwhile -------------------------------------------------------------


class Late(Gated):
    """A runtime that reads at once, but tells it only when it is let."""

    async def sync_context(self, *arguments: Any) -> Any:
        reply = await self._chord.sync_context(*arguments)
        self.asked += 1
        await self.may_answer.wait()
        return reply


async def test_what_was_read_before_a_recheck_is_not_told_after_it(chord: StatelessChord) -> None:
    late, allowed = Late(chord), {"read"}
    door = open_door(late, authorize=lambda name, action, context: action in allowed)
    async with visit(door) as visitor:
        visitor.say("sync", ref=1, context="room:1")
        await until(lambda: late.asked == 1)
        allowed.clear()
        await door.recheck()
        late.may_answer.set()
        fault = await visitor.hear_only("error")
        assert (fault["code"], fault["ref"]) == ("forbidden", 1)


async def test_who_may_read_after_a_recheck_is_told_what_is_read_then(
    chord: StatelessChord,
) -> None:
    late = Late(chord)
    door = open_door(late, authorize=lambda *_: True)
    async with visit(door) as visitor:
        visitor.say("sync", ref=1, context="room:1")
        await until(lambda: late.asked == 1)
        await door.recheck()
        await chord.update_context("room:1", {"n": 2})
        late.may_answer.set()
        assert (await visitor.hear_only("full"))["state"] == {"n": 2}
        assert (await visitor.ask("sync", ref=2, context="room:1"))["ref"] == 2


async def test_what_waits_for_a_slow_peer_is_not_told_after_a_recheck(
    chord: StatelessChord,
) -> None:
    late, allowed = Late(chord), {"read"}
    late.may_answer.set()
    door = open_door(late, authorize=lambda name, action, context: action in allowed)
    async with visit(door) as visitor:
        visitor.reads.clear()
        before = visitor.sent
        visitor.say("sync", ref=1, context="room:1")
        await until(lambda: visitor.sent > before)
        visitor.say("sync", ref=2, context="room:1")
        await until(lambda: late.asked == 2)
        await turn()
        allowed.clear()
        await door.recheck()
        visitor.reads.set()
        assert (await visitor.hear_only("full"))["ref"] == 1
        fault = await visitor.hear_only("error")
        assert (fault["code"], fault["ref"]) == ("forbidden", 2)


# -- a slow peer, a dead peer --------------------------------------------------------------------


async def test_a_slow_peer_is_told_in_one_delta_what_it_missed(chord: StatelessChord) -> None:
    async with visit(open_door(chord)) as visitor:
        await visitor.ask("watch", context="room:1")
        visitor.reads.clear()
        before = visitor.sent
        for _ in range(50):
            await chord.update_context("room:1", {"n": Increment()})
        await until(lambda: visitor.sent > before)
        await turn()
        assert visitor.sent == before + 1  # one frame waits, and nothing behind it
        visitor.reads.set()
        first = await visitor.hear_only("delta")
        second = await visitor.hear_only("delta")
        assert second["from"] == first["position"]
        assert second["changes"] == {"n": ["m", 51]}
        assert visitor.heard_nothing()


async def test_a_slow_peer_holds_up_nobody_else(chord: StatelessChord) -> None:
    door = open_door(chord)
    async with visit(door) as slow, visit(door) as quick:
        for visitor in (slow, quick):
            await visitor.ask("watch", context="room:1")
        slow.reads.clear()
        for number in range(5):
            await chord.update_context("room:1", {"n": number + 10})
            assert (await quick.hear_only("delta"))["changes"] == {"n": ["m", number + 10]}


async def test_a_peer_is_asked_whether_it_is_there(chord: StatelessChord) -> None:
    clock = ManualClock()
    async with visit(open_door(chord, clock=clock)) as visitor:
        for _ in range(5):
            await until(clock.pending)
            clock.advance(LIMITS.heartbeat)
            assert await visitor.hear() == {"type": "ping"}
            visitor.say("pong")
            await turn()


async def test_a_peer_that_is_silent_for_two_heartbeats_is_dead(chord: StatelessChord) -> None:
    clock = ManualClock()
    async with visit(open_door(chord, clock=clock)) as visitor:
        await until(clock.pending)
        clock.advance(LIMITS.heartbeat)
        await visitor.hear_only("ping")
        await until(clock.pending)
        clock.advance(LIMITS.heartbeat)
        with pytest.raises(Closed) as closed:
            await visitor.hear()
    assert closed.value.code == 4408


async def test_a_dead_peer_that_takes_nothing_is_found_too(chord: StatelessChord) -> None:
    clock = ManualClock()
    door = open_door(chord, clock=clock)
    async with visit(door) as visitor:
        await visitor.ask("watch", context="room:1")
        visitor.reads.clear()
        before = visitor.sent
        await chord.update_context("room:1", {"n": 2})
        await until(lambda: visitor.sent > before)
        for _ in range(2):
            await until(clock.pending)
            clock.advance(LIMITS.heartbeat)
            await turn()
        assert await visitor.hear_end() == 4408
        await until(lambda: door.statistics()["connections"] == 0)


async def test_a_peer_that_was_slow_for_a_heartbeat_may_answer_still(
    chord: StatelessChord,
) -> None:
    clock = ManualClock()
    async with visit(open_door(chord, clock=clock)) as visitor:
        visitor.reads.clear()
        before = visitor.sent
        visitor.say("sync", ref=1, context="room:1")
        await until(lambda: visitor.sent > before)
        clock.advance(LIMITS.heartbeat * 1.5)
        visitor.reads.set()
        await visitor.hear_only("full")
        clock.advance(LIMITS.heartbeat * 0.5)
        await turn()
        assert (await visitor.ask("sync", ref=2, context="room:1"))["ref"] == 2


async def test_what_was_asked_for_is_done_though_the_peer_has_gone(chord: StatelessChord) -> None:
    gated = Gated(chord)
    async with visit(open_door(gated)) as visitor:
        visitor.say("update", ref=1, context="room:1", changes={"n": 7})
        await until(lambda: gated.asked)
        visitor.hang_up()
        await turn()
        gated.may_answer.set()
    assert (await chord.get_context("room:1")).state == {"n": 7}


async def test_what_does_not_end_is_given_up_when_the_peer_has_gone(
    chord: StatelessChord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chord.web.session.PATIENCE", 0.0)
    gated = Gated(chord)
    async with visit(open_door(gated)) as visitor:
        visitor.say("update", ref=1, context="room:1", changes={"n": 7})
        await until(lambda: gated.asked)
    assert (await chord.get_context("room:1")).state == {"n": 1}


async def test_a_peer_whose_line_breaks_ends_its_session_alone(chord: StatelessChord) -> None:
    door = open_door(chord)
    async with visit(door) as broken, visit(door) as other:
        for visitor in (broken, other):
            await visitor.ask("watch", context="room:1")
        broken.reads = Broken()
        await chord.update_context("room:1", {"n": 2})
        await other.hear_only("delta")
        await until(lambda: door.statistics()["connections"] == 1)
        assert (await other.ask("sync", ref=1, context="room:1"))["type"] == "full"


class Broken(asyncio.Event):
    """A line that is cut."""

    async def wait(self) -> Any:
        raise OSError("cut")


# -- the end of the runtime ----------------------------------------------------------------------


async def test_where_the_runtime_ends_its_watchers_are_told(chord: StatelessChord) -> None:
    async with StatelessChord.open("memory://") as other:
        await other.set_context("room:1", {})
        door = open_door(other)
        visiting = visit(door)
        visitor = await visiting.__aenter__()
        await visitor.ask("watch", context="room:1")
    assert (await visitor.hear_only("error"))["code"] == "closing"
    assert await visitor.hear_end() == 1012
    await visiting.__aexit__(None, None, None)


async def test_what_is_asked_of_a_closed_runtime_is_refused(chord: StatelessChord) -> None:
    async with StatelessChord.open("memory://") as closed:
        pass
    async with visit(open_door(closed)) as visitor:
        fault = await visitor.ask("set", ref=1, context="room:1", state={})
        assert (fault["code"], fault["applied"]) == ("closing", False)
