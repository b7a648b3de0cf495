"""Test when a runtime's life begins and ends, and what becomes of its tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chord.errors import ChordClosed, WrongLoop
from chord.lifetime import Lifetime
from tests.waiting import turn

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lifetime() -> AsyncIterator[Lifetime]:
    lifetime = Lifetime()
    await lifetime.begin()
    yield lifetime
    if lifetime.has_tasks:
        await lifetime.end()


class Work:
    """Work that goes on until it is let go, or cancelled."""

    def __init__(self) -> None:
        self.awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = False
        self.cancelled = False

    async def run(self) -> None:
        self.begun = True
        try:
            await self.awaited
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_before_it_begins_it_is_closed() -> None:
    lifetime = Lifetime()
    assert lifetime.state == "closed"
    with pytest.raises(ChordClosed):
        lifetime.check()
    with pytest.raises(ChordClosed):
        lifetime.spawn(Work().run)


async def test_while_it_is_open_it_lets_pass(lifetime: Lifetime) -> None:
    lifetime.check()
    assert lifetime.state == "open"


async def test_it_begins_once(lifetime: Lifetime) -> None:
    with pytest.raises(ChordClosed):
        await lifetime.begin()
    lifetime.close()
    await lifetime.end()
    with pytest.raises(ChordClosed):
        await lifetime.begin()


async def test_in_a_thread_without_its_loop_it_is_refused(lifetime: Lifetime) -> None:
    with pytest.raises(WrongLoop):
        await asyncio.to_thread(lifetime.check)


async def test_while_closing_it_takes_nothing_new_but_tasks(lifetime: Lifetime) -> None:
    work = Work()
    lifetime.close()
    assert lifetime.state == "closing"
    with pytest.raises(ChordClosed):
        lifetime.check()
    lifetime.spawn(work.run)
    await turn()
    assert work.begun


async def test_a_task_ends_with_it(lifetime: Lifetime) -> None:
    work = Work()
    lifetime.spawn(work.run)
    await turn()
    await lifetime.end()
    assert work.cancelled
    assert lifetime.state == "closed"


async def test_a_task_that_has_not_begun_never_does(lifetime: Lifetime) -> None:
    work = Work()
    lifetime.spawn(work.run)
    await lifetime.end()
    assert not work.begun


async def test_ending_raises_no_cancellation_in_who_ends_it(lifetime: Lifetime) -> None:
    lifetime.spawn(Work().run)
    await turn()
    await lifetime.end()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_cancelled_future_in_one_task_ends_no_other(lifetime: Lifetime) -> None:
    one, other = Work(), Work()
    lifetime.spawn(one.run)
    lifetime.spawn(other.run)
    await turn()
    one.awaited.cancel()
    await turn()
    assert one.cancelled
    assert not other.cancelled
    lifetime.check()


async def test_its_repr_tells_its_state_and_its_tasks(lifetime: Lifetime) -> None:
    lifetime.spawn(Work().run)
    await turn()
    assert repr(lifetime) == "<Lifetime open tasks=1>"
