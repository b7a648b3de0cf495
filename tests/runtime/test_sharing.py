"""Test several runtimes that write to one store: compare-and-set settles between them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord import (
    Added,
    Append,
    Commit,
    ContextNotFound,
    DeltaUpdate,
    Increment,
    Replica,
    StatelessChord,
    VersionConflict,
)
from tests.runtime.stage import MakeRuntime, Stage
from tests.waiting import while_time_runs

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[pytest.param(StatelessChord, id="stateless")])
def make_runtime(request: pytest.FixtureRequest) -> MakeRuntime:
    """Those runtimes of which any number may write a context."""
    make: MakeRuntime = request.param
    return make


async def test_each_goes_on_from_what_the_other_wrote(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    await here.set_context("a", {"log": []})
    for n in range(0, 10, 2):
        assert (await here.update_context("a", {"log": Append([n])})).position.version == n + 2
        assert (await there.update_context("a", {"log": Append([n + 1])})).position.version == n + 3
    assert (await here.get_context("a")).state == {"log": list(range(10))}
    assert (await there.get_context("a")).state == {"log": list(range(10))}


async def test_a_transform_runs_again_on_what_is_there_now(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    await here.set_context("a", {"n": 1})
    await there.update_context("a", {"n": 10})
    seen: list[int] = []

    def double(state: Any) -> Any:
        seen.append(state["n"])
        return {"n": state["n"] * 2}

    commit = await here.transform_context("a", double)
    assert commit.delta is not None
    assert (await there.get_context("a")).state == {"n": 20}
    assert seen[-1] == 10


async def test_no_update_of_any_is_lost(stage: Stage) -> None:
    runtimes = [await stage.open() for _ in range(3)]
    await runtimes[0].set_context("a", {"n": 0})

    async def write(number: int) -> list[Commit]:
        chord = runtimes[number]
        calls = [
            chord.update_context("a", {f"{number}:{n}": n, "n": Increment()}) for n in range(40)
        ]
        return await asyncio.gather(*calls)

    commits = await while_time_runs(stage.clock, gather_all(*map(write, range(3))))
    versions = [commit.position.version for some in commits for commit in some]
    assert sorted(versions) == list(range(2, 122))
    contexts = [await chord.get_context("a") for chord in runtimes]
    assert contexts[0] == contexts[1] == contexts[2]
    assert contexts[0].state["n"] == 120
    assert len(contexts[0].state) == 121


async def gather_all(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls)


async def test_after_commit_attempts_it_is_a_conflict(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(commit_attempts=2)
    there = await stage.open()
    await here.set_context("a", {"n": 0})
    backend.hold("commit")
    writing = asyncio.create_task(here.update_context("a", {"m": 1}))
    for n in range(1, 4):
        held = await while_time_runs(stage.clock, backend.next("commit"))
        last = await there.update_context("a", {"n": n})
        await held.go()
    with pytest.raises(VersionConflict) as caught:
        await writing
    assert caught.value.applied is False
    assert caught.value.actual is not None
    assert (await there.get_context("a")).state == {"n": 3}
    assert (await there.get_context("a")).position == last.position


async def test_what_is_expected_is_held_against_what_the_other_wrote(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    first = await here.set_context("a", {"n": 1})
    second = await there.update_context("a", {"n": 2})
    with pytest.raises(VersionConflict) as caught:
        await here.update_context("a", {"n": 3}, expected=first.position)
    assert caught.value.actual == second.position
    assert (await here.update_context("a", {"n": 3}, expected=second.position)).changed


async def test_an_unchanged_answer_holds_for_what_is_there_now(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    await here.set_context("a", {"n": 1})
    await there.update_context("a", {"n": 2})
    commit = await here.set_context("a", {"n": 1})
    assert commit.changed
    assert commit.position.version == 3


async def test_after_a_delete_there_an_update_here_finds_nothing(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    first = await here.set_context("a", {"n": 1})
    await there.delete_context("a")
    with pytest.raises(ContextNotFound):
        await here.update_context("a", {"n": 2})
    commit = await here.set_context("a", {"n": 1})
    assert commit.position.version == 1
    assert commit.position.epoch != first.position.epoch


async def test_after_a_new_life_there_a_write_here_belongs_to_it(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    await here.set_context("a", {"n": 1, "old": True})
    await there.delete_context("a")
    second = await there.set_context("a", {"n": 5})
    commit = await here.update_context("a", {"n": Increment()})
    assert commit.position.epoch == second.position.epoch
    assert (await there.get_context("a")).state == {"n": 6}
    assert await here.delete_context("a", expected=commit.position)


async def test_of_two_who_create_one_does(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    one, other = await while_time_runs(
        stage.clock,
        gather_all(
            here.update_context("a", {"here": 1}, create={"n": 0}),
            there.update_context("a", {"there": 1}, create={"n": 0}),
        ),
    )
    assert sorted((one.position.version, other.position.version)) == [1, 2]
    assert one.position.epoch == other.position.epoch
    assert (await here.get_context("a")).state == {"n": 0, "here": 1, "there": 1}


async def test_deltas_of_the_other_are_served(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    first = await here.set_context("a", {})
    await there.update_context("a", {"x": 1})
    await here.update_context("a", {"y": 1})
    for chord in (here, there):
        reply = await chord.sync_context("a", first.position)
        assert isinstance(reply, DeltaUpdate)
        assert reply.delta.changes == {"x": Added(1), "y": Added(1)}


async def test_a_commit_keeps_its_context_whatever_the_other_writes(stage: Stage) -> None:
    here, there = await stage.open(), await stage.open()
    await here.set_context("a", {"n": 0})
    commit = await here.update_context("a", {"n": 1})
    for n in range(2, 6):
        await there.update_context("a", {"n": n})
    await here.get_context("a")
    assert commit.context.state == {"n": 1}


async def test_replicas_may_change_from_one_to_the_other(stage: Stage) -> None:
    runtimes = [await stage.open(snapshot_every=3, delta_threshold=4) for _ in range(2)]
    replica = Replica()
    await runtimes[0].set_context("a", {})
    for n in range(30):
        await runtimes[n % 3 % 2].update_context("a", {f"k{n % 5}": n, "log": Append([n])})
        if n % 4 < 3:
            replica.receive(await runtimes[n % 2].sync_context("a", replica.since))
            context = await runtimes[1 - n % 2].get_context("a")
            assert replica.state == context.state
            assert replica.position == context.position
