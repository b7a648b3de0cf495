"""Test how an application's actor begins and ends, and what becomes of its commands then."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from actors import ContextActor, StatefulChord, command
from chord import (
    ChordClosed,
    ContextNotFound,
    DeadlineExceeded,
    Event,
    FullContext,
    OutcomeTimeout,
)
from tests.actors.rooms import Room, state_of, version_of
from tests.actors.rooms import everywhere as everywhere
from tests.actors.rooms import scene as scene
from tests.actors.scene import DURABILITIES, Scene, done, staged
from tests.waiting import outcome_of, turn, until, while_time_runs

pytestmark = pytest.mark.anyio

notes: list[str] = []


class Stay(ContextActor, prefix="stay:"):
    """Notes when it comes and goes; `fails` says where it is to fail."""

    fails: ClassVar[str] = ""

    def __init__(self) -> None:
        if self.fails == "__init__":
            raise OSError(self.fails)

    def initial(self) -> dict[str, Any]:
        return {"visits": 0}

    def on_activate(self) -> None:
        notes.append("activate")
        self.update({"visits": self.state["visits"] + 1, "open": True})
        if self.fails == "on_activate":
            raise OSError(self.fails)

    def on_passivate(self) -> None:
        notes.append("passivate")
        self.update({"open": False})
        if self.fails == "on_passivate":
            raise OSError(self.fails)

    @command
    def go(self) -> int:
        notes.append("go")
        return int(self.state["visits"])

    @command
    def fail(self) -> None:
        raise LookupError("no such thing")


class SlowStay(Stay, prefix="slow:"):
    """The same, awaiting."""

    async def on_activate(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        Stay.on_activate(self)

    async def on_passivate(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        Stay.on_passivate(self)


KINDS = [(Stay, "stay:1"), (SlowStay, "slow:1")]
each_kind = pytest.mark.parametrize(("kind", "context_id"), KINDS)


@pytest.fixture(autouse=True)
def _clear(monkeypatch: pytest.MonkeyPatch) -> None:
    notes.clear()
    monkeypatch.setattr(Stay, "fails", "")


# -- activation ----------------------------------------------------------------------------------


@each_kind
async def test_it_is_activated_once_before_its_first_command(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    stay = everywhere.chord.actor(kind, context_id)
    assert list(await asyncio.gather(stay.go(), stay.go())) == [1, 1]
    assert notes == ["activate", "go", "go"]


@each_kind
async def test_what_on_activate_changes_is_a_version_of_its_own(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    await everywhere.chord.set_context(context_id, {"visits": 0})
    await everywhere.chord.actor(kind, context_id).go()
    assert await version_of(everywhere, context_id) == 2


@each_kind
async def test_one_that_cannot_be_activated_tells_each_caller(
    everywhere: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[Stay], context_id: str
) -> None:
    monkeypatch.setattr(Stay, "fails", "on_activate")
    stay = everywhere.chord.actor(kind, context_id)
    outcomes = await asyncio.gather(stay.go(), stay.go(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]
    assert notes == ["activate", "activate"]


@each_kind
async def test_one_that_cannot_be_activated_leaves_nothing(
    everywhere: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[Stay], context_id: str
) -> None:
    monkeypatch.setattr(Stay, "fails", "on_activate")
    stay = everywhere.chord.actor(kind, context_id)
    with pytest.raises(OSError, match="on_activate"):
        await stay.go()
    with pytest.raises(ContextNotFound):
        await everywhere.chord.get_context(context_id)
    await turn()
    assert everywhere.chord.statistics()["live"] == 0
    monkeypatch.setattr(Stay, "fails", "")
    assert await stay.go() == 1
    assert notes == ["activate", "activate", "go"]


async def test_one_that_cannot_be_made_tells_its_caller(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stay, "fails", "__init__")
    stay = scene.chord.actor(Stay, "stay:1")
    with pytest.raises(OSError, match="__init__"):
        await stay.go()
    monkeypatch.setattr(Stay, "fails", "")
    assert await stay.go() == 1


async def test_a_context_that_was_activated_stays_though_its_first_command_failed(
    everywhere: Scene,
) -> None:
    with pytest.raises(LookupError):
        await everywhere.chord.actor(Stay, "stay:1").fail()
    assert await state_of(everywhere, "stay:1") == {"visits": 1, "open": True}


async def test_a_command_whose_caller_left_while_it_was_activated_is_not_done(
    scene: Scene,
) -> None:
    scene.line.hold("commit")
    going = scene.ask(scene.chord.actor(SlowStay, "slow:1").go())
    birth = await scene.line.next("commit")
    going.cancel()
    await turn()
    scene.line.hold()
    await birth.go()
    assert await scene.chord.actor(SlowStay, "slow:1").go() == 1
    assert notes == ["activate", "go"]


async def test_plain_updates_activate_no_actor(scene: Scene) -> None:
    await scene.chord.set_context("stay:1", {"visits": 5})
    await scene.chord.update_context("stay:1", {"visits": 6})
    await scene.pass_time(400)
    assert notes == []


# -- passivation ---------------------------------------------------------------------------------


@each_kind
async def test_on_passivate_is_the_last_command(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    stay = everywhere.chord.actor(kind, context_id)
    await stay.go()
    await everywhere.pass_time(400)
    assert notes == ["activate", "go", "passivate"]
    assert everywhere.chord.statistics()["live"] == 0
    assert await state_of(everywhere, context_id) == {"visits": 1, "open": False}


@each_kind
async def test_the_next_command_activates_it_again(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    stay = everywhere.chord.actor(kind, context_id)
    await stay.go()
    await everywhere.pass_time(400)
    assert await stay.go() == 2
    assert notes == ["activate", "go", "passivate", "activate", "go"]


@each_kind
async def test_an_error_of_on_passivate_keeps_nothing_in_memory(
    everywhere: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[Stay], context_id: str
) -> None:
    await everywhere.chord.actor(kind, context_id).go()
    monkeypatch.setattr(Stay, "fails", "on_passivate")
    await everywhere.pass_time(400)
    assert everywhere.chord.statistics()["live"] == 0
    assert (await state_of(everywhere, context_id))["open"] is True


async def test_a_command_that_comes_while_it_passivates_finds_another(scene: Scene) -> None:
    stay = scene.chord.actor(Stay, "stay:1")
    await stay.go()
    scene.line.hold("commit")
    await scene.pass_time(400)
    going = scene.ask(stay.go())
    await turn()
    await scene.line.pass_all()
    assert await going == 2
    assert notes == ["activate", "go", "passivate", "activate", "go"]


async def test_what_begins_and_ends_is_told() -> None:
    events: list[Event] = []

    class Log:
        record = staticmethod(events.append)

    async with staged(telemetry=Log()) as scene:
        await scene.chord.actor(Stay, "stay:1").go()
    assert [(event.operation, event.outcome) for event in events] == [
        ("command:on_activate", "ok"),
        ("command:go", "unchanged"),
        ("command:on_passivate", "ok"),
    ]


@each_kind
async def test_when_its_context_is_deleted_it_ends(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    stay = everywhere.chord.actor(kind, context_id)
    await stay.go()
    assert await everywhere.chord.delete_context(context_id)
    await turn()
    assert notes == ["activate", "go", "passivate"]
    with pytest.raises(ContextNotFound):
        await everywhere.chord.get_context(context_id)
    assert await stay.go() == 1
    assert notes[3:] == ["activate", "go"]


@each_kind
async def test_a_command_that_waits_behind_a_delete_finds_another_life(
    everywhere: Scene, kind: type[Stay], context_id: str
) -> None:
    stay = everywhere.chord.actor(kind, context_id)
    await stay.go()
    await asyncio.gather(everywhere.chord.delete_context(context_id), stay.go())
    assert notes == ["activate", "go", "passivate", "activate", "go"]


async def test_when_its_context_is_restored_another_begins() -> None:
    async with staged(provider=lambda context_id: {"visits": 40}) as scene:
        stay = scene.chord.actor(Stay, "stay:1")
        await stay.go()
        await scene.chord.restore_context("stay:1")
        assert await stay.go() == 41
    assert notes[:5] == ["activate", "go", "passivate", "activate", "go"]


async def test_the_oldest_of_too_many_leaves_by_on_passivate() -> None:
    async with staged(max_live_contexts=1) as scene:
        await scene.chord.actor(Stay, "stay:1").go()
        await scene.chord.actor(Stay, "stay:2").go()
        await turn()
        assert notes.count("passivate") == 1
        assert await state_of(scene, "stay:1") == {"visits": 1, "open": False}


async def test_a_watcher_sees_it_come_and_go(scene: Scene) -> None:
    await scene.chord.set_context("stay:1", {"visits": 0})
    async with scene.chord.watch_context("stay:1") as replies:
        assert isinstance(await anext(replies), FullContext)
        await scene.chord.actor(Stay, "stay:1").go()
        await anext(replies)
        await scene.pass_time(400)
        reply = await anext(replies)
    assert reply.position.version == 3


# -- callers who leave ---------------------------------------------------------------------------


async def test_an_async_command_completes_though_its_caller_is_cancelled(everywhere: Scene) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    waiting = asyncio.create_task(room.wait({"n": 50}))
    await until(lambda: "waits" in Room.notes)
    waiting.cancel()
    await turn()
    Room.gate.set()
    assert await room.add() == 51
    assert waiting.cancelled()


async def test_a_command_that_has_not_begun_is_taken_back_with_its_caller(
    everywhere: Scene,
) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    waiting = everywhere.ask(room.wait())
    await until(lambda: "waits" in Room.notes)
    adding = asyncio.create_task(room.add(100))
    await turn()
    adding.cancel()
    await turn()
    Room.gate.set()
    await waiting
    assert await room.add() == 2


async def test_a_timeout_before_the_command_began_says_that_it_was_not_done(
    everywhere: Scene,
) -> None:
    room = everywhere.chord.actor(Room, "room:1")
    await room.add()
    waiting = everywhere.ask(room.wait())
    await until(lambda: "waits" in Room.notes)
    adding = everywhere.ask(everywhere.chord.actor(Room, "room:1", timeout=2.0).add(100))
    await turn()
    everywhere.clock.advance(2.0)
    assert isinstance(await done(adding), DeadlineExceeded)
    Room.gate.set()
    await waiting
    assert await room.add() == 2


async def test_a_timeout_while_the_command_runs_says_that_nobody_knows(everywhere: Scene) -> None:
    await everywhere.chord.actor(Room, "room:1").add()
    hurried = everywhere.chord.actor(Room, "room:1", timeout=2.0)
    waiting = everywhere.ask(hurried.wait({"n": 50}))
    await until(lambda: "waits" in Room.notes)
    everywhere.clock.advance(2.0)
    assert isinstance(await done(waiting), OutcomeTimeout)
    Room.gate.set()
    assert await hurried.add() == 51


# -- the end of the runtime ----------------------------------------------------------------------


class Asking(ContextActor, prefix="asking:"):
    """Asks another when the gate opens."""

    def initial(self) -> dict[str, Any]:
        return {}

    @command
    async def ask(self) -> None:
        await Room.gate.wait()
        try:
            await self.chord.actor(Room, "room:1").add()
        except ChordClosed:
            self.update({"refused": True})


class Session:
    """A runtime that the test closes itself."""

    def __init__(self, chord: StatefulChord) -> None:
        self.chord = chord
        self._leave = asyncio.Event()
        self._lived = asyncio.create_task(self._live())

    async def _live(self) -> None:
        async with self.chord:
            await self._leave.wait()

    def begin_to_close(self) -> asyncio.Task[None]:
        self._leave.set()
        return self._lived


@pytest.fixture(params=DURABILITIES)
async def session(request: pytest.FixtureRequest, scene: Scene) -> Session:
    settings = {"clock": scene.clock, "watch_poll": None, "durability": request.param}
    session = Session(StatefulChord(scene.store, drain_timeout=5.0, **settings))
    await turn()
    return session


async def test_a_runtime_that_closes_finishes_what_was_asked(
    scene: Scene, session: Session
) -> None:
    room = session.chord.actor(Room, "room:1")
    await room.add()
    waiting = scene.ask(room.wait({"n": 10}))
    adding = scene.ask(room.add())
    await until(lambda: "waits" in Room.notes)
    closed = session.begin_to_close()
    await turn()
    assert not closed.done()
    assert isinstance(await outcome_of(room.add()), ChordClosed)
    Room.gate.set()
    assert [await waiting, await adding] == [10, 11]
    await closed
    assert (await state_of(scene))["n"] == 11


async def test_a_runtime_that_closes_passivates(session: Session) -> None:
    await session.chord.actor(SlowStay, "slow:1").go()
    await session.begin_to_close()
    assert notes == ["activate", "go", "passivate"]


async def test_a_command_cannot_ask_others_of_a_runtime_that_closes(
    scene: Scene, session: Session
) -> None:
    asking = scene.ask(session.chord.actor(Asking, "asking:1").ask())
    await turn()
    closed = session.begin_to_close()
    await turn()
    Room.gate.set()
    await asking
    await closed
    assert await state_of(scene, "asking:1") == {"refused": True}


async def test_a_command_that_never_returns_is_given_up_in_the_end(
    scene: Scene, session: Session
) -> None:
    room = session.chord.actor(Room, "room:1")
    await room.add()
    waiting = scene.ask(room.wait({"n": 10}))
    adding = scene.ask(room.add())
    await until(lambda: "waits" in Room.notes)
    closed = session.begin_to_close()
    await while_time_runs(scene.clock, asyncio.wait_for(closed, None))
    assert isinstance(await waiting, ChordClosed)
    assert isinstance(await adding, ChordClosed)
