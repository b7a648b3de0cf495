"""Test who is let in through a door, who stays, and who must go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from chord.stateless import StatelessChord
from chord.web.door import Door
from chord.web.gate import Action
from chord.web.limits import Limits
from chord.web.wire import Encoding
from tests.waiting import turn, until
from tests.web.cards import allow, make_door, read_name
from tests.web.visitor import HOST, Closed, Visitor, knock, make_scope, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        await chord.set_context("room:1", {"n": 1})
        await chord.set_context("room:2", {"n": 1})
        yield chord


class Guests:
    """Who is known, and what each may do: an application's own table, to be changed at any time."""

    def __init__(self) -> None:
        self.refused: set[tuple[str, Action, str]] = set()
        self.asked: list[tuple[str, Action, str]] = []

    async def authorize(self, principal: Any, action: Action, context_id: str) -> bool:
        self.asked.append((principal, action, context_id))
        await asyncio.sleep(0)
        return (principal, action, context_id) not in self.refused


@pytest.fixture
def guests() -> Guests:
    return Guests()


@pytest.fixture
def door(chord: StatelessChord, guests: Guests) -> Door:
    return Door(chord, authenticate=read_name, authorize=guests.authorize)


async def find_close_code(door: Door, **scope: Any) -> int:
    """The code with which the door closes who knocks so."""
    async with knock(door, Visitor(), make_scope(**scope)) as visitor:
        code = await visitor.hear_end()
        assert not visitor.frames
        assert visitor.accepted is not None
        return code


# -- the handshake -------------------------------------------------------------------------------


async def test_the_first_message_greets(chord: StatelessChord, door: Door) -> None:
    async with knock(door, Visitor(), make_scope(name="ana")) as visitor:
        hello = await visitor.hear()
        assert hello["type"] == "hello"
        assert hello["heartbeat"] == Limits().heartbeat
        assert hello["limits"]["max_contexts"] == Limits().max_contexts


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["chord.v1.json"], "chord.v1.json"),
        (["chord.v1.msgpack", "chord.v1.json"], "chord.v1.msgpack"),
        (["chord.v9", "chord.v1.json"], "chord.v1.json"),
    ],
)
async def test_the_first_subprotocol_that_is_known_is_chosen(
    door: Door, offered: list[str], chosen: str
) -> None:
    visitor = Visitor(Encoding(chosen.rpartition(".")[2]))
    async with knock(door, visitor, make_scope(name="ana", subprotocols=offered)):
        await visitor.hear_only("hello")
        assert visitor.accepted == chosen


@pytest.mark.parametrize("offered", [[], ["chord.v9"]])
async def test_without_a_subprotocol_nobody_is_accepted(door: Door, offered: list[str]) -> None:
    scope = make_scope(name="ana", subprotocols=offered)
    async with knock(door, Visitor(), scope) as visitor:
        assert await visitor.hear_end() == 1002
        assert visitor.accepted is None


async def test_a_server_that_can_is_told_what_to_answer(door: Door) -> None:
    scope = make_scope(subprotocols=[], extensions={"websocket.http.response": {}})
    async with knock(door, Visitor(), scope) as visitor:
        await until(lambda: len(visitor.answer) == 2)
    assert visitor.answer[0]["status"] == 400
    assert b"chord.v1.json" in visitor.answer[1]["body"]


async def test_a_door_without_hooks_lets_nobody_in(chord: StatelessChord) -> None:
    assert await find_close_code(Door(chord), name="ana") == 4401


async def test_who_is_not_known_is_not_let_in(door: Door) -> None:
    assert await find_close_code(door, name=None) == 4401


async def test_a_door_without_authorize_lets_nobody_do_anything(chord: StatelessChord) -> None:
    async with visit(Door(chord, authenticate=read_name)) as visitor:
        for number, kind in enumerate(["watch", "sync", "delete"]):
            fault = await visitor.ask(kind, ref=number, context="room:1")
            assert (fault["code"], fault["ref"]) == ("forbidden", number)
    assert (await chord.get_context("room:1")).state == {"n": 1}


async def test_a_door_that_is_open_to_all_asks_nobody(chord: StatelessChord) -> None:
    async with visit(Door(chord, open_to_all=True), name=None) as visitor:
        assert (await visitor.ask("delete", ref=1, context="room:1"))["changed"]


async def test_a_page_of_another_site_is_not_let_in(door: Door) -> None:
    assert await find_close_code(door, name="ana", origin="https://evil.test") == 4403


async def test_a_page_of_the_same_host_is_let_in(door: Door) -> None:
    async with visit(door, origin=f"https://{HOST}") as visitor:
        assert (await visitor.ask("sync", ref=1, context="room:1"))["type"] == "full"


@pytest.mark.parametrize(("error", "code"), [(PermissionError(), 4403), (KeyError("x"), 1011)])
async def test_an_authenticate_that_raises_lets_nobody_in(
    chord: StatelessChord, error: Exception, code: int
) -> None:
    def authenticate(connection: Any) -> str:
        raise error

    door = Door(chord, authenticate=authenticate, authorize=allow)
    assert await find_close_code(door, name="ana") == code


# -- hooks that fail -----------------------------------------------------------------------------


async def test_an_authorize_that_fails_is_a_fault_of_the_server(
    chord: StatelessChord, caplog: pytest.LogCaptureFixture
) -> None:
    def authorize(*question: Any) -> bool:
        raise ZeroDivisionError("the secret cause")

    async with visit(Door(chord, authenticate=read_name, authorize=authorize)) as visitor:
        with caplog.at_level(logging.ERROR, "chord.web"):
            fault = await visitor.ask("set", ref=1, context="room:1", state={})
        assert (fault["code"], fault["applied"]) == ("internal", False)
        assert "secret" not in visitor.told
    assert "the secret cause" in caplog.text


async def test_a_call_that_fails_is_told_without_its_cause(
    chord: StatelessChord, caplog: pytest.LogCaptureFixture
) -> None:
    async def call(principal: Any, context_id: str, name: str, arguments: list[Any]) -> Any:
        if name == "forbidden":
            raise PermissionError("the secret cause")
        if name == "missing":
            await chord.get_context("nowhere")
        if name == "strange":
            return object()
        raise ZeroDivisionError("the secret cause")

    door = Door(chord, authenticate=read_name, authorize=allow, call=call)
    told = {}
    async with visit(door) as visitor:
        for name in ("failing", "forbidden", "missing", "strange"):
            fault = await visitor.ask("call", ref=1, context="room:1", name=name, arguments=[])
            told[name] = fault["code"], fault["applied"]
        assert "secret" not in visitor.told
    assert told == {
        "failing": ("internal", None),
        "forbidden": ("forbidden", False),
        "missing": ("not-found", False),
        "strange": ("internal", None),
    }


# -- what is allowed -----------------------------------------------------------------------------


async def test_each_message_asks_for_its_actions(door: Door, guests: Guests) -> None:
    room = {"context": "room:1"}
    async with visit(door) as visitor:
        await visitor.ask("watch", ref=1, **room)
        await visitor.ask("sync", ref=1, **room)
        await visitor.ask("set", ref=1, state={"n": 1}, **room)
        await visitor.ask("update", ref=1, changes={"n": 1}, **room)
        await visitor.ask("update", ref=1, changes={"n": 1}, create={}, **room)
        await visitor.ask("call", ref=1, name="roll", arguments=[], **room)
        await visitor.ask("delete", ref=1, **room)
    assert [action for _, action, _ in guests.asked] == [
        *("read", "read", "write", "create", "write", "write", "create", "call", "delete")
    ]


async def test_who_may_write_but_not_create_makes_no_context(
    door: Door, guests: Guests, chord: StatelessChord
) -> None:
    guests.refused = {("ana", "create", "new"), ("ana", "create", "room:1")}
    async with visit(door) as visitor:
        asks: list[dict[str, Any]] = [
            {"kind": "set", "state": {}},
            {"kind": "set", "state": {}, "expected": 0},
            {"kind": "update", "changes": {"a": 1}, "create": {}},
        ]
        for ask in asks:
            fault = await visitor.ask(ref=1, context="new", **ask)
            assert fault["code"] == "forbidden"
        await visitor.ask("set", ref=2, context="room:1", state={"m": 2})
    assert (await chord.get_context("room:1")).state == {"m": 2}


async def test_who_may_create_but_not_write_changes_no_context(
    door: Door, guests: Guests, chord: StatelessChord
) -> None:
    guests.refused = {("ana", "write", "new"), ("ana", "write", "room:1")}
    async with visit(door) as visitor:
        asks: list[dict[str, Any]] = [
            {"kind": "set", "state": {}},
            {"kind": "update", "changes": {"a": 1}},
            {"kind": "update", "changes": {"a": 1}, "create": {}},
        ]
        for ask in asks:
            assert (await visitor.ask(ref=1, context="room:1", **ask))["code"] == "forbidden"
        done = await visitor.ask("update", ref=2, context="new", changes={"a": 1}, create={"b": 2})
        assert done["changed"]
    assert (await chord.get_context("room:1")).state == {"n": 1}
    assert (await chord.get_context("new")).state == {"a": 1, "b": 2}


async def test_writes_are_in_order_though_the_hook_takes_its_time(
    door: Door, chord: StatelessChord
) -> None:
    async with visit(door) as visitor:
        for number in range(20):
            visitor.say("update", ref=number, context="room:1", changes={"n": number})
        for _ in range(20):
            await visitor.hear_only("done")
    assert (await chord.get_context("room:1")).state == {"n": 19}


# -- what is allowed no more ---------------------------------------------------------------------


async def test_a_watch_that_is_revoked_ends_and_the_others_go_on(
    door: Door, guests: Guests, chord: StatelessChord
) -> None:
    async with visit(door) as ana, visit(door, "bo") as bo:
        for visitor in (ana, bo):
            await visitor.ask("watch", context="room:1")
            await visitor.ask("watch", context="room:2")
        guests.refused.add(("ana", "read", "room:1"))
        await door.recheck()
        fault = await ana.hear()
        assert (fault["code"], fault["context"]) == ("forbidden", "room:1")
        assert "ref" not in fault
        await chord.update_context("room:1", {"n": 2})
        await bo.hear_only("delta")
        await chord.update_context("room:2", {"n": 2})
        assert (await ana.hear())["context"] == "room:2"
        assert (await bo.hear())["context"] == "room:2"


async def test_only_whom_it_is_about_is_asked_again(door: Door, guests: Guests) -> None:
    async with visit(door) as ana, visit(door, "bo") as bo:
        for visitor in (ana, bo):
            await visitor.ask("watch", context="room:1")
        guests.asked.clear()
        await door.recheck("bo")
        assert guests.asked == [("bo", "read", "room:1")]


async def test_a_frame_that_waits_is_not_sent_once_it_is_revoked(
    door: Door, guests: Guests, chord: StatelessChord
) -> None:
    async with visit(door) as visitor:
        await visitor.ask("watch", context="room:1")
        visitor.reads.clear()
        before = visitor.sent
        visitor.say("sync", ref=1, context="room:2")
        await until(lambda: visitor.sent > before)
        await chord.update_context("room:1", {"n": "secret"})
        await turn()
        guests.refused.add(("ana", "read", "room:1"))
        await door.recheck("ana")
        visitor.reads.set()
        await visitor.hear_only("full")
        assert (await visitor.hear_only("error"))["code"] == "forbidden"
        assert "secret" not in visitor.told


async def test_a_permit_that_was_given_before_a_recheck_is_asked_for_again(
    chord: StatelessChord,
) -> None:
    may_answer = asyncio.Event()
    answers = [True, False]

    async def authorize(*question: Any) -> bool:
        answer = answers.pop(0)
        await may_answer.wait()
        return answer

    door = Door(chord, authenticate=read_name, authorize=authorize)
    async with visit(door) as visitor:
        visitor.say("watch", ref=1, context="room:1")
        await until(lambda: len(answers) == 1)
        await door.recheck()
        may_answer.set()
        assert (await visitor.hear())["code"] == "forbidden"


async def test_who_comes_back_is_asked_for_again(door: Door, guests: Guests) -> None:
    async with visit(door) as visitor:
        full = await visitor.ask("watch", context="room:1")
    guests.refused.add(("ana", "read", "room:1"))
    async with visit(door) as visitor:
        fault = await visitor.ask("watch", context="room:1", since=full["position"])
        assert fault["code"] == "forbidden"


async def test_who_is_disconnected_goes_at_once_and_nobody_else(door: Door) -> None:
    async with visit(door) as first, visit(door) as second, visit(door, "bo") as bo:
        await door.disconnect("ana")
        assert await first.hear_end() == 4403
        assert await second.hear_end() == 4403
        assert (await bo.ask("sync", ref=1, context="room:1"))["type"] == "full"


# -- how many ------------------------------------------------------------------------------------


async def test_a_principal_has_so_many_sockets_and_no_more(chord: StatelessChord) -> None:
    door = make_door(chord, limits=Limits(max_sockets=2))
    async with visit(door), visit(door, "bo"):
        async with visit(door):
            assert await find_close_code(door, name="ana") == 4429
        async with visit(door):
            pass
    assert door.statistics()["connections"] == 0
    door.check()


async def test_a_door_that_is_closed_closes_all_and_lets_nobody_in(door: Door) -> None:
    async with visit(door) as ana, visit(door, "bo") as bo:
        door.close()
        assert await ana.hear_end() == 1012
        assert await bo.hear_end() == 1012
    assert await find_close_code(door, name="ana") == 1012


async def test_who_is_asked_for_a_name_as_the_door_closes_is_not_let_in(
    chord: StatelessChord,
) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def authenticate(connection: Any) -> str:
        asked.set()
        await answered.wait()
        return "ana"

    door = Door(chord, authenticate=authenticate, authorize=allow)
    async with knock(door, Visitor(), make_scope()) as visitor:
        await asked.wait()
        door.close()
        answered.set()
        assert await visitor.hear_end() == 1012
        assert not visitor.frames


async def test_a_thousand_sockets_cost_one_encoding(chord: StatelessChord) -> None:
    door = Door(chord, open_to_all=True)
    visits = [visit(door) for _ in range(100)]
    visitors = [await each.__aenter__() for each in visits]
    for number, visitor in enumerate(visitors):
        assert (await visitor.ask("watch", ref=number, context="room:1"))["ref"] == number
    assert door.statistics()["encodings"] == 1
    await chord.update_context("room:1", {"n": 2})
    deltas = [await visitor.hear_only("delta") for visitor in visitors]
    assert all(delta == deltas[0] for delta in deltas)
    assert door.statistics()["encodings"] == 2
    door.check()
    for each in visits:
        await each.__aexit__(None, None, None)


async def test_each_encoding_is_shared_by_itself(chord: StatelessChord) -> None:
    door = Door(chord, open_to_all=True)
    async with visit(door) as text, visit(door, encoding=Encoding.MSGPACK) as packed:
        await text.ask("watch", context="room:1")
        await packed.ask("watch", context="room:1")
        await chord.update_context("room:1", {"data": b"\xff"})
        assert (await text.hear())["changes"] == {"data": ["a", "/w=="]}
        assert (await packed.hear())["changes"] == {"data": ["a", b"\xff"]}


# -- what else it is -----------------------------------------------------------------------------


async def test_it_takes_part_in_a_lifespan(chord: StatelessChord) -> None:
    said: list[str] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(events)}

    async def send(message: Message) -> None:
        said.append(message["type"])

    door = Door(chord)
    await door({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert repr(door) == "<Door closed <Crowd of 0>>"


async def test_it_counts_who_is_there(door: Door) -> None:
    async with visit(door) as ana, visit(door, "bo"):
        await ana.ask("watch", context="room:1")
        counts = door.statistics()
        assert (counts["connections"], counts["principals"]) == (2, 2)
        door.check()
        assert repr(door) == "<Door open <Crowd of 2>>"


async def test_a_session_is_closed_only_once(door: Door) -> None:
    async with visit(door) as visitor:
        await door.disconnect("ana")
        door.close()
        with pytest.raises(Closed) as closed:
            await visitor.hear()
        assert closed.value.reason == "disconnected by the server"
