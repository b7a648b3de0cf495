"""Test how leases are taken, confirmed and given back, on the memory backend, held up by hand."""

from __future__ import annotations

import asyncio

import pytest

from actors.lease import Lease, Leases
from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.config import Settings
from chord.errors import BackendUnavailable, OwnedElsewhere
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_step
from chord.testing.faulty import FaultyBackend
from tests.by_hand import ByHand
from tests.waiting import turn

TTL = 10.0

pytestmark = pytest.mark.anyio


class Place:
    """A store that has one context, and its owners."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryBackend(clock=self.clock)
        self.line = ByHand(self.store)

    def make(self, durability: str = "write-through", *, by_hand: bool = False) -> Leases:
        settings = Settings(clock=self.clock, lease_ttl=TTL, durability=durability)  # type: ignore[arg-type]
        return Leases(self.line if by_hand else self.store, settings)

    async def is_marked(self) -> bool:
        stored = await self.store.load(ROOM)
        assert stored is not None
        return stored.unclean


@pytest.fixture
async def place() -> Place:
    made = Place()
    await made.store.open()
    await made.store.commit(make_birth())
    return made


# -- activation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durability", "marks"), [("write-through", False), ("write-behind", True), ("memory", True)]
)
async def test_only_who_may_show_what_is_not_stored_marks_the_context(
    place: Place, durability: str, marks: bool
) -> None:
    _, stored = await place.make(durability).activate(ROOM)
    assert stored is not None
    assert stored.position == BORN
    place.clock.advance(TTL + 1)
    assert await place.is_marked() is marks


@pytest.mark.parametrize("durability", ["write-through", "write-behind"])
async def test_past_an_open_mark_a_new_epoch_begins(place: Place, durability: str) -> None:
    await place.make("memory").activate(ROOM)
    place.clock.advance(TTL + 1)
    _, stored = await place.make(durability).activate(ROOM)
    assert stored is not None
    assert stored.position.epoch != BORN.epoch
    assert stored.position.version == BORN.version == stored.floor


async def test_a_context_that_is_not_there_can_be_leased(place: Place) -> None:
    lease, stored = await place.make().activate("nothing")
    assert stored is None
    assert lease.is_sure(place.clock.monotonic())


async def test_another_is_told_who_owns_it(place: Place) -> None:
    first, second = place.make(), place.make()
    await first.activate(ROOM)
    with pytest.raises(OwnedElsewhere) as raised:
        await second.activate(ROOM)
    assert raised.value.owner == first.owner


async def test_a_new_epoch_begins_on_demand_whether_there_was_a_mark_or_not(place: Place) -> None:
    leases = place.make()
    _, before = await leases.activate(ROOM)
    _, after = await leases.begin_epoch(ROOM)
    assert before is not None
    assert after is not None
    assert after.position.epoch != before.position.epoch


# -- how long it lasts ---------------------------------------------------------------------------


async def test_a_lease_is_counted_from_before_the_store_was_asked(place: Place) -> None:
    place.line.hold("acquire")
    taking = asyncio.create_task(place.make(by_hand=True).activate(ROOM))
    asked = place.clock.monotonic()
    call = await place.line.next("acquire")
    place.clock.advance(3.0)
    await call.go()
    lease, _ = await taking
    assert lease.until == asked + TTL


async def test_so_is_its_renewal(place: Place) -> None:
    leases = place.make(by_hand=True)
    lease, _ = await leases.activate(ROOM)
    place.clock.advance(5.0)
    place.line.hold("renew")
    renewing = asyncio.create_task(leases.renew({ROOM: lease}))
    call = await place.line.next("renew")
    place.clock.advance(3.0)
    await call.go()
    assert await renewing == set()
    assert lease.until == 5.0 + TTL


def test_a_lease_is_never_shortened() -> None:
    lease = Lease(None, 10.0)  # type: ignore[arg-type]
    lease.prolong(5.0)
    assert lease.is_sure(9.9)
    assert not lease.is_sure(10.0)


async def test_what_is_lost_is_named_and_not_prolonged(place: Place) -> None:
    leases = place.make()
    lease, _ = await leases.activate(ROOM)
    place.clock.advance(TTL + 1)
    await place.make().activate(ROOM)
    assert await leases.renew({ROOM: lease}) == {ROOM}
    assert not lease.is_sure(place.clock.monotonic())


# -- a lease that lapsed -------------------------------------------------------------------------


async def test_a_lapsed_lease_is_confirmed_where_nobody_wrote(place: Place) -> None:
    leases = place.make()
    lease, stored = await leases.activate(ROOM)
    assert stored is not None
    place.clock.advance(TTL + 1)
    assert await leases.confirm(ROOM, lease, stored.position)
    assert lease.is_sure(place.clock.monotonic())


async def test_it_is_not_where_somebody_wrote_without_a_lease(place: Place) -> None:
    leases = place.make()
    lease, stored = await leases.activate(ROOM)
    assert stored is not None
    place.clock.advance(TTL + 1)
    await place.store.commit(make_step(BORN))
    assert not await leases.confirm(ROOM, lease, stored.position)


async def test_what_was_sent_under_an_old_token_is_refused_once_it_is_taken_anew(
    place: Place,
) -> None:
    leases = place.make()
    old, _ = await leases.activate(ROOM)
    new, stored = await leases.reclaim(ROOM)
    assert stored is not None
    assert stored.position == BORN
    assert new.fence != old.fence
    assert await leases.renew({ROOM: old}) == {ROOM}


# -- giving back ---------------------------------------------------------------------------------


async def test_who_takes_it_again_waits_until_it_is_given_back(place: Place) -> None:
    leases = place.make("write-behind", by_hand=True)
    lease, _ = await leases.activate(ROOM)
    place.line.hold("release")
    releasing = asyncio.create_task(leases.release(ROOM, lease))
    call = await place.line.next("release")
    taking = asyncio.create_task(leases.activate(ROOM))
    await turn()
    assert not taking.done()
    await call.go()
    assert await releasing
    _, stored = await taking
    assert stored is not None
    assert stored.position == BORN  # the mark was cleared: the epoch goes on


async def test_it_waits_no_longer_where_giving_back_failed(place: Place) -> None:
    leases = place.make(by_hand=True)
    lease, _ = await leases.activate(ROOM)
    place.line.hold("release")
    releasing = asyncio.create_task(leases.release(ROOM, lease))
    call = await place.line.next("release")
    taking = asyncio.create_task(leases.activate(ROOM))
    await turn()
    call.fail(BackendUnavailable("there", "it is down"))
    with pytest.raises(BackendUnavailable):
        await releasing
    assert (await taking)[1] is not None


# -- a store that fails --------------------------------------------------------------------------


async def test_whether_a_lease_was_taken_or_not_nothing_was_written(place: Place) -> None:
    backend = FaultyBackend(place.store, fail_at=1, mode="after")
    leases = Leases(backend, Settings(clock=place.clock, lease_ttl=TTL))
    with pytest.raises(BackendUnavailable) as raised:
        await leases.activate(ROOM)
    assert raised.value.applied is False
