"""Test that a crew does its work in tasks of its own, and starts no more of them than it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import anyio.abc
import pytest

from chord.crew import MOST_SPARE, Crew, Work
from tests.waiting import turn

pytestmark = pytest.mark.anyio


class Yard:
    """A crew whose tasks are counted, and a gate before which its work waits."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.tasks = tasks
        self.started = 0
        self.crew = Crew(self._spawn)
        self.gate = asyncio.Event()
        self.done: list[str] = []

    def _spawn(self, work: Work) -> None:
        self.started += 1
        self.tasks.start_soon(work)

    def put(self, name: str) -> None:
        async def work() -> None:
            await self.gate.wait()
            self.done.append(name)

        self.crew.put(work)


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    async with anyio.create_task_group() as tasks:
        yield Yard(tasks)
        tasks.cancel_scope.cancel()


async def test_one_task_does_what_comes_one_after_the_other(yard: Yard) -> None:
    yard.gate.set()
    for name in "abc":
        yard.put(name)
        await turn()
    assert yard.done == ["a", "b", "c"]
    assert yard.started == 1


async def test_what_comes_at_once_is_done_side_by_side(yard: Yard) -> None:
    for name in "abc":
        yard.put(name)
    await turn()
    assert yard.started == 3
    yard.gate.set()
    await turn()
    assert sorted(yard.done) == ["a", "b", "c"]


async def test_only_so_many_spare_tasks_are_kept(yard: Yard) -> None:
    yard.gate.set()
    for number in range(MOST_SPARE + 10):
        yard.put(str(number))
    await turn()
    assert repr(yard.crew) == f"<Crew spare={MOST_SPARE}>"


async def test_a_spare_task_that_was_cancelled_is_passed_over(yard: Yard) -> None:
    yard.gate.set()
    async with anyio.create_task_group() as others:
        yard.tasks = others
        yard.put("a")
        await turn()
        others.cancel_scope.cancel()
    async with anyio.create_task_group() as others:
        yard.tasks = others
        yard.put("b")
        await turn()
        others.cancel_scope.cancel()
    assert yard.done == ["a", "b"]
    assert yard.started == 2


async def test_work_that_was_handed_over_is_told_when_the_tasks_are_cancelled(yard: Yard) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await yard.gate.wait()
        finally:
            ended.append("told")

    async with anyio.create_task_group() as others:
        yard.tasks = others
        yard.crew.put(lambda: turn(1))
        await turn()
        yard.crew.put(work)
        others.cancel_scope.cancel()
    assert ended == ["told"]
    assert yard.started == 1
