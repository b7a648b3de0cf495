"""Test one look at the store after another: what is loaded, who is woken, what is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chord.backends.memory import MemoryBackend
from chord.clock import ManualClock
from chord.errors import BackendUnavailable, CorruptData
from chord.fanout import Fanout
from chord.poll import Poller
from chord.shelf import Shelf
from chord.testing.contract_batches import make_birth
from tests.by_hand import ByHand
from tests.paper import make_journal
from tests.scribe import Scribe
from tests.waiting import turn, until

pytestmark = pytest.mark.anyio

INTERVAL = 2.0
AWAY = BackendUnavailable("there", "away")


class Outlook:
    """A poller, all that it looks at, and another process."""

    def __init__(self, store: MemoryBackend) -> None:
        journal = make_journal()
        self.store = store
        self.scribe = Scribe(store, journal)
        self.backend = ByHand(store)
        self.shelf = Shelf(self.backend, journal, 10)
        self.fanout = Fanout()
        self.clock = ManualClock()
        self.poller = Poller(self.backend, self.shelf, self.fanout, self.clock, INTERVAL)

    async def count_wakeups(self) -> int:
        """How many are woken by one look."""
        before = self.fanout.wakeups
        await self.poller.look()
        return self.fanout.wakeups - before


@pytest.fixture
async def outlook() -> Outlook:
    store = MemoryBackend()
    await store.open()
    return Outlook(store)


# -- one look ------------------------------------------------------------------------------------


async def test_nothing_is_asked_while_nobody_watches(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    await outlook.poller.look()
    assert outlook.backend.seen == []


async def test_one_load_is_for_all_who_watch(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    for _ in range(5):
        outlook.fanout.attach("a")
    assert await outlook.count_wakeups() == 5
    assert outlook.backend.seen == ["heads", "load"]


async def test_one_question_is_for_all_that_are_watched(outlook: Outlook) -> None:
    for context_id in "abc":
        await outlook.scribe.create(context_id)
        outlook.fanout.attach(context_id)
    await outlook.poller.look()
    assert outlook.backend.seen.count("heads") == 1


async def test_where_nothing_moved_nobody_is_woken(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    outlook.fanout.attach("a")
    assert [await outlook.count_wakeups() for _ in range(3)] == [1, 0, 0]
    assert outlook.shelf.loads == 1


async def test_only_those_whose_context_moved_are_woken(outlook: Outlook) -> None:
    for context_id in "ab":
        await outlook.scribe.create(context_id)
        outlook.fanout.attach(context_id)
    await outlook.poller.look()
    await outlook.scribe.update("a", 2)
    assert await outlook.count_wakeups() == 1
    assert outlook.shelf.loads == 3


async def test_what_a_reader_loaded_already_is_told_without_another_load(
    outlook: Outlook,
) -> None:
    await outlook.scribe.create("a")
    outlook.fanout.attach("a")
    await outlook.shelf.fresh("a")
    assert await outlook.count_wakeups() == 1
    assert outlook.shelf.loads == 1


async def test_who_watches_what_is_gone_is_woken_until_it_is_let_go(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    watcher = outlook.fanout.attach("a")
    await outlook.poller.look()
    await outlook.scribe.delete("a")
    assert [await outlook.count_wakeups() for _ in range(2)] == [1, 1]
    assert outlook.shelf.peek("a") is None
    outlook.fanout.detach("a", watcher)
    assert await outlook.count_wakeups() == 0


async def test_what_nobody_watches_any_more_is_forgotten(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    await outlook.scribe.create("b")
    outlook.fanout.attach("b")
    watcher = outlook.fanout.attach("a")
    await outlook.poller.look()
    outlook.fanout.detach("a", watcher)
    await outlook.poller.look()
    outlook.fanout.attach("a")
    assert await outlook.count_wakeups() == 1


async def test_one_that_cannot_be_read_is_noted_and_holds_up_no_other(outlook: Outlook) -> None:
    await outlook.store.commit(make_birth("a"))
    await outlook.scribe.create("b")
    outlook.fanout.attach("a")
    outlook.fanout.attach("b")
    assert await outlook.count_wakeups() == 1
    assert isinstance(outlook.poller.last_error, CorruptData)


async def test_one_that_could_not_be_loaded_is_looked_for_again(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    outlook.fanout.attach("a")
    outlook.backend.hold("load")
    looking = asyncio.create_task(outlook.poller.look())
    (await outlook.backend.next("load")).fail(AWAY)
    await looking
    assert outlook.fanout.wakeups == 0
    outlook.backend.hold()
    assert await outlook.count_wakeups() == 1


# -- for ever ------------------------------------------------------------------------------------


@pytest.fixture
async def running(outlook: Outlook) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(outlook.poller.run())
    await turn()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("running")
async def test_it_looks_once_every_interval(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    outlook.fanout.attach("a")
    seen = []
    for _ in range(6):
        outlook.clock.advance(INTERVAL / 2)
        await turn()
        seen.append(outlook.backend.seen.count("heads"))
    assert seen == [0, 1, 1, 2, 2, 3]


@pytest.mark.usefixtures("running")
async def test_a_store_that_is_away_is_noted_and_asked_again(outlook: Outlook) -> None:
    await outlook.scribe.create("a")
    outlook.fanout.attach("a")
    outlook.backend.hold("heads")
    outlook.clock.advance(INTERVAL)
    (await outlook.backend.next("heads")).fail(AWAY)
    await until(lambda: outlook.poller.last_error is AWAY)
    outlook.backend.hold()
    await turn()
    outlook.clock.advance(INTERVAL)
    await until(lambda: outlook.fanout.wakeups == 1)
    assert outlook.poller.last_error is None


async def test_once_cancelled_it_leaves_no_timer(
    outlook: Outlook, running: asyncio.Task[None]
) -> None:
    assert outlook.clock.pending() == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert outlook.clock.pending() == 0
