"""Test that the comparisons with peers do the same work on all sides, on tiny sizes: no times."""

from __future__ import annotations

import asyncio
import importlib
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.peers import asks, deltas
from benchmarks.peers.command import plan
from benchmarks.peers.counters import ours as our_counters
from benchmarks.peers.counters.counter import Counter
from benchmarks.peers.differs.differ import Differ
from benchmarks.peers.keeping import count_lost
from benchmarks.peers.rooms import ours as our_rooms
from benchmarks.peers.rooms.room import Room, build_silent_room, visit_and_audit
from benchmarks.peers.theme import Sizes
from benchmarks.results import Results, Skipped
from benchmarks.room import build_room
from benchmarks.timing import Effort
from chord import StatelessChord
from chord.testing.servers import find_redis
from examples.scenarios import Audit
from tests.examples.lossy import LossyBackend
from tests.servers import find_program

TINY = Sizes(asks=3, deltas=3, lacking=3, updates=3, clients=5, each=2)
ONCE = Effort(rounds=2, fewest=1, round_seconds=0.0)
HEAVY = "xoscar"
"""The peer that takes long to install and to import: `make peers` has it."""

pytestmark = pytest.mark.anyio


async def measure(theme: str, pattern: str = "*") -> Results:
    return await harness.measure(plan([theme], TINY, ONCE), pattern)


def check_shape(found: Results, theme: str) -> None:
    assert found.failed == ()
    assert found.measured
    assert {each.theme for each in found.outcomes} == {theme}
    names = [*(each.name for each in found.measured), *(each.name for each in found.figures)]
    assert len(set(names)) == len(names)
    for each in found.measured:
        assert each.kind == "peer"
        assert each.others
        assert all(len(samples.seconds) == 2 for samples in (each.ours, *each.others))


def hide(monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    """Have a library look as if it were not installed, to the module that is about it, too."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"{package}.{name}", raising=False)


# -- actors --------------------------------------------------------------------------------------


async def check_counting(counter: Counter) -> None:
    """Each way to ask adds one for each ask, and each ask is answered with what it came to."""
    assert await counter.add() == 1
    await run(counter.alone, 3)
    assert await counter.add() == 5
    await run(counter.at_once(4), 2)
    assert await counter.add() == 14


async def run(loop: Any, times: int) -> None:
    under_way = loop([None] * times)
    if under_way is not None:
        await under_way


@pytest.mark.parametrize(
    "peer",
    [pytest.param(each, marks=pytest.mark.slow if each == HEAVY else ()) for each in asks.PEERS],
)
async def test_an_actor_of_a_peer_counts_every_ask_once(peer: str) -> None:
    if peer == HEAVY:
        pytest.importorskip(HEAVY)
    counters = importlib.import_module(f"benchmarks.peers.counters.{peer}")
    async with counters.open_counter() as counter:
        await check_counting(counter)


async def test_so_do_ours() -> None:
    async with our_counters.open_counters() as counters:
        for counter in (counters.beside_state, counters.in_state, counters.updated):
            await check_counting(counter)


@pytest.mark.slow
async def test_asks_are_compared_with_every_peer() -> None:
    pytest.importorskip(HEAVY)
    found = await measure("asks")
    check_shape(found, "asks")
    assert found.skipped == ()
    assert all(len(each.others) == len(asks.PEERS) for each in found.measured)


async def test_a_peer_that_is_not_installed_is_skipped_by_name_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide(monkeypatch, "benchmarks.peers.counters", HEAVY)
    found = await measure("asks")
    check_shape(found, "asks")
    assert [(each.theme, each.name) for each in found.skipped] == [("asks", HEAVY)]
    assert all(len(each.others) == len(asks.PEERS) - 1 for each in found.measured)


# -- differences ---------------------------------------------------------------------------------


def load_differ(name: str) -> Differ:
    differ: Differ = importlib.import_module(f"benchmarks.peers.differs.{name}").DIFFER
    return differ


@pytest.mark.parametrize("peer", deltas.PEERS)
def test_a_peer_tells_two_states_apart_and_makes_the_second_of_the_first(peer: str) -> None:
    differ = load_differ(peer)
    old, new = build_room(), build_room()
    deltas.change_some(new)
    delta = differ.ready(differ.diff(old, new))
    assert differ.apply(old, delta) == new
    assert old == build_room()


@pytest.mark.parametrize("peer", ["jsonpatch", "dictdiffer"])
def test_differences_that_follow_each_other_are_put_together(peer: str) -> None:
    differ = load_differ(peer)
    first, second = build_room(), build_room()
    deltas.change_one(second)
    third = deepcopy(second)
    deltas.change_some(third)
    assert differ.join is not None
    joined = differ.join([differ.diff(first, second), differ.diff(second, third)])
    assert differ.apply(first, joined) == third


async def test_differences_are_compared_with_every_peer() -> None:
    found = await measure("deltas")
    check_shape(found, "deltas")
    assert {len(each.others) for each in found.measured} == {len(deltas.PEERS), 2}


async def test_a_merged_delta_is_not_larger_than_its_parts() -> None:
    found = await measure("deltas", "deltas: *JSON Patch*")
    merged, joined = (figure.value for figure in found.figures)
    assert 0 < merged <= joined


async def test_without_any_peer_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    for peer in deltas.PEERS:
        hide(monkeypatch, "benchmarks.peers.differs", peer)
    found = await measure("deltas")
    assert (found.outcomes, found.failed) == ((), ())
    assert [each.name for each in found.skipped] == list(deltas.PEERS)


# -- shared documents ----------------------------------------------------------------------------


async def test_a_room_of_maps_and_arrays_is_compared_with_ours() -> None:
    found = await measure("crdt")
    check_shape(found, "crdt")
    assert all(figure.value > 0 for figure in found.figures)


async def test_a_client_of_either_room_has_what_the_server_has() -> None:
    crdt = importlib.import_module("benchmarks.peers.crdt")
    async with StatelessChord.open("memory://") as chord:
        for room in (crdt.OurRoom(chord), crdt.TheirRoom()):
            await room.begin(updates=1)
            client = await room.enter()
            await crdt.write_on(room, 3)
            await client.follow()
            assert client.read() == (await room.enter()).read() != build_room()


# -- rooms in stores -----------------------------------------------------------------------------


def lost(found: Results) -> dict[str, float]:
    """What each room lost, by its name."""
    return {each.name.rpartition(": ")[2]: each.value for each in found.figures}


async def test_on_sqlite_only_the_room_without_a_lock_loses_updates() -> None:
    found = await measure("sqlite")
    check_shape(found, "sqlite")
    losses = lost(found)
    assert losses.pop("aiosqlite, without a lock") > 0
    assert set(losses.values()) == {0}
    assert {"StatefulChord", "StatelessChord"} < set(losses)


@pytest.mark.server
async def test_on_redis_only_the_room_that_gets_and_sets_loses_updates() -> None:
    find_program(find_redis)
    found = await measure("redis")
    check_shape(found, "redis")
    losses = lost(found)
    assert losses.pop("redis-py, GET then SET") > 0
    assert set(losses.values()) == {0}


async def test_without_a_server_the_theme_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = await measure("redis")
    assert found.skipped == (Skipped("redis", "redis-server is not on the PATH"),)


def keep_in_memory(*, loses_turns: bool) -> Room:
    """A room in a variable; it may let others in between a read and its write."""
    kept: dict[str, Any] = {}

    async def set(state: dict[str, Any]) -> None:
        kept["room"] = state

    async def say(user: str) -> None:
        state = deepcopy(kept["room"])
        if loses_turns:
            await asyncio.sleep(0)
        state["participants"][user]["said"] += 1
        kept["room"] = state

    async def get() -> dict[str, Any]:
        return deepcopy(kept["room"])

    return Room(name="in memory", set=set, say=say, get=get)


async def test_the_audit_counts_what_was_kept_of_what_was_acknowledged() -> None:
    kept = await visit_and_audit(keep_in_memory(loses_turns=False), 5, 2)
    assert kept == Audit(acknowledged=10, kept=10)
    lossy = await visit_and_audit(keep_in_memory(loses_turns=True), 5, 2)
    assert lossy == Audit(acknowledged=10, kept=2)


async def test_a_store_of_ours_that_loses_updates_is_an_error() -> None:
    backend = LossyBackend()
    await backend.open()
    async with StatelessChord(backend, cache_size=0) as chord, StatelessChord(backend) as reader:
        room = our_rooms.keep("lossy", chord, reader)
        await room.set(build_silent_room())
        sizes = Sizes(clients=1, each=20)
        with pytest.raises(RuntimeError, match="lossy: Audit"):
            await count_lost(room, sizes, may_lose=False)
        assert await count_lost(room, sizes, may_lose=True) > 0


# -- the command ---------------------------------------------------------------------------------


def test_the_command_writes_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.command.QUICK", ONCE)
    monkeypatch.setattr("benchmarks.peers.command.SMALL", TINY)
    out = tmp_path / "peers.json"
    assert main(["peers", "--quick", "--only", "deltas: apply*", "--out", str(out)]) == 0
    found = results.read(out)
    assert found.benchmark == "peers"
    assert {each.theme for each in found.measured} == {"deltas"}
    assert "jsonpatch" in capsys.readouterr().out
