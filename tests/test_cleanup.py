"""Test one sweep: in which order contexts go, what a limit counts, who is passed over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from chord.backends.memory import MemoryBackend
from chord.cleanup import MOST, PAGE, Fate, check_limit, sweep
from chord.clock import ManualClock
from chord.config import Settings
from chord.errors import InvalidArgument
from chord.records import Report, Summary
from chord.testing.contract_batches import make_birth, make_death

pytestmark = pytest.mark.anyio

NOW = 10_000.0
TTL = 100.0
DUE = NOW - TTL


class Store(MemoryBackend):
    """Notes what it is asked, and trims as much as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.trimmed = [0]
        self.asked_due: list[tuple[float, int]] = []
        self.asked_trim: list[tuple[float, int]] = []

    async def due(self, before: float, limit: int) -> list[Summary]:
        self.asked_due.append((before, limit))
        return await super().due(before, limit)

    async def trim(self, before: float, limit: int) -> int:
        self.asked_trim.append((before, limit))
        return self.trimmed.pop(0)

    async def fill(self, count: int, newest: float = DUE) -> list[str]:
        """Create contexts one second apart; return their ids, the oldest first."""
        ids = [f"c:{n}" for n in range(count, 0, -1)]
        for age, context_id in enumerate(ids):
            await self.commit(make_birth(context_id, at=newest - count + 1 + age))
        return ids


class Reaper:
    """Expires contexts, but for those with another fate, and notes whom it was asked for."""

    def __init__(self, store: Store, **others: Collection[str]) -> None:
        self.store = store
        self.fates = {each: fate for fate, ids in others.items() for each in ids}
        self.asked: list[str] = []
        self.gone: list[str] = []

    async def expire(self, summary: Summary) -> Fate:
        self.asked.append(summary.context_id)
        fate: Any = self.fates.get(summary.context_id, "expired")
        if fate in ("expired", "exported"):
            await self.store.commit(make_death(summary.position, summary.context_id))
            self.gone.append(summary.context_id)
        return fate  # type: ignore[no-any-return]

    async def sweep(self, limit: int | None = None, **fields: Any) -> Report:
        settings = Settings(
            clock=ManualClock(NOW),
            context_ttl=TTL,
            delta_ttl=2 * TTL,
            **{"context_auto_delete": True, **fields},
        )
        return await sweep(self.store, settings, limit, self.expire)


@pytest.fixture
async def store() -> Store:
    store = Store()
    await store.open()
    return store


# -- contexts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 1, 3, 5, 9])
async def test_the_oldest_go_first(store: Store, limit: int | None) -> None:
    ids = await store.fill(5)
    reaper = Reaper(store)
    assert (await reaper.sweep(limit)).expired == min(limit or 5, 5)
    assert reaper.asked == ids[:limit]


async def test_only_what_is_due_goes(store: Store) -> None:
    *_, oldest, _ = await store.fill(3, newest=DUE + 1)
    reaper = Reaper(store)
    await reaper.sweep()
    assert reaper.gone[-1] == oldest


async def test_without_auto_delete_nobody_is_asked_for(store: Store) -> None:
    await store.fill(3)
    await Reaper(store).sweep(context_auto_delete=False)
    assert store.asked_due == []
    assert len(store.asked_trim) == 1


async def test_the_report_counts_each_fate(store: Store) -> None:
    await store.fill(6)
    reaper = Reaper(store, exported=["c:1", "c:2"], skipped=["c:3"], failed=["c:4"])
    assert await reaper.sweep() == Report(expired=4, exported=2, skipped=1, failed=1)


@pytest.mark.parametrize("fate", ["skipped", "failed"])
async def test_a_limit_counts_what_went(store: Store, fate: str) -> None:
    ids = await store.fill(9)
    reaper = Reaper(store, **{fate: ids[0:6:2]})
    await reaper.sweep(limit=4)
    assert reaper.gone == [ids[1], ids[3], ids[5], ids[6]]


@pytest.mark.parametrize("limit", [None, 1, PAGE + 1])
async def test_more_than_a_page_that_cannot_go_starves_nobody(
    store: Store, limit: int | None
) -> None:
    ids = await store.fill(2 * PAGE + 3)
    reaper = Reaper(store, failed=ids[: PAGE + 1])
    await reaper.sweep(limit)
    assert reaper.gone == ids[PAGE + 1 :][:limit]


async def test_one_that_is_passed_over_is_asked_for_once(store: Store) -> None:
    ids = await store.fill(2 * PAGE + 3)
    reaper = Reaper(store, skipped=ids[::2])
    await reaper.sweep()
    assert reaper.asked == ids


async def test_no_more_is_asked_for_than_may_go(store: Store) -> None:
    await store.fill(PAGE + 5)
    await Reaper(store).sweep(limit=PAGE + 3)
    assert store.asked_due == [(DUE, PAGE), (DUE, 3)]


# -- deltas --------------------------------------------------------------------------------------


async def test_without_a_limit_it_trims_until_there_is_nothing(store: Store) -> None:
    store.trimmed = [70, 1, 30, 0, 99]
    assert (await Reaper(store).sweep()).trimmed == 101
    assert store.asked_trim == [(NOW - 2 * TTL, PAGE)] * 4


@pytest.mark.parametrize(("limit", "asked"), [(7, 7), (MOST, MOST), (10**30, MOST)])
async def test_with_a_limit_it_trims_once(store: Store, limit: int, asked: int) -> None:
    store.trimmed = [5, 99]
    assert (await Reaper(store).sweep(limit)).trimmed == 5
    assert store.asked_trim == [(NOW - 2 * TTL, asked)]


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 1, 10**30])
def test_none_and_a_positive_int_are_limits(limit: int | None) -> None:
    check_limit(limit)


@pytest.mark.parametrize("limit", [0, -1, 1.0, True, "1"])
def test_what_is_no_limit_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_limit(limit)
    assert caught.value.name == "limit"
