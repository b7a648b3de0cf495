"""Test what is seen of a context, what is remembered of that, and what of it may be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from chord.changes import REMOVE, Append, Increment, Replace
from chord.delta import apply, diff, equal, update
from chord.errors import ChordError, InvalidArgument, InvalidState
from chord.position import Position
from chord.records import Context
from chord.state import take_in
from chord.testing.strategies import patches, states
from chord.web.faults import Forbidden, HookFailed
from chord.web.gate import Hooks
from chord.web.views import OutOfSight, Views, between
from tests.web.cards import GAME, SECRET, see


def make_context(state: Mapping[str, Any], version: int = 1, epoch: str = "e") -> Context:
    return Context(
        context_id="game", state=take_in(state), position=Position(epoch, version), updated_at=0.0
    )


def make_views(limit: int = 100) -> Views:
    return Views(Hooks(project=see), limit)


def deal(state: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return update(take_in(state), changes)[0]


# -- looking -------------------------------------------------------------------------------------


def test_a_principal_sees_the_projection() -> None:
    sight = make_views().look("ana", make_context(GAME))
    assert sight.view == {"table": GAME["table"], "hands": {"ana": {"1": "ten"}}}


def test_those_of_one_view_key_share_one_projection() -> None:
    views = Views(Hooks(project=see, view_key=lambda name: name[0]), 100)
    first = views.look("ana", make_context(GAME))
    assert views.look("amy", make_context(GAME)) is first
    assert views.projections == 1


def test_those_of_other_view_keys_share_nothing() -> None:
    views = make_views()
    ana, bo = (views.look(name, make_context(GAME)) for name in ("ana", "bo"))
    assert ana.view != bo.view
    assert ana.tag != bo.tag


def test_a_view_that_did_not_change_stays_at_its_position() -> None:
    views = make_views()
    first = views.look("ana", make_context(GAME))
    hidden = make_context(deal(GAME, {"deck": []}), 2)
    assert views.look("ana", hidden) is first
    assert first.position == Position("e", 1)


def test_a_new_life_is_another_sight_though_it_looks_the_same() -> None:
    views = make_views()
    first = views.look("ana", make_context(GAME))
    assert views.look("ana", make_context(GAME, epoch="f")) is not first


def test_a_sight_tells_what_became_of_the_one_before() -> None:
    views = make_views()
    old = views.look("ana", make_context(GAME))
    new = views.look("ana", make_context(deal(GAME, {"table": {"turn": "bo"}}), 2))
    assert new.before == old.position
    assert equal(between(old, new), diff(old.view, new.view))
    assert between(old, old) == {}


def test_what_lies_further_apart_is_compared() -> None:
    views = make_views()
    old = views.look("ana", make_context(GAME))
    for version, turn in enumerate(["bo", "cy"], 2):
        new = views.look("ana", make_context(deal(GAME, {"table": {"turn": turn}}), version))
    assert equal(apply(take_in(old.view), between(old, new)), new.view)


def test_a_late_reader_does_not_turn_back_what_is_latest() -> None:
    views = make_views()
    later = views.look("ana", make_context(deal(GAME, {"table": {"turn": "bo"}}), 5))
    assert views.look("ana", make_context(GAME, 3)).view["table"]["turn"] == "ana"
    assert views.glance("ana", "game", Position("e", 5)) is later
    views.check()


def test_a_glance_finds_what_was_looked_at_and_nothing_older() -> None:
    views = make_views()
    sight = views.look("ana", make_context(GAME, 4))
    assert views.glance("ana", "game", Position("e", 4)) is sight
    assert views.glance("ana", "game", Position("e", 3)) is sight
    assert views.glance("ana", "game", Position("e", 5)) is None
    assert views.glance("ana", "game", Position("f", 1)) is None
    assert views.glance("bo", "game", Position("e", 4)) is None


def test_no_more_is_remembered_than_the_limit() -> None:
    views = make_views(limit=2)
    sights = [
        views.look("ana", make_context(deal(GAME, {"table": {"turn": turn}}), version))
        for version, turn in enumerate(["a", "b", "c"], 1)
    ]
    known = [views.recall("game", "ana", sight.position) for sight in sights]
    assert known == [None, *sights[1:]]
    views.check()


def test_what_is_kept_is_forgotten_later() -> None:
    views = make_views(limit=2)
    old = views.look("ana", make_context(GAME, 1))
    views.look("ana", make_context(deal(GAME, {"table": {"turn": "b"}}), 2))
    views.keep("game", old)
    views.look("ana", make_context(deal(GAME, {"table": {"turn": "c"}}), 3))
    assert views.recall("game", "ana", old.position) is old


@pytest.mark.parametrize("project", [lambda state, who: 1 / 0, lambda state, who: [1]])
def test_a_projection_that_fails_is_a_fault(project: Any) -> None:
    with pytest.raises(HookFailed):
        Views(Hooks(project=project), 10).look("ana", make_context(GAME))


def test_a_projection_may_refuse() -> None:
    def project(state: Any, who: Any) -> dict[str, Any]:
        raise PermissionError

    with pytest.raises(Forbidden):
        Views(Hooks(project=project), 10).look("ana", make_context(GAME))


# -- positions -----------------------------------------------------------------------------------


def test_a_position_is_read_by_whom_it_was_told() -> None:
    views = make_views()
    told = views.tell("ana", Position("e", 1))
    assert views.read("ana", "since", told) == Position("e", 1)


@pytest.mark.parametrize("text", ["e:1", "e:1~", "e:1~000000000000"])
def test_a_position_of_another_view_is_none(text: str) -> None:
    assert make_views().read("ana", "since", text) is None


def test_a_position_that_was_told_to_another_is_none() -> None:
    views = make_views()
    assert views.read("bo", "since", views.tell("ana", Position("e", 1))) is None


def test_where_nothing_is_hidden_a_position_is_plain() -> None:
    views = Views(Hooks(), 10)
    assert views.tell("ana", Position("e", 1)) == "e:1"
    assert views.read("ana", "since", "e:1") == Position("e", 1)
    assert views.read("ana", "since", "e:1~tag") is None


@pytest.mark.parametrize("text", ["", "41", "0", "e", "e:-1", "~", "e:x~tag", "a:b:1"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="since"):
        make_views().read("ana", "since", text)


# -- writing -------------------------------------------------------------------------------------


def write(changes: dict[str, Any], state: dict[str, Any] = GAME, who: str = "ana") -> None:
    state = take_in(state)
    make_views().check_write(who, state, see(state, who), changes)


WRITABLE: list[dict[str, Any]] = [
    {},
    {"table": {"turn": "bo"}},
    {"table": {"turn": "ana"}},
    {"table": {"log": Append(["ana passed"])}},
    {"table": {"score": Increment()}},
    {"table": {"log": REMOVE}},
    {"table": Replace({"turn": "bo"})},
    {"hands": {"ana": {"1": REMOVE, "3": "nine"}}},
    {"hands": {"ana": REMOVE}},
]

HIDDEN: list[dict[str, Any]] = [
    {"deck": []},
    {"deck": REMOVE},
    {"deck": ["king", SECRET]},
    {"deck": Append([])},
    {"deck": Append(["joker"])},
    {"deck": {}},
    {"deck": {"x": REMOVE}},
    {"deck": Replace({})},
    {"deck": Increment(0)},
    {"hands": {"bo": {"2": "two"}}},
    {"hands": {"bo": {"2": REMOVE}}},
    {"hands": {"bo": REMOVE}},
    {"hands": {"bo": {}}},
    {"hands": REMOVE},
    {"hands": []},
    {"hands": Replace({"ana": {"1": "ten"}})},
    {"table": {"turn": "bo"}, "deck": []},
]


@pytest.mark.parametrize("changes", WRITABLE, ids=repr)
def test_what_is_seen_may_be_written(changes: dict[str, Any]) -> None:
    write(changes)


@pytest.mark.parametrize("changes", HIDDEN, ids=repr)
def test_what_is_hidden_may_not_be_written(changes: dict[str, Any]) -> None:
    with pytest.raises(OutOfSight):
        write(changes)


@pytest.mark.parametrize("changes", [HIDDEN[0], *HIDDEN[2:13], HIDDEN[16]], ids=repr)
def test_the_answer_is_the_same_where_nothing_is_hidden_there(changes: dict[str, Any]) -> None:
    bare = {"table": GAME["table"], "hands": {"ana": {"1": "ten"}}}
    with pytest.raises(OutOfSight):
        write(changes, bare)


@pytest.mark.parametrize("state", [GAME, {"table": {}}])
def test_what_is_not_seen_cannot_be_removed_whether_it_is_there_or_not(state: Any) -> None:
    for changes in ({"deck": REMOVE}, {"hands": {"bo": REMOVE}}):
        with pytest.raises(OutOfSight):
            write(changes, state)


def test_a_refusal_tells_nothing_of_what_is_there() -> None:
    answers = set()
    for changes in HIDDEN:
        with pytest.raises(OutOfSight) as caught:
            write(changes)
        answers.add(str(caught.value))
    assert answers == {str(OutOfSight())}


def test_a_misfit_is_told_where_it_is_seen() -> None:
    with pytest.raises(InvalidState, match="turn"):
        write({"table": {"turn": Increment()}})


def test_a_misfit_out_of_sight_is_not_told() -> None:
    with pytest.raises(OutOfSight):
        write({"deck": Increment()})


def test_what_is_given_away_may_leave_the_view() -> None:
    state: dict[str, Any] = {"cards": {"1": {"owner": "ana"}, "2": {"owner": "bo"}}}

    def project(state: Mapping[str, Any], who: Any) -> dict[str, Any]:
        cards = state["cards"].items()
        return {"cards": {name: card for name, card in cards if card["owner"] == who}}

    views = Views(Hooks(project=project), 10)
    view = project(state, "ana")
    views.check_write("ana", state, view, {"cards": {"1": {"owner": "bo"}}})
    with pytest.raises(OutOfSight):
        views.check_write("ana", state, view, {"cards": {"3": {"owner": "bo"}}})


def test_what_a_projection_computes_cannot_be_written() -> None:
    views = Views(Hooks(project=lambda state, who: {**state, "count": len(state)}), 10)
    state = {"a": 1}
    with pytest.raises(OutOfSight):
        views.check_write("ana", state, {"a": 1, "count": 1}, {"count": 7})
    views.check_write("ana", state, {"a": 1, "count": 1}, {"a": 2, "b": 3})


def test_a_new_context_is_all_in_sight_of_who_makes_it() -> None:
    views = make_views()
    views.check_creation("ana", {"table": {}, "hands": {"ana": {}}})
    unseen: list[dict[str, Any]] = [GAME, {"deck": []}, {"hands": {"bo": {}}}]
    for state in unseen:
        with pytest.raises(OutOfSight):
            views.check_creation("ana", state)


def test_a_write_that_no_projection_can_show_is_out_of_sight() -> None:
    views = Views(Hooks(project=lambda state, who: {"people": dict(state["people"])}), 10)
    state = {"people": {"ana": 1}}
    with pytest.raises(OutOfSight):
        views.check_write("ana", state, state, {"people": REMOVE})
    with pytest.raises(OutOfSight):
        views.check_creation("ana", {})


@given(states(), patches())
def test_who_sees_all_may_write_whatever_fits(state: Any, changes: Any) -> None:
    views = Views(Hooks(project=lambda state, who: state), 10)
    state = take_in(state)
    try:
        update(state, changes)
    except ChordError:
        return
    try:
        views.check_write("ana", state, state, changes)
    except OutOfSight:
        assert "REMOVE" in repr(changes)  # of what is not there


@given(states(), states(), patches())
def test_a_write_that_passes_leaves_what_is_hidden_as_it_was(
    shown: Any, hidden: Any, changes: Any
) -> None:
    state = take_in({"shown": shown, "hidden": hidden})
    views = Views(Hooks(project=lambda state, who: {"shown": state.get("shown", {})}), 10)
    for ask in ({"shown": changes}, {"hidden": changes}, changes):
        try:
            views.check_write("ana", state, {"shown": state["shown"]}, ask)
        except ChordError:
            continue
        assert equal(update(state, ask)[0]["hidden"], state["hidden"])
