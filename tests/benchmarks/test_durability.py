"""Test what is told of each durability: its cost, and what is lost by a kill. No times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.crash import Crash
from benchmarks.durability.command import plan
from benchmarks.durability.costs import Racer, compare
from benchmarks.durability.killing import Told, judge
from benchmarks.durability.sizes import Sizes
from benchmarks.modes import Mode
from benchmarks.results import Results, Skipped
from benchmarks.side import join_side
from benchmarks.timing import Effort
from chord.testing.servers import find_redis, find_valkey
from examples.scenarios import Audit
from tests.examples.lossy import LossyBackend
from tests.servers import find_program

TINY = Sizes(
    updates=3, kills=2, writers=4, contexts=2, seconds=0.05, later=0.01, flush_interval=0.01
)
ONCE = Effort(rounds=2, fewest=1, round_seconds=0.0)
SERVERS = {"Redis": find_redis, "Valkey": find_valkey}
MODES = ["stateless", "write-through", "write-behind", "memory"]

pytestmark = pytest.mark.anyio


# -- costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["memory", "SQLite"])
async def test_write_through_is_held_against_every_other_mode(store: str) -> None:
    check_costs(await harness.measure(plan(TINY, ONCE, [store]), f"{store}: *"), store)


@pytest.mark.server
@pytest.mark.parametrize(("store", "find"), SERVERS.items())
async def test_so_it_is_on_a_server(store: str, find: Callable[[], str]) -> None:
    find_program(find)
    check_costs(await harness.measure(plan(TINY, ONCE, [store]), f"{store}: *"), store)


def check_costs(found: Results, store: str) -> None:
    assert found.is_sound
    assert len(found.measured) == 3
    for each in found.measured:
        assert each.theme == store
        assert each.ours.name == "write-through"
        assert [other.name for other in each.others] == ["stateless", "write-behind", "memory"]
        assert all(len(samples.seconds) == 2 for samples in (each.ours, *each.others))


async def test_a_store_that_loses_updates_gets_no_figures() -> None:
    mode = Mode("stateless")
    backend = LossyBackend()
    await backend.open()
    async with join_side(mode.kind, backend) as side:
        await side.chord.set_context("room:1", {"clicks": 0})
        racer = Racer(Mode("stateful", "write-through"), side)
        with pytest.raises(RuntimeError, match="lost"):
            await compare("memory", "updates", [racer], [racer.at_once(100)], many())


def many() -> Effort:
    """Enough for a tenth of the commits to be some."""
    return Effort(rounds=30, fewest=30, round_seconds=0.0)


# -- kills ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_a_process_is_killed_while_it_writes_to_a_file(mode: str) -> None:
    check_crash(await kill("SQLite", mode), mode)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("store", "find"), SERVERS.items())
async def test_a_process_is_killed_while_it_writes_to_a_server(
    store: str, find: Callable[[], str], mode: str
) -> None:
    find_program(find)
    check_crash(await kill(store, mode), mode)


async def kill(store: str, mode: str) -> Crash:
    found = await harness.measure(plan(TINY, ONCE, [store]), f"{store}, killed: *{mode}")
    assert not found.failed
    (crash,) = found.crashes
    return crash


def check_crash(crash: Crash, mode: str) -> None:
    assert crash.holds
    assert crash.name == f"kill -9, {mode}"
    assert [each.seconds for each in crash.kills] == [0.05, pytest.approx(0.06)]
    assert all(each.audit.acknowledged > 0 for each in crash.kills)
    is_stored = mode in ("stateless", "write-through")
    assert crash.durable.acknowledged == (crash.audit.acknowledged if is_stored else 0)
    if is_stored:
        assert crash.audit.lost == 0
    if mode == "memory":
        assert crash.audit.kept == 0


async def test_what_dies_with_its_process_is_skipped_by_name() -> None:
    found = await harness.measure(plan(TINY, ONCE, ["memory"]), "memory, killed: *")
    assert found.skipped == (
        Skipped("memory", "nothing that is kept there outlives its process", "kill -9"),
    )


@pytest.mark.slow
def test_the_command_writes_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.durability.command.QUICK", TINY)
    out = tmp_path / "durability.json"
    assert main(["durability", "--quick", "--only", "SQLite*through", "--out", str(out)]) == 0
    assert results.read(out).crashes
    assert "kill -9, write-through" in capsys.readouterr().out


# -- the judgement -------------------------------------------------------------------------------


def told(*keys: str, durable: bool = False) -> list[Told]:
    return [Told("room", key, durable, float(moment)) for moment, key in enumerate(keys)]


def test_what_was_acknowledged_and_is_not_stored_is_lost() -> None:
    found = judge(told("a", "b", "c"), {"room": {"a"}}, 1.0)
    assert found.audit == Audit(3, 1)
    assert found.span == 1.0


def test_what_is_stored_and_was_not_acknowledged_is_counted_apart() -> None:
    found = judge(told("a"), {"room": {"a", "b"}}, 1.0)
    assert found.audit.lost == 0
    assert found.unacknowledged == 1


def test_what_was_said_to_be_stored_is_judged_apart() -> None:
    found = judge(told("a", durable=True) + told("b"), {"room": set()}, 1.0)
    assert found.durable == Audit(1, 0)


def test_a_context_that_is_not_there_has_lost_everything() -> None:
    assert judge(told("a", "b"), {"room": {}}, 1.0).audit.lost == 2


def test_where_nothing_is_lost_the_span_is_nothing() -> None:
    assert judge(told("a", "b"), {"room": {"a", "b"}}, 1.0).span == 0.0
