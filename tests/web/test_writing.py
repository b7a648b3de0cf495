"""Test writes with care: what comes between the look and the write, and what is tried again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, get_args

import pytest

from actors import StatefulChord
from chord.api import Chord
from chord.changes import REMOVE, Increment
from chord.errors import ContextNotFound, InvalidArgument, InvalidState, VersionConflict
from chord.position import Position
from chord.stateless import StatelessChord
from chord.web.faults import Elsewhere, Forbidden
from chord.web.gate import Action, Gate, Hooks, Permit
from chord.web.views import OutOfSight, Views
from chord.web.writing import TRIES, Writing, name_operation
from tests.web.cards import GAME, see

pytestmark = pytest.mark.anyio

ALL: frozenset[Action] = frozenset(get_args(Action))
ANA = Permit("ana", "game", ALL)
NEW = Permit("ana", "new", ALL)
OPEN = Gate(Hooks(), open_to_all=True)

Meddle = Callable[[Chord], Awaitable[Any]]


class Meddled:
    """A runtime in which something happens just before a write begins, so many times."""

    def __init__(self, chord: Chord, meddle: Meddle, times: int = 1) -> None:
        self._chord = chord
        self._meddle = meddle
        self._times = times

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._chord, name)
        return call if name == "get_context" else self._meddle_before(call)

    def _meddle_before(self, call: Callable[..., Awaitable[Any]]) -> Any:
        async def meddled(*arguments: Any, **options: Any) -> Any:
            if self._times > 0:
                self._times -= 1
                await self._meddle(self._chord)
            return await call(*arguments, **options)

        return meddled


@pytest.fixture(params=[StatelessChord, StatefulChord], ids=["stateless", "stateful"])
async def chord(request: pytest.FixtureRequest) -> AsyncIterator[Chord]:
    async with request.param.open("memory://") as chord:
        await chord.set_context("game", GAME)
        yield chord


@pytest.fixture
def views() -> Views:
    return Views(Hooks(project=see), 100)


async def where(views: Views, chord: Chord) -> str:
    return views.look("ana", await chord.get_context("game")).told


async def shuffle(chord: Chord) -> None:
    """Change what is hidden."""
    await chord.update_context("game", {"deck": [], "shuffles": Increment()})


async def pass_turn(chord: Chord) -> None:
    """Change what is seen."""
    await chord.update_context("game", {"table": {"turns": Increment()}})


async def begin_game(chord: Chord) -> None:
    await chord.set_context("new", {"table": {"begun": True}})


# -- what comes between --------------------------------------------------------------------------


async def test_what_happens_unseen_stops_no_write(chord: Chord, views: Views) -> None:
    writing = Writing(Meddled(chord, shuffle, 3), views, OPEN)
    here = await where(views, chord)
    receipt = await writing.update(ANA, {"table": {"turn": "bo"}}, expected=here)
    assert receipt.changed
    state = (await chord.get_context("game")).state
    assert state["shuffles"] == 3
    assert state["table"]["turn"] == "bo"


async def test_what_happens_in_sight_is_a_conflict(chord: Chord, views: Views) -> None:
    writing = Writing(Meddled(chord, pass_turn), views, OPEN)
    here = await where(views, chord)
    with pytest.raises(VersionConflict):
        await writing.update(ANA, {"table": {"turn": "bo"}}, expected=here)
    assert (await chord.get_context("game")).state["table"]["turn"] == "ana"


async def test_a_write_that_others_always_precede_gives_up(chord: Chord, views: Views) -> None:
    writing = Writing(Meddled(chord, shuffle, 1000), views, OPEN)
    here = await where(views, chord)
    with pytest.raises(VersionConflict):
        await writing.update(ANA, {"table": {"turn": "bo"}}, expected=here)
    with pytest.raises(VersionConflict) as conflict:
        await writing.delete(ANA, expected=here)
    assert conflict.value.actual == Position.parse(here.partition("~")[0])
    assert (await chord.get_context("game")).state["shuffles"] == 2 * TRIES


async def test_a_delete_waits_for_what_happens_unseen(chord: Chord, views: Views) -> None:
    writing = Writing(Meddled(chord, shuffle), views, OPEN)
    assert await writing.delete(ANA, expected=await where(views, chord))


async def test_a_context_that_somebody_begins_just_now_is_written(
    chord: Chord, views: Views
) -> None:
    writing = Writing(Meddled(chord, begin_game, 2), views, OPEN)
    receipt = await writing.update(NEW, {"table": {"turn": "ana"}}, create={})
    assert not receipt.created
    assert (await chord.get_context("new")).state == {"table": {"begun": True, "turn": "ana"}}


# -- how a context begins ------------------------------------------------------------------------


async def test_who_creates_is_told_so(chord: Chord, views: Views) -> None:
    writing = Writing(chord, views, OPEN)
    assert (await writing.set(NEW, {"table": {}})).created
    assert not (await writing.set(NEW, {"table": {"n": 1}, "hands": {}})).created


async def test_an_update_of_nothing_is_not_found(chord: Chord, views: Views) -> None:
    for there in (None, 0):
        with pytest.raises(ContextNotFound):
            await Writing(chord, views, OPEN).update(NEW, {"table": {}}, expected=there)


async def test_a_set_that_expects_what_has_gone_is_a_conflict(chord: Chord, views: Views) -> None:
    here = await where(views, chord)
    await chord.delete_context("game")
    with pytest.raises(VersionConflict) as conflict:
        await Writing(chord, views, OPEN).set(ANA, {"table": {}}, expected=here)
    assert conflict.value.actual is None


async def test_a_delete_that_expects_what_has_gone_finds_nothing(
    chord: Chord, views: Views
) -> None:
    here = await where(views, chord)
    await chord.delete_context("game")
    assert not await Writing(chord, views, OPEN).delete(ANA, expected=here)


async def test_a_context_begins_once_for_one_operation(chord: Chord, views: Views) -> None:
    writing = Writing(chord, views, OPEN)
    first = await writing.update(NEW, {"table": {"n": 1}}, create={}, op_id="o")
    await chord.update_context("new", {"table": {"n": 2}})
    again = await writing.update(NEW, {"table": {"n": 1}}, create={}, op_id="o")
    assert again.position == first.position
    assert (await chord.get_context("new")).state == {"table": {"n": 2}}


# -- what a conflict tells ------------------------------------------------------------------------


async def test_a_conflict_tells_where_the_context_is_seen(chord: Chord, views: Views) -> None:
    here = await where(views, chord)
    await shuffle(chord)
    writing = Writing(chord, views, OPEN)
    for work in (writing.set(ANA, {"table": {}}, expected=0), writing.delete(ANA, expected=0)):
        with pytest.raises(VersionConflict) as conflict:
            await work
        assert conflict.value.actual == Position.parse(here.partition("~")[0])


async def test_who_guesses_where_the_context_is_learns_nothing(chord: Chord, views: Views) -> None:
    await where(views, chord)
    await shuffle(chord)
    guess = views.tell("ana", (await chord.get_context("game")).position)
    writing = Writing(chord, views, OPEN)
    with pytest.raises(VersionConflict):
        await writing.update(ANA, {}, expected=guess)
    with pytest.raises(VersionConflict):
        await writing.delete(ANA, expected=guess)


@pytest.mark.parametrize("hooks", [Hooks(), Hooks(project=see)], ids=["all", "views"])
async def test_who_may_not_read_is_not_told_where_the_context_is(
    chord: Chord, hooks: Hooks
) -> None:
    mute = Gate(Hooks(authorize=lambda who, action, context_id: action != "read"))
    writing = Writing(chord, Views(hooks, 100), mute)
    for work in (writing.set(ANA, {"table": {}}, expected=0), writing.delete(ANA, expected=0)):
        with pytest.raises(Elsewhere):
            await work


# -- whose an operation is ------------------------------------------------------------------------


@pytest.mark.parametrize("hooks", [Hooks(), Hooks(project=see)], ids=["all", "views"])
async def test_an_operation_of_another_is_another(chord: Chord, hooks: Hooks) -> None:
    writing = Writing(chord, Views(hooks, 100), OPEN)
    for who in ("ana", "bo", "ana"):
        permit = Permit(who, "game", ALL)
        await writing.update(permit, {"table": {"turns": Increment()}}, op_id="o")
    assert (await chord.get_context("game")).state["table"]["turns"] == 2


def test_operations_are_told_apart_by_who_and_word() -> None:
    asked: list[tuple[Any, str]] = [("a", "1"), ("b", "1"), ("a", "2"), (("a", 1), "1"), (1, "1")]
    assert len({name_operation(who, word) for who, word in asked}) == len(asked)


@pytest.mark.parametrize("word", ["", "a" * 513, "\0"])
def test_what_is_no_name_of_an_operation_is_refused(word: str) -> None:
    with pytest.raises(InvalidArgument, match="op_id"):
        name_operation("ana", word)


# -- what is asked of the view -------------------------------------------------------------------


async def test_a_transform_is_shown_the_view_and_no_more(chord: Chord, views: Views) -> None:
    shown: list[Any] = []

    def ask(view: Any) -> dict[str, Any]:
        shown.append(view)
        return {"table": {"turn": "bo"}}

    await Writing(chord, views, OPEN).transform(ANA, ask)
    assert shown == [see(GAME, "ana")]


async def test_a_transform_may_not_reach_out_of_sight(chord: Chord, views: Views) -> None:
    with pytest.raises(OutOfSight):
        await Writing(chord, views, OPEN).transform(ANA, lambda view: {"deck": REMOVE})
    assert (await chord.get_context("game")).state == GAME


async def test_what_a_transform_raises_is_raised(chord: Chord, views: Views) -> None:
    with pytest.raises(ZeroDivisionError):
        await Writing(chord, views, OPEN).transform(ANA, lambda view: 1 // 0)  # type: ignore[arg-type,return-value]
    assert (await Writing(chord, views, OPEN).update(ANA, {"table": {"turn": "bo"}})).changed


async def test_a_write_that_changes_nothing_stays_where_it_was_seen(
    chord: Chord, views: Views
) -> None:
    here = await where(views, chord)
    await shuffle(chord)
    receipt = await Writing(chord, views, OPEN).update(ANA, {"table": {"turn": "ana"}})
    assert (receipt.position, receipt.changed) == (here, False)


async def test_how_large_the_hidden_is_does_not_show(views: Views) -> None:
    async with StatelessChord.open("memory://", max_state_bytes=200) as chord:
        await chord.set_context("game", {"table": {}, "deck": ["x" * 100]})
        with pytest.raises(InvalidState) as invalid:
            await Writing(chord, views, OPEN).update(ANA, {"table": {"note": "x" * 300}})
    assert str(invalid.value) == "at the root: it cannot be stored so"


# -- what is allowed -----------------------------------------------------------------------------


async def test_nothing_is_done_without_a_permit(chord: Chord) -> None:
    writing = Writing(chord, Views(Hooks(), 100), OPEN)
    reader = Permit("ana", "game", frozenset({"read"}))
    here = str((await chord.get_context("game")).position)
    for there in (None, 0, here):
        with pytest.raises(Forbidden):
            await writing.set(reader, {}, expected=there)
        with pytest.raises(Forbidden):
            await writing.update(reader, {}, create={}, expected=there)
        with pytest.raises(Forbidden):
            await writing.transform(reader, lambda view: {}, expected=there)
        with pytest.raises(Forbidden):
            await writing.delete(reader, expected=there)
    assert (await chord.get_context("game")).state == GAME


@pytest.mark.parametrize("there", [1, -1, True, 0.0, "here", "41", b"e:1"])
async def test_what_is_no_position_is_expected_nowhere(chord: Chord, there: Any) -> None:
    for hooks in (Hooks(), Hooks(project=see)):
        with pytest.raises(InvalidArgument, match="expected"):
            await Writing(chord, Views(hooks, 100), OPEN).update(ANA, {}, expected=there)
