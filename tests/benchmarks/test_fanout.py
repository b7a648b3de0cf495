"""Test that watchers are told, counted, weighed and audited, few of them here: no times."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.fanout.audience import gather_audience
from benchmarks.fanout.command import THEMES, make
from benchmarks.fanout.latency import give_show, make_patch, measure_share
from benchmarks.fanout.sizes import TINY
from benchmarks.room import build_room
from benchmarks.side import Side, join_side, open_side
from chord import ContextNotFound, DeltaUpdate, StatelessChord
from tests.benchmarks.curves import check_curves
from tests.examples.lossy import LossyBackend

SIZES = [TINY.watchers, TINY.between, TINY.missed]

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def open_room() -> AsyncIterator[Side]:
    async with open_side(StatelessChord, "memory://") as side:
        await side.chord.set_context("room:1", build_room())
        yield side


@pytest.mark.parametrize(
    "theme",
    [name if name == "sent" else pytest.param(name, marks=pytest.mark.slow) for name in THEMES],
)
async def test_a_theme_is_measured_over_all_sizes(theme: str) -> None:
    found = await harness.measure(make(TINY), f"{theme}: *")
    check_curves(found, theme, SIZES)


def test_the_command_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "fanout.json"
    assert main(["fanout", "--quick", "--only", "sent: messages*", "--out", str(out)]) == 0
    found = results.read(out)
    assert found.benchmark == "fanout"
    assert [each.theme for each in found.curves] == ["sent"] * 3


# -- an audience ---------------------------------------------------------------------------------


async def test_prompt_watchers_are_told_of_each_version_and_slow_ones_of_several_at_once() -> None:
    async with open_room() as side, gather_audience(side.chord, "room:1", 2, 1) as audience:
        for number in (1, 2, 3):
            await audience.tell(make_patch(number))
        await audience.rouse()
        assert [len(told) for told in audience.prompt] == [4, 4]
        (told,) = audience.slow
        assert len(told) == 2
        assert isinstance(told[-1], DeltaUpdate)
        assert told[-1].delta.conflated


async def test_all_copies_equal_the_context_once_all_were_told() -> None:
    async with open_room() as side, gather_audience(side.chord, "room:1", 2, 2) as audience:
        await audience.tell(make_patch(1))
        context = await side.reader.get_context("room:1")
        assert audience.count_equal(context) == 2
        await audience.rouse()
        assert audience.count_equal(context) == 4


async def test_all_who_are_told_of_a_version_are_told_the_same() -> None:
    async with open_room() as side, gather_audience(side.chord, "room:1", 3) as audience:
        await audience.tell(make_patch(1))
        assert audience.count_different(1) == 1


async def test_a_telling_is_in_order() -> None:
    async with open_room() as side, gather_audience(side.chord, "room:1", 1) as audience:
        telling = await audience.tell(make_patch(1))
    assert telling.called <= telling.acknowledged
    assert telling.called < telling.last
    assert telling.behind_writer >= 0


async def test_a_watch_that_fails_is_not_waited_for() -> None:
    async with open_side(StatelessChord, "memory://") as side:
        with pytest.raises(ContextNotFound):
            async with gather_audience(side.chord, "room:1", 1):
                pass


# -- the audit -----------------------------------------------------------------------------------


async def test_a_show_counts_what_was_kept_and_who_knows_it() -> None:
    async with open_side(StatelessChord, "memory://") as side:
        show = await give_show(side, 3, 2, TINY)
    assert show.audit.holds
    assert (show.audit.acknowledged, show.audit.copies) == (TINY.versions, 5)
    assert len(show.tellings) == TINY.versions


async def test_the_audit_catches_a_store_that_loses_versions() -> None:
    @asynccontextmanager
    async def open_lossy() -> AsyncIterator[Side]:
        backend = LossyBackend()
        await backend.open()
        async with join_side(StatelessChord, backend) as side:
            yield side

    sizes = attrs.evolve(TINY, versions=20)
    curves = await measure_share("lossy", open_lossy, 0.0, sizes)
    for each in curves:
        assert each.audit is not None
        assert each.audit.lost > 0
    assert results.collect("fanout", None, {}, curves=curves).broken == tuple(curves)
