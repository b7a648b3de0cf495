"""Test runtimes that own contexts: one at a time, and what becomes of it when that changes."""

from __future__ import annotations

import asyncio

import pytest

from chord import (
    Append,
    BackendUnavailable,
    Commit,
    DeltaUpdate,
    Fenced,
    FullContext,
    Increment,
    NotApplied,
    OwnedElsewhere,
    Replica,
)
from tests.runtime.kinds import RELAXED, STATEFUL
from tests.runtime.stage import BRIEF, MakeRuntime, Runtime, Stage
from tests.runtime.test_leased import write_once_lapsed
from tests.runtime.test_watch import ask
from tests.waiting import outcome_of, running, turn, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[STATEFUL])
def make_runtime(request: pytest.FixtureRequest) -> MakeRuntime:
    """Those runtimes that own what they write."""
    make: MakeRuntime = request.param
    return make


in_any_durability = pytest.mark.parametrize("make_runtime", [STATEFUL, *RELAXED])


async def open_two(stage: Stage, **fields: object) -> tuple[Runtime, Runtime]:
    return await stage.open(**BRIEF, **fields), await stage.open(**BRIEF, **fields)


# -- one at a time -------------------------------------------------------------------------------


@in_any_durability
async def test_what_one_owns_another_cannot_write(stage: Stage) -> None:
    here, there = await stage.open(address="here:1"), await stage.open()
    await here.set_context("a", {"n": 1})
    for call in (
        there.set_context("a", {"n": 2}),
        there.update_context("a", {"n": 2}, create={}),
        there.transform_context("a", lambda state: {"n": 2}),
        there.delete_context("a"),
    ):
        with pytest.raises(OwnedElsewhere) as caught:
            await call
        assert isinstance(caught.value, NotApplied)
        assert caught.value.address == "here:1"
    assert (await there.get_context("a")).state == {"n": 1}
    assert (await here.update_context("a", {"n": 3})).position.version == 2


async def test_of_many_who_begin_it_at_once_one_does(stage: Stage) -> None:
    chords = [await stage.open() for _ in range(5)]
    results = await asyncio.gather(
        *(outcome_of(chord.set_context("a", {"by": n})) for n, chord in enumerate(chords))
    )
    [first] = [n for n, result in enumerate(results) if isinstance(result, Commit)]
    assert sum(isinstance(result, OwnedElsewhere) for result in results) == 4
    for chord in chords:
        assert (await chord.get_context("a")).state == {"by": first}


@in_any_durability
async def test_each_goes_on_from_what_the_other_wrote(stage: Stage) -> None:
    runtimes = await open_two(stage)
    await runtimes[0].set_context("a", {"log": []})
    for n in range(6):
        commit = await runtimes[n % 2].update_context("a", {"log": Append([n])})
        assert commit.position.version == n + 2
        await stage.let_go(runtimes[n % 2])
    for chord in runtimes:
        assert (await chord.get_context("a")).state == {"log": [*range(6)]}


@in_any_durability
async def test_replicas_may_change_from_one_to_the_other(stage: Stage) -> None:
    runtimes = await open_two(stage, snapshot_every=3, delta_threshold=40)
    replica = Replica()
    first = await runtimes[0].set_context("a", {})
    for n in range(20):
        owner, other = runtimes[n % 2], runtimes[1 - n % 2]
        await stage.let_go(other if n else owner)
        await owner.update_context("a", {f"k{n % 5}": n, "log": Append([n])})
        await owner.flush()
        replica.receive(await other.sync_context("a", replica.since))
        context = await owner.get_context("a")
        assert replica.state == context.state
        assert replica.position == context.position
    for chord in runtimes:
        assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)


async def test_a_watcher_is_told_of_all_whoever_owns_it(stage: Stage) -> None:
    runtimes = await open_two(stage, watch_poll=0.5)
    await runtimes[0].set_context("a", {"n": 0})
    replicas = [Replica(), Replica()]

    async def watch(chord: Runtime, replica: Replica) -> None:
        async with chord.watch_context("a") as replies:
            async for reply in replies:
                assert replica.receive(reply) != "gap"

    watching = [asyncio.create_task(watch(*pair)) for pair in zip(runtimes, replicas, strict=True)]
    for n in range(6):
        await stage.let_go(runtimes[1 - n % 2] if n else runtimes[0])
        await runtimes[n % 2].update_context("a", {"n": Increment()})
        async with running(stage.clock):
            await until(lambda n=n: all(r.state == {"n": n + 1} for r in replicas))  # type: ignore[misc]
    await stage.let_go(runtimes[1])
    await runtimes[0].delete_context("a")
    async with running(stage.clock):
        await asyncio.gather(*watching)
    assert all(replica.deleted for replica in replicas)


# -- a lease that lapses -------------------------------------------------------------------------


async def test_one_who_rested_for_long_goes_on_if_nobody_came(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(lease_ttl=1.0)
    first = await chord.set_context("a", {"n": 1})
    stage.clock.advance(20.0)
    await turn()
    backend.seen.clear()
    commit = await chord.update_context("a", {"n": 2})
    assert commit.position.epoch == first.position.epoch
    assert "load" not in backend.seen
    assert isinstance(await chord.sync_context("a", first.position), DeltaUpdate)


async def test_one_who_rested_too_long_finds_what_another_wrote(stage: Stage) -> None:
    here, there = await stage.open(lease_ttl=0.05), await stage.open(**BRIEF)
    first = await here.set_context("a", {"n": 1})
    second = await write_once_lapsed(stage, there, 2)
    assert second.position.epoch == first.position.epoch
    stage.clock.advance(1.0)
    assert (await here.get_context("a")).position == second.position
    with pytest.raises(OwnedElsewhere):
        await here.update_context("a", {"n": 3})
    assert (await here.get_context("a")).position == second.position
    await stage.let_go(there)
    third = await here.update_context("a", {"n": Increment()})
    assert third.delta is not None
    assert third.delta.from_version == second.position.version
    assert (await there.get_context("a")).state == {"n": 3}


async def test_what_is_sent_after_the_lease_has_lapsed_and_gone_is_refused(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(lease_ttl=0.05)
    there = await stage.open()
    first = await here.set_context("a", {"n": 1})
    async with here.watch_context("a", first.position) as replies:
        await anext(replies)
        waiting = ask(replies)
        backend.hold("commit", "renew")
        writing = asyncio.create_task(outcome_of(here.update_context("a", {"late": True})))
        held = await backend.next("commit")
        second = await write_once_lapsed(stage, there, 2)
        await held.go()
        await backend.pass_all()
        error = await writing
        assert isinstance(error, Fenced | OwnedElsewhere)
        assert error.applied is False
        reply = await waiting
        assert reply.position == second.position
    assert (await here.get_context("a")).state == {"n": 2}


@pytest.mark.parametrize("make_runtime", RELAXED)
async def test_what_was_shown_and_lost_with_the_lease_is_continued_by_nobody(stage: Stage) -> None:
    here, backend = await stage.open_by_hand(lease_ttl=0.05)
    there = await stage.open()
    await here.set_context("a", {"n": 1})
    backend.hold("commit", "renew")
    shown = await here.update_context("a", {"lost": True})
    second = await write_once_lapsed(stage, there, 2)
    assert second.position.epoch != shown.position.epoch
    await there.flush()
    await backend.pass_all()
    stage.clock.advance(1.0)
    for chord in (here, there):
        reply = await chord.sync_context("a", shown.position)
        assert isinstance(reply, FullContext)
        assert reply.context.state == {"n": 2}
    with pytest.raises(OwnedElsewhere):
        await here.update_context("a", {"n": 3})
    assert here.statistics()["lost"] == 1


# -- a store that is away ------------------------------------------------------------------------


async def test_who_cannot_be_sure_of_the_lease_answers_no_write(stage: Stage) -> None:
    chord, backend = await stage.open_by_hand(lease_ttl=1.0)
    await chord.set_context("a", {"n": 1})
    stage.clock.advance(5.0)
    await turn()
    stage.clock.advance(5.0)
    backend.hold("renew", "acquire")
    writing = asyncio.create_task(outcome_of(chord.update_context("a", {"n": 1})))
    await turn(100)
    assert not writing.done()
    while not writing.done():
        while backend.calls:
            backend.calls.pop().fail(BackendUnavailable("there", "away"))
        stage.clock.advance(1.0)
        await turn(1)
    assert isinstance(await writing, BackendUnavailable)
    backend.hold()
    assert not (await chord.update_context("a", {"n": 1})).changed
