"""Hold the part of the backend contract that is about leases and fencing tokens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord.backends.base import Backend
from chord.errors import Fenced, OwnedElsewhere, VersionConflict
from chord.position import Position
from chord.records import Fence, Grant, Operation, Snapshot
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_death,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import ContractFixtures, Elapse

TTL = 10.0


async def take(backend: Backend, owner: str = "ana", context_id: str = ROOM) -> Grant:
    return await backend.acquire(
        context_id, owner, ttl=TTL, address=f"http://{owner}", fresh_epoch=None
    )


class LeaseContract(ContractFixtures):
    # -- taking ------------------------------------------------------------------------------

    async def test_a_context_that_does_not_exist_can_be_leased(self, backend: Backend) -> None:
        grant = await take(backend)
        assert (grant.fence.owner, grant.stored) == ("ana", None)
        assert await backend.load(ROOM) is None
        assert await backend.heads([ROOM]) == {}
        assert not await backend.list("", None, 10)
        assert not await backend.due(1e9, 10)

    async def test_a_grant_holds_what_a_load_returns(self, backend: Backend) -> None:
        await backend.commit(make_birth(count=3, op_ids=("a", None, "c")))
        await backend.commit(
            make_step(walk(BORN, 2), count=4, snapshot=Snapshot(5, b"state-5"), trim_to=2)
        )
        grant = await take(backend)
        assert grant.stored
        assert grant.stored.snapshot == Snapshot(5, b"state-5")
        assert [entry.version for entry in grant.stored.entries] == [3, 4, 5, 6, 7]
        assert set(grant.stored.operations) == {"a", "c"}
        assert grant.stored == await backend.load(ROOM, operations=None)

    async def test_what_is_granted_is_what_there_is_until_the_owner_writes(
        self, backend: Backend
    ) -> None:
        await backend.commit(make_birth())
        steps = [
            make_step(walk(BORN, i), op_ids=(f"op-{i}",), snapshot=Snapshot(i + 2, b"s%d" % i))
            for i in range(20)
        ]
        commits = [asyncio.ensure_future(backend.commit(step)) for step in steps[:10]]
        taking = asyncio.ensure_future(take(backend))
        commits += [asyncio.ensure_future(backend.commit(step)) for step in steps[10:]]
        await asyncio.gather(*commits, return_exceptions=True)
        assert (await taking).stored == await backend.load(ROOM, operations=None)

    async def test_a_grant_tells_when_operations_were(self, backend: Backend) -> None:
        await backend.commit(make_birth(at=100.25, op_ids=("a",)))
        await backend.commit(make_step(BORN, at=200.5, op_ids=("b",)))
        grant = await take(backend)
        assert grant.stored
        assert grant.stored.operations == {
            "a": Operation(BORN, 100.25),
            "b": Operation(walk(BORN, 1), 200.5),
        }

    @pytest.mark.parametrize(
        ("since", "told"), [(100.0, {"old", "new"}), (100.5, {"new"}), (200.5, set())]
    )
    async def test_operations_from_before_a_time_are_not_granted(
        self, backend: Backend, since: float, told: set[str]
    ) -> None:
        await backend.commit(make_birth(at=100.0, op_ids=("old",)))
        await backend.commit(make_step(BORN, at=200.0, op_ids=("new",)))
        grant = await backend.acquire(
            ROOM, "ana", ttl=TTL, address="", fresh_epoch=None, operations_since=since
        )
        assert grant.stored
        assert set(grant.stored.operations) == told
        stored = await backend.load(ROOM, operations=None)
        assert stored
        assert set(stored.operations) == {"old", "new"}

    async def test_a_live_lease_keeps_others_out(self, backend: Backend, elapse: Elapse) -> None:
        await take(backend)
        await elapse(TTL / 2, ROOM)
        with pytest.raises(OwnedElsewhere) as owned:
            await take(backend, "bob")
        error = owned.value
        assert (error.context_id, error.owner, error.address) == (ROOM, "ana", "http://ana")

    async def test_a_lease_is_of_one_context_only(self, backend: Backend) -> None:
        await take(backend)
        grant = await take(backend, "bob", ROOM + "1")
        assert grant.fence.owner == "bob"

    async def test_a_lapsed_lease_can_be_taken(self, backend: Backend, elapse: Elapse) -> None:
        first = await take(backend)
        await elapse(TTL, ROOM)
        second = await take(backend, "bob")
        assert second.fence != first.fence
        with pytest.raises(Fenced):
            await backend.commit(make_birth(fence=first.fence, lease_ttl=TTL))
        await backend.commit(make_birth(fence=second.fence, lease_ttl=TTL))

    async def test_the_same_owner_can_take_its_lease_again(self, backend: Backend) -> None:
        first = await take(backend)
        second = await take(backend)
        with pytest.raises(Fenced):
            await backend.commit(make_birth(fence=first.fence, lease_ttl=TTL))
        await backend.commit(make_birth(fence=second.fence, lease_ttl=TTL))

    async def test_no_term_is_given_twice(self, backend: Backend, elapse: Elapse) -> None:
        fences: list[Fence] = []
        for i in range(9):
            fences.append((await take(backend)).fence)
            if i % 3 == 1:
                await backend.release(ROOM, fences[-1])
            if i % 3 == 2:
                await elapse(TTL, ROOM)
                await backend.commit(make_birth(epoch=f"e{i}"))
                await backend.commit(make_death(Position(f"e{i}", 1)))
        assert len({fence.term for fence in fences}) == len(fences)

    async def test_of_concurrent_takers_exactly_one_wins(self, backend: Backend) -> None:
        outcomes = await asyncio.gather(
            *(take(backend, f"owner-{i}") for i in range(20)), return_exceptions=True
        )
        assert sum(isinstance(outcome, Grant) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, OwnedElsewhere) for outcome in outcomes) == 19

    # -- writing under a lease ---------------------------------------------------------------

    async def test_a_live_lease_refuses_writes_without_token(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        await take(backend)
        for batch in (make_step(BORN), make_death(BORN)):
            with pytest.raises(OwnedElsewhere) as owned:
                await backend.commit(batch)
            assert (owned.value.owner, owned.value.address) == ("ana", "http://ana")
        assert await backend.heads([ROOM]) == {ROOM: BORN}

    async def test_creating_under_anothers_lease_is_refused(self, backend: Backend) -> None:
        await take(backend)
        with pytest.raises(OwnedElsewhere):
            await backend.commit(make_birth())

    async def test_a_token_that_is_not_current_is_refused(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        for other in (Fence("bob", fence.term), Fence("ana", fence.term + 1)):
            with pytest.raises(Fenced):
                await backend.commit(make_step(BORN, fence=other, lease_ttl=TTL))

    async def test_a_token_is_refused_where_there_is_no_lease(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await backend.release(ROOM, fence)
        with pytest.raises(Fenced):
            await backend.commit(make_step(BORN, fence=fence, lease_ttl=TTL))

    async def test_a_lapsed_token_that_nobody_took_still_writes(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await elapse(TTL * 3, ROOM)
        await backend.commit(make_step(BORN, fence=fence, lease_ttl=TTL))
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")

    async def test_a_commit_prolongs_its_lease(self, backend: Backend, elapse: Elapse) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await elapse(TTL * 0.75, ROOM)
        await backend.commit(make_step(BORN, fence=fence, lease_ttl=TTL))
        await elapse(TTL * 0.75, ROOM)
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")
        await elapse(TTL * 0.25, ROOM)
        await take(backend, "bob")

    async def test_a_commit_never_shortens_its_lease(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await backend.commit(make_step(BORN, fence=fence, lease_ttl=0.0))
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")

    async def test_a_refused_commit_does_not_prolong(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        with pytest.raises(VersionConflict):
            await backend.commit(make_step(walk(BORN, 3), fence=fence, lease_ttl=TTL * 9))
        await elapse(TTL, ROOM)
        await take(backend, "bob")

    async def test_a_write_without_token_clears_a_lapsed_lease(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await elapse(TTL, ROOM)
        await backend.commit(make_step(BORN))
        assert await backend.renew({ROOM: fence}, TTL) == {ROOM}
        assert not await backend.release(ROOM, fence)
        with pytest.raises(Fenced):
            await backend.commit(make_step(walk(BORN, 1), fence=fence, lease_ttl=TTL))

    async def test_a_refused_write_without_token_leaves_a_lapsed_lease(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        await elapse(TTL, ROOM)
        with pytest.raises(VersionConflict):
            await backend.commit(make_step(walk(BORN, 3)))
        await backend.commit(make_step(BORN, fence=fence, lease_ttl=TTL))

    async def test_a_lease_outlives_the_life_of_its_context(self, backend: Backend) -> None:
        fence = (await take(backend)).fence
        held: dict[str, Any] = {"fence": fence, "lease_ttl": TTL}
        await backend.commit(make_birth(**held))
        await backend.commit(make_death(BORN, **held))
        with pytest.raises(OwnedElsewhere):
            await backend.commit(make_birth(epoch="e2"))
        await backend.commit(make_birth(epoch="e2", **held))
        assert await backend.heads([ROOM]) == {ROOM: Position("e2", 1)}

    # -- renewing and releasing --------------------------------------------------------------

    async def test_renewing_prolongs(self, backend: Backend, elapse: Elapse) -> None:
        fence = (await take(backend)).fence
        await elapse(TTL * 0.75, ROOM)
        assert await backend.renew({ROOM: fence}, TTL) == set()
        await elapse(TTL * 0.75, ROOM)
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")
        await elapse(TTL * 0.25, ROOM)
        await take(backend, "bob")

    async def test_a_lapsed_lease_that_nobody_took_can_be_renewed(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        fence = (await take(backend)).fence
        await elapse(TTL * 3, ROOM)
        assert await backend.renew({ROOM: fence}, TTL) == set()
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")

    async def test_renewing_tells_which_leases_are_lost(
        self, backend: Backend, elapse: Elapse
    ) -> None:
        names = [f"leased:{i}" for i in range(300)]
        fences = {name: (await take(backend, "ana", name)).fence for name in names}
        await elapse(TTL, *names)
        await take(backend, "bob", names[0])
        await backend.release(names[1], fences[names[1]])
        fences["never leased"] = Fence("ana", 1)
        lost = {names[0], names[1], "never leased"}
        assert await backend.renew(fences, TTL) == lost
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob", names[2])

    async def test_renewing_nothing_is_harmless(self, backend: Backend) -> None:
        assert await backend.renew({}, TTL) == set()

    async def test_a_released_lease_is_gone(self, backend: Backend) -> None:
        await backend.commit(make_birth())
        fence = (await take(backend)).fence
        assert await backend.release(ROOM, fence)
        await backend.commit(make_step(BORN))
        assert (await take(backend, "bob")).fence.owner == "bob"

    async def test_releasing_what_is_not_held_answers_false(self, backend: Backend) -> None:
        fence = (await take(backend)).fence
        assert not await backend.release(ROOM, Fence("bob", fence.term))
        assert not await backend.release("never leased", fence)
        with pytest.raises(OwnedElsewhere):
            await take(backend, "bob")
        assert await backend.release(ROOM, fence)
        assert not await backend.release(ROOM, fence)

    async def test_a_lapsed_lease_can_be_released(self, backend: Backend, elapse: Elapse) -> None:
        fence = (await take(backend)).fence
        await elapse(TTL, ROOM)
        assert await backend.release(ROOM, fence)
        assert await backend.renew({ROOM: fence}, TTL) == {ROOM}
