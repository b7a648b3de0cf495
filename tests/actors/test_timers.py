"""Test timers: when they tick, when they do not, and what a tick counts for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from actors import ContextActor, command, every
from chord import ConfigurationError, Event
from tests.actors.scene import DURABILITIES, Scene, staged
from tests.waiting import turn

pytestmark = pytest.mark.anyio


class Clockwork(ContextActor, prefix="clock:"):
    """Ticks each second, and each third one."""

    ticks: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event | None] = None
    fails: ClassVar[bool] = False
    moves: ClassVar[bool] = True

    def initial(self) -> dict[str, Any]:
        return {"n": 0}

    @every(1)
    def tick(self) -> None:
        self.ticks.append("tick")
        if self.moves:
            self.update({"n": self.state["n"] + 1})
        if self.fails:
            raise LookupError("no such thing")

    @every(3.0)
    async def tock(self) -> None:
        self.ticks.append("tock")
        if self.gate:
            await self.gate.wait()

    @command
    async def start(self) -> None: ...

    @command
    async def hold(self, gate: asyncio.Event) -> None:
        await gate.wait()

    @command
    def tick_now(self) -> None:
        self.tick()


@pytest.fixture(autouse=True)
def _wind_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Clockwork.ticks.clear()
    for name in ("gate", "fails", "moves"):
        monkeypatch.setattr(Clockwork, name, getattr(Clockwork, name))
    yield
    Clockwork.ticks.clear()


@pytest.fixture(params=DURABILITIES)
async def scene(request: pytest.FixtureRequest) -> Any:
    async with staged(durability=request.param) as scene:
        yield scene


async def started(scene: Scene) -> Clockwork:
    clockwork = scene.chord.actor(Clockwork, "clock:1")
    await clockwork.start()
    return clockwork


async def count(scene: Scene) -> int:
    return int((await scene.chord.get_context("clock:1")).state["n"])


async def test_a_timer_ticks_at_its_pace(scene: Scene) -> None:
    await started(scene)
    await scene.pass_time(6)
    assert Clockwork.ticks.count("tick") == 6
    assert Clockwork.ticks.count("tock") == 2


async def test_there_is_no_tick_before_its_time(scene: Scene) -> None:
    await started(scene)
    await scene.pass_time(0.5)
    assert Clockwork.ticks == []


async def test_there_is_no_tick_before_a_command_has_begun_it(scene: Scene) -> None:
    await scene.chord.set_context("clock:1", {"n": 0})
    await scene.pass_time(5)
    assert Clockwork.ticks == []


async def test_what_a_tick_changes_is_a_version(scene: Scene) -> None:
    await started(scene)
    await scene.pass_time(4)
    context = await scene.chord.get_context("clock:1")
    assert context.state == {"n": 4}
    assert context.position.version == 5


async def test_a_tick_takes_its_turn(scene: Scene) -> None:
    clockwork, gate = await started(scene), asyncio.Event()
    holding = scene.ask(clockwork.hold(gate))
    await turn()
    await scene.pass_time(2)
    assert Clockwork.ticks == []
    gate.set()
    await holding
    await turn()
    assert Clockwork.ticks == ["tick"]


async def test_a_tick_that_waits_is_not_sent_again(scene: Scene) -> None:
    clockwork, gate = await started(scene), asyncio.Event()
    holding = scene.ask(clockwork.hold(gate))
    await turn()
    await scene.pass_time(60)
    gate.set()
    await holding
    await turn()
    assert sorted(Clockwork.ticks) == ["tick", "tock"]
    await scene.pass_time(3)
    assert Clockwork.ticks.count("tick") == 4


async def test_a_tick_does_not_overlap_itself(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(scene)
    gate = asyncio.Event()
    monkeypatch.setattr(Clockwork, "gate", gate)
    await scene.pass_time(10)
    assert Clockwork.ticks.count("tock") == 1
    gate.set()
    await scene.pass_time(3)
    assert Clockwork.ticks.count("tock") == 2


async def test_ticks_that_were_missed_are_not_made_up_for(scene: Scene) -> None:
    await started(scene)
    scene.stall(5.5)
    await scene.pass_time(0.5)
    assert Clockwork.ticks.count("tick") <= 2
    before = Clockwork.ticks.count("tick")
    await scene.pass_time(3)
    assert Clockwork.ticks.count("tick") == before + 3


async def test_an_error_in_a_tick_is_noted_and_the_next_one_comes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(scene)
    monkeypatch.setattr(Clockwork, "fails", True)
    await scene.pass_time(2)
    assert Clockwork.ticks.count("tick") == 2
    assert await count(scene) == 0
    inspection = scene.chord.inspect("clock:1")
    assert inspection
    assert inspection.last_error == "LookupError('no such thing')"
    monkeypatch.setattr(Clockwork, "fails", False)
    await scene.pass_time(1)
    assert await count(scene) == 1


async def test_ticks_that_change_something_keep_the_context_live(scene: Scene) -> None:
    await started(scene)
    await scene.pass_time(700)
    assert scene.chord.inspect("clock:1")
    assert await count(scene) == 700


async def test_ticks_that_change_nothing_do_not(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clockwork, "moves", False)
    await started(scene)
    await scene.pass_time(500)
    assert scene.chord.inspect("clock:1") is None


async def test_timers_end_when_the_context_leaves_memory_and_begin_with_the_next_command(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clockwork, "moves", False)
    clockwork = await started(scene)
    await scene.pass_time(500)
    Clockwork.ticks.clear()
    await scene.pass_time(10)
    assert Clockwork.ticks == []
    await clockwork.start()
    await scene.pass_time(2)
    assert Clockwork.ticks == ["tick", "tick"]


async def test_timers_end_with_the_life_of_their_context(scene: Scene) -> None:
    await started(scene)
    await scene.chord.delete_context("clock:1")
    await scene.pass_time(5)
    assert Clockwork.ticks == []
    await scene.chord.set_context("clock:1", {"n": 0})
    await scene.pass_time(5)
    assert Clockwork.ticks == []


async def test_a_command_can_call_what_the_timer_calls(scene: Scene) -> None:
    clockwork = await started(scene)
    await clockwork.tick_now()
    assert await count(scene) == 1


async def test_a_tick_cannot_be_asked_for(scene: Scene) -> None:
    clockwork = await started(scene)
    with pytest.raises(AttributeError, match="'tick' is no command"):
        clockwork.tick()


@pytest.mark.parametrize("seconds", [0, -1, 0.0001, float("nan"), "1", None, True])
def test_a_timer_needs_a_time(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="every"):
        every(seconds)


async def test_a_slow_store_slows_the_ticks_down_and_nothing_piles_up() -> None:
    async with staged() as scene:
        await started(scene)
        scene.line.hold("commit")
        await scene.pass_time(8)
        assert Clockwork.ticks.count("tick") == 1
        inspection = scene.chord.inspect("clock:1")
        assert inspection
        assert inspection.unstored == 1


async def test_a_runtime_that_closes_is_not_held_up_by_ticks() -> None:
    async with staged(durability="write-behind") as scene:
        await started(scene)
        await scene.pass_time(3)
    assert await scene.store.load("clock:1") is not None


async def test_each_tick_is_told() -> None:
    events: list[Event] = []

    class Log:
        record = staticmethod(events.append)

    async with staged(telemetry=Log()) as scene:
        await started(scene)
        await scene.pass_time(3)
    told = [(event.operation, event.outcome) for event in events]
    assert told.count(("command:tick", "ok")) == 3
    assert told.count(("command:tock", "unchanged")) == 1
    assert len(told) == 5


async def test_a_derived_class_may_leave_a_timer_out(scene: Scene) -> None:
    class Quiet(Clockwork):
        tick = None  # type: ignore[assignment]

    await scene.chord.actor(Quiet, "clock:1").start()
    await scene.pass_time(4)
    assert Clockwork.ticks == ["tock"]
