"""Test what the desk does beside reading and writing: calls, lists, and refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chord.errors import InvalidArgument, VersionConflict
from chord.position import Position
from chord.stateless import StatelessChord
from chord.web.desk import STRIDE, Desk
from chord.web.faults import Forbidden, NoSuchCall
from chord.web.gate import Gate, Hooks, Permit
from chord.web.limits import Limits
from tests.web.cards import allow, see

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chord() -> AsyncIterator[StatelessChord]:
    async with StatelessChord.open("memory://") as chord:
        for name in ("a:1", "a:2", "b:1"):
            await chord.set_context(name, {})
        yield chord


def make_desk(chord: StatelessChord, **hooks: Any) -> Desk:
    return Desk(chord, Gate(Hooks(**({"authorize": allow} | hooks))), Limits())


async def test_a_list_is_a_page_in_order(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    page = await desk.list("ana", "a:", None, 10)
    assert [each.context_id for each in page] == ["a:1", "a:2"]
    assert page[0].position == str((await chord.get_context("a:1")).position)
    assert [each.context_id for each in await desk.list("ana", "", "a:1", 1)] == ["a:2"]


async def test_where_things_are_hidden_a_list_does_not_tell_when_they_happened(
    chord: StatelessChord,
) -> None:
    page = await make_desk(chord, project=see).list("ana")
    assert {(each.position, each.updated_at) for each in page} == {(None, None)}


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_list_tells_nothing_of_what_may_not_be_read(
    chord: StatelessChord, limit: int
) -> None:
    for name in ("c:hidden", "d:hidden", "e:1"):
        await chord.set_context(name, {})
    desk = make_desk(chord, authorize=lambda who, action, name: not name.endswith("hidden"))
    page = await desk.list("ana", "", "a:2", limit)
    assert [each.context_id for each in page] == ["b:1", "e:1"][:limit]
    assert await desk.list("ana", "", "e:1", limit) == []


async def test_a_list_goes_on_however_much_it_passes_over(chord: StatelessChord) -> None:
    for number in range(2 * STRIDE + 1):
        await chord.set_context(f"c:{number}", {})
    desk = make_desk(chord, authorize=lambda who, action, name: not name.startswith("c"))
    await chord.set_context("d:1", {})
    page = await desk.list("ana", "", "a:2", 3 * STRIDE)
    assert [each.context_id for each in page] == ["b:1", "d:1"]
    assert [each.context_id for each in await desk.list("ana", "", "b:1", 1)] == ["d:1"]


async def test_who_may_not_list_is_told_nothing(chord: StatelessChord) -> None:
    desk = make_desk(chord, authorize=lambda principal, action, prefix: prefix == "a:")
    await desk.list("ana", "a:")
    with pytest.raises(Forbidden):
        await desk.list("ana", "")


async def test_a_page_has_a_size(chord: StatelessChord) -> None:
    with pytest.raises(InvalidArgument):
        await make_desk(chord).list("ana", limit=0)


async def test_a_call_may_be_sync(chord: StatelessChord) -> None:
    def call(principal: Any, context_id: str, name: str, arguments: list[Any]) -> Any:
        return [principal, context_id, name, arguments]

    permit = Permit("ana", "a:1", frozenset({"call"}))
    assert await make_desk(chord, call=call).call(permit, "roll", [6]) == [
        "ana",
        "a:1",
        "roll",
        [6],
    ]


async def test_a_call_needs_its_permit_even_where_there_are_none(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    with pytest.raises(Forbidden):
        await desk.call(Permit("ana", "a:1", frozenset({"write"})), "roll", [])
    with pytest.raises(NoSuchCall):
        await desk.call(Permit("ana", "a:1", frozenset({"call"})), "roll", [])


async def test_a_refusal_tells_positions_as_the_principal_knows_them(
    chord: StatelessChord,
) -> None:
    desk = make_desk(chord, project=see)
    here = Position("e", 1)
    refusal = desk.refuse(VersionConflict("a:1", None, here), "ana")
    assert refusal.actual == desk.views.tell("ana", here)


async def test_a_refusal_is_told_though_a_hook_fails_meanwhile(chord: StatelessChord) -> None:
    def fail(principal: Any) -> Any:
        raise OSError

    desk = make_desk(chord, project=see, view_key=fail)
    refusal = desk.refuse(VersionConflict("a:1", None, Position("e", 1)), "ana")
    assert (refusal.code, refusal.actual) == ("conflict", None)
    assert refusal.message == "not at the expected position"


async def test_it_counts_and_checks_its_parts(chord: StatelessChord) -> None:
    desk = make_desk(chord)
    assert set(desk.statistics()) == {
        *("connections", "principals", "views", "projections"),
        *("remembered", "remembered_bytes", "encodings", "hits"),
    }
    desk.check()
    assert repr(desk) == "<Desk <Views 0 of 4096> <Sharing 0 of 0 B>>"
