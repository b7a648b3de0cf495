"""Test two players at one door: what is hidden from one never crosses, in whatever frame."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors import StatefulChord
from chord.api import Chord
from chord.changes import REMOVE, Append
from chord.delta import equal
from chord.stateless import StatelessChord
from chord.web.door import Door
from chord.web.wire import Encoding
from tests.waiting import turn, until
from tests.web.cards import GAME, SECRET, make_door, see
from tests.web.visitor import Visitor, visit

pytestmark = pytest.mark.anyio

GAME_ID = {"context": "game"}


@pytest.fixture(params=[StatelessChord, StatefulChord], ids=["stateless", "stateful"])
async def chord(request: pytest.FixtureRequest) -> AsyncIterator[Chord]:
    async with request.param.open("memory://") as chord:
        await chord.set_context("game", GAME)
        yield chord


@pytest.fixture
def door(chord: Chord) -> Door:
    return make_door(chord)


@pytest.fixture(params=list(Encoding), ids=lambda encoding: encoding.value)
async def ana(request: pytest.FixtureRequest, door: Door) -> AsyncIterator[Visitor]:
    """A player who must never be told the secret."""
    async with visit(door, "ana", encoding=request.param) as visitor:
        yield visitor
        assert SECRET not in visitor.told
        assert "deck" not in visitor.told
        assert "bo" not in visitor.told


# -- reading -------------------------------------------------------------------------------------


async def test_each_is_shown_their_own_view(door: Door) -> None:
    async with visit(door, "ana") as ana, visit(door, "bo") as bo, visit(door, "dealer") as dealer:
        shown = {
            visitor: (await visitor.ask("watch", **GAME_ID))["state"]
            for visitor in (ana, bo, dealer)
        }
        assert shown == {ana: see(GAME, "ana"), bo: see(GAME, "bo"), dealer: GAME}
        assert SECRET not in ana.told


async def test_what_changes_in_sight_is_told_as_a_delta(ana: Visitor, chord: Chord) -> None:
    full = await ana.ask("watch", **GAME_ID)
    await chord.update_context("game", {"table": {"turn": "you"}, "deck": [SECRET]})
    delta = await ana.hear_only("delta")
    assert delta["changes"] == {"table": {"turn": ["m", "you"]}}
    assert delta["from"] == full["position"]


async def test_what_changes_out_of_sight_does_not_show(ana: Visitor, chord: Chord) -> None:
    full = await ana.ask("watch", **GAME_ID)
    for number in range(3):
        await chord.update_context("game", {"deck": [SECRET, number]})
        await turn()
    assert ana.heard_nothing()
    current = await ana.ask("sync", ref=1, since=full["position"], **GAME_ID)
    assert (current["type"], current["position"]) == ("current", full["position"])


async def test_what_enters_the_view_is_new_and_what_leaves_it_is_gone(
    ana: Visitor, chord: Chord
) -> None:
    await ana.ask("watch", **GAME_ID)
    await chord.update_context("game", {"hands": {"bo": REMOVE, "ana": {"2": "queen"}}})
    assert (await ana.hear())["changes"] == {"hands": {"ana": {"2": ["a", "queen"]}}}
    await chord.update_context("game", {"hands": {"ana": REMOVE, "bo": {"1": "ten"}}})
    assert (await ana.hear())["changes"] == {"hands": {"ana": ["r"]}}
    await chord.update_context("game", {"hands": {"ana": {"3": "two"}}})
    assert (await ana.hear())["changes"] == {"hands": {"ana": ["a", {"3": "two"}]}}


async def test_a_view_that_depends_on_a_value_is_entered_and_left(chord: Chord) -> None:
    def project(state: Any, who: Any) -> dict[str, Any]:
        return {key: card for key, card in state.items() if card["owner"] == who}

    await chord.set_context("cards", {"1": {"owner": "ana", "face": "ten"}})
    door = make_door(chord, project=project)
    async with visit(door, "ana") as ana, visit(door, "bo") as bo:
        await ana.ask("watch", context="cards")
        await bo.ask("watch", context="cards")
        await chord.update_context("cards", {"1": {"owner": "bo"}})
        assert (await ana.hear())["changes"] == {"1": ["r"]}
        assert (await bo.hear())["changes"] == {"1": ["a", {"owner": "bo", "face": "ten"}]}
        await chord.update_context("cards", {"1": {"face": SECRET}})
        assert (await bo.hear())["changes"] == {"1": {"face": ["m", SECRET]}}
        await turn()
        assert ana.heard_nothing()


async def test_equal_views_cost_one_projection_and_one_encoding(chord: Chord) -> None:
    door = make_door(chord, view_key=lambda name: name[:3])
    visits = [visit(door, f"ana{number}") for number in range(20)]
    visitors = [await each.__aenter__() for each in visits]
    for visitor in visitors:
        await visitor.ask("watch", **GAME_ID)
    await chord.update_context("game", {"table": {"turn": "you"}})
    for visitor in visitors:
        await visitor.hear_only("delta")
    counts = door.statistics()
    assert (counts["projections"], counts["encodings"]) == (2, 2)
    door.check()
    for each in visits:
        await each.__aexit__(None, None, None)


async def test_the_end_of_the_context_is_told_where_it_was_last_seen(
    ana: Visitor, chord: Chord
) -> None:
    full = await ana.ask("watch", **GAME_ID)
    await chord.update_context("game", {"deck": []})
    await chord.delete_context("game")
    assert await ana.hear() == {"type": "deleted", "position": full["position"], **GAME_ID}


async def test_a_new_life_is_shown_whole(ana: Visitor, door: Door, chord: Chord) -> None:
    full = await ana.ask("watch", **GAME_ID)
    await ana.ask("unwatch", ref=1, **GAME_ID)
    await chord.delete_context("game")
    await chord.set_context("game", GAME)
    again = await ana.ask("watch", since=full["position"], **GAME_ID)
    assert (again["type"], again["reason"]) == ("full", "epoch-changed")


# -- coming back ---------------------------------------------------------------------------------


async def test_who_comes_back_is_told_what_changed_in_their_view(door: Door, chord: Chord) -> None:
    async with visit(door, "ana") as ana:
        full = await ana.ask("watch", **GAME_ID)
    async with visit(door, "other") as other:  # somebody makes the views go on meanwhile
        await other.ask("watch", **GAME_ID)
        await chord.update_context("game", {"table": {"turn": "x"}, "deck": []})
        await other.hear()
    async with visit(door, "ana") as ana:
        delta = await ana.ask("watch", since=full["position"], **GAME_ID)
        assert delta["changes"] == {"table": {"turn": ["m", "x"]}}
        assert delta["from"] == full["position"]


async def test_a_view_that_is_not_remembered_is_shown_whole(chord: Chord) -> None:
    async with visit(make_door(chord), "ana") as ana:
        full = await ana.ask("watch", **GAME_ID)
    async with visit(make_door(chord), "ana") as ana:  # after a restart
        again = await ana.ask("watch", since=full["position"], **GAME_ID)
        assert (again["type"], again["state"]) == ("full", full["state"])


async def test_a_position_of_another_view_gets_the_full_view(door: Door) -> None:
    async with visit(door, "ana") as ana, visit(door, "bo") as bo:
        mine = await ana.ask("watch", **GAME_ID)
        await bo.ask("watch", **GAME_ID)
        shown = await bo.ask("watch", since=mine["position"], **GAME_ID)
        assert (shown["type"], shown["state"]) == ("full", see(GAME, "bo"))


@pytest.mark.parametrize("told", [True, False])
async def test_who_changes_sides_is_shown_the_other_view(chord: Chord, told: bool) -> None:
    roles = {"ana": "ana"}

    def project(state: Any, who: Any) -> dict[str, Any]:
        return see(state, roles[who])

    door = make_door(chord, project=project, view_key=roles.__getitem__)

    async def change_sides(role: str, turn: str) -> None:
        roles["ana"] = role
        if told:
            await door.recheck("ana")
        else:
            await chord.update_context("game", {"table": {"turn": turn}})

    async with visit(door, "ana") as ana:
        full = await ana.ask("watch", **GAME_ID)
        await change_sides("bo", "x")
        shown = await ana.hear()
        assert (shown["type"], shown["reason"]) == ("full", "ahead")
        assert shown["state"]["hands"] == {"bo": {"2": SECRET}}
        await change_sides("ana", "y")
        shown = await ana.hear()
        assert (shown["type"], shown["reason"]) == ("full", "ahead")
        assert shown["state"]["hands"] == full["state"]["hands"]


# -- writing -------------------------------------------------------------------------------------

HIDDEN: list[dict[str, Any]] = [
    {"changes": {"deck": []}},
    {"changes": {"deck": None}, "types": [[["deck"], "remove"]]},
    {"changes": {"deck": ["x"]}, "types": [[["deck"], "append"]]},
    {"changes": {"deck": 1}, "types": [[["deck"], "increment"]]},
    {"changes": {"hands": {"cy": {"1": "x"}}}},
    {"changes": {"hands": {}}, "types": [[["hands"], "replace"]]},
    {"changes": {"table": {"turn": "x"}, "deck": []}},
]


@pytest.mark.parametrize("ask", HIDDEN)
async def test_a_write_out_of_sight_is_refused_and_nothing_is_written(
    ana: Visitor, chord: Chord, ask: dict[str, Any]
) -> None:
    here = (await chord.get_context("game")).position
    fault = await ana.ask("update", ref=1, **GAME_ID, **ask)
    assert (fault["code"], fault["applied"]) == ("forbidden", False)
    await ana.ask("watch", **GAME_ID)
    assert (await chord.get_context("game")).position == here


@pytest.mark.parametrize("ask", HIDDEN[:4])
async def test_the_answer_does_not_tell_whether_there_is_something(
    door: Door, chord: Chord, ask: dict[str, Any]
) -> None:
    async with visit(door, "ana") as ana:
        with_it = await ana.ask("update", ref=1, **GAME_ID, **ask)
        await chord.update_context("game", {"deck": REMOVE})
        assert await ana.ask("update", ref=1, **GAME_ID, **ask) == with_it


async def test_a_write_in_sight_is_done(ana: Visitor, chord: Chord) -> None:
    await ana.ask("watch", **GAME_ID)
    ana.say("update", ref=1, changes={"table": {"turn": "x"}}, op="o", **GAME_ID)
    heard = {message["type"]: message for message in [await ana.hear(), await ana.hear()]}
    assert heard["done"]["changed"]
    assert heard["done"]["position"] == heard["delta"]["position"]
    assert (await chord.get_context("game")).state == GAME | {
        "table": GAME["table"] | {"turn": "x"}
    }


async def test_a_set_leads_the_view_there_and_leaves_what_is_hidden(
    ana: Visitor, chord: Chord
) -> None:
    state = {"table": {"turn": "x"}, "hands": {"ana": {}}}
    assert (await ana.ask("set", ref=1, state=state, **GAME_ID))["changed"]
    now = (await chord.get_context("game")).state
    assert equal(now, {**GAME, "table": {"turn": "x"}, "hands": {**GAME["hands"], "ana": {}}})


async def test_a_set_that_reaches_out_of_sight_is_refused(ana: Visitor) -> None:
    unseen: list[dict[str, Any]] = [{"deck": []}, {"table": {}, "hands": {"cy": {}}}, {}]
    for state in unseen:
        fault = await ana.ask("set", ref=1, state=state, **GAME_ID)
        assert (fault["code"], fault["applied"]) == ("forbidden", False)


async def test_nobody_makes_what_they_do_not_see(ana: Visitor, chord: Chord) -> None:
    asks: list[dict[str, Any]] = [
        {"kind": "set", "state": GAME},
        {"kind": "update", "changes": {}, "create": GAME},
    ]
    for ask in asks:
        fault = await ana.ask(ref=1, context="new", **ask)
        assert fault["code"] == "forbidden"
    mine = {"table": {}, "hands": {"ana": {"1": "ten"}}}
    assert (await ana.ask("set", ref=1, context="new", state=mine))["changed"]
    changes = {"hands": {"ana": {"2": "two"}}}
    done = await ana.ask("update", ref=1, context="newer", changes=changes, create=mine)
    assert done["changed"]
    assert (await chord.get_context("newer")).state["hands"] == {"ana": {"1": "ten", "2": "two"}}


async def test_what_is_expected_is_what_was_seen(ana: Visitor, chord: Chord) -> None:
    seen = (await ana.ask("watch", **GAME_ID))["position"]
    await chord.update_context("game", {"deck": Append(["x"])})  # is none of their business
    await turn()
    ana.say("update", ref=1, changes={"table": {"turn": "x"}}, expected=seen, **GAME_ID)
    heard = {message["type"]: message for message in [await ana.hear(), await ana.hear()]}
    fault = await ana.ask("update", ref=2, changes={}, expected=seen, **GAME_ID)
    assert (fault["code"], fault["actual"]) == ("conflict", heard["done"]["position"])
    here = heard["done"]["position"]
    assert (await ana.ask("delete", ref=3, expected=seen, **GAME_ID))["code"] == "conflict"
    assert (await ana.ask("delete", ref=4, expected=here, **GAME_ID))["changed"]


async def test_an_operation_that_was_done_passes_again_though_it_expects_what_was(
    ana: Visitor, chord: Chord
) -> None:
    seen = (await ana.ask("sync", ref=0, **GAME_ID))["position"]
    ask = {"changes": {"table": {"turn": "x"}}, "expected": seen, "op": "o", **GAME_ID}
    first = await ana.ask("update", ref=1, **ask)
    await chord.update_context("game", {"table": {"turn": "y"}})
    assert (await ana.ask("update", ref=1, **ask))["position"] == first["position"]
    assert (await chord.get_context("game")).state["table"]["turn"] == "y"


async def test_a_position_of_another_view_is_never_the_expected_one(door: Door) -> None:
    async with visit(door, "ana") as ana, visit(door, "bo") as bo:
        mine = (await ana.ask("sync", ref=1, **GAME_ID))["position"]
        asks: list[dict[str, Any]] = [
            {"kind": "update", "changes": {}},
            {"kind": "delete"},
            {"kind": "set", "state": {}},
        ]
        for ask in asks:
            fault = await bo.ask(ref=2, expected=mine, **ask, **GAME_ID)
            assert fault["code"] == "conflict"


async def test_a_misfit_is_told_only_of_what_is_seen(ana: Visitor) -> None:
    types = [[["table", "turn"], "increment"]]
    said: dict[str, Any] = {"changes": {"table": {"turn": 1}}, "types": types}
    assert (await ana.ask("update", ref=1, **said, **GAME_ID))["code"] == "invalid"
    said = {"changes": {"deck": 1}, "types": [[["deck"], "increment"]]}
    assert (await ana.ask("update", ref=1, **said, **GAME_ID))["code"] == "forbidden"


# -- projections that fail -----------------------------------------------------------------------


async def test_a_projection_that_fails_shows_nothing(
    chord: Chord, caplog: pytest.LogCaptureFixture
) -> None:
    def project(state: Any, who: Any) -> dict[str, Any]:
        raise KeyError(SECRET)

    async with visit(make_door(chord, project=project), "ana") as ana:
        for kind, fields in (("watch", {}), ("sync", {}), ("update", {"changes": {"a": 1}})):
            fault = await ana.ask(kind, ref=1, **fields, **GAME_ID)
            assert (fault["code"], fault["applied"]) == ("internal", False)
        assert SECRET not in ana.told
    assert SECRET in caplog.text


async def test_a_projection_that_fails_later_ends_the_watch(
    chord: Chord, caplog: pytest.LogCaptureFixture
) -> None:
    def project(state: Any, who: Any) -> dict[str, Any]:
        return {"turn": state["table"]["turn"]}

    async with visit(make_door(chord, project=project), "ana") as ana:
        await ana.ask("watch", **GAME_ID)
        await chord.update_context("game", {"table": REMOVE})
        fault = await ana.hear()
        assert (fault["code"], fault["context"]) == ("internal", "game")
        await chord.update_context("game", {"table": {"turn": "x"}})
        assert (await ana.ask("watch", **GAME_ID))["state"] == {"turn": "x"}


async def test_a_slow_viewer_is_told_in_one_delta_what_they_missed(
    door: Door, chord: Chord
) -> None:
    async with visit(door, "ana") as ana:
        await ana.ask("watch", **GAME_ID)
        ana.reads.clear()
        before = ana.sent
        for number in range(20):
            await chord.update_context("game", {"table": {"n": number}, "deck": [number]})
        await until(lambda: ana.sent > before)
        await turn()
        assert ana.sent == before + 1
        ana.reads.set()
        first, second = [await ana.hear_only("delta") for _ in range(2)]
        assert second["from"] == first["position"]
        assert second["changes"] == {"table": {"n": ["m", 19]}}
