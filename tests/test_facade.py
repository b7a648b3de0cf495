"""Test what a runtime gets from the facade; that it does it right is tested in `tests/runtime`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from chord.backends.memory import MemoryBackend
from chord.errors import ConfigurationError
from chord.facade import Facade
from chord.position import Position
from chord.requests import Request, Set
from chord.turns import Answer

pytestmark = pytest.mark.anyio

LATER = Answer(position=Position("k", 1), delta=None, changed=True, updated_at=0.0, durable=False)


class Scribbler(Facade):
    """A runtime that takes note of what it is asked, and does nothing."""

    def __init__(self, backend: MemoryBackend, **fields: Any) -> None:
        super().__init__(backend, **fields)
        self.notes: list[str] = []
        self.asked: list[tuple[str, Request, float | None]] = []

    def _begin_work(self) -> None:
        self.notes.append("begin")

    async def _drain(self) -> None:
        self.notes.append("drain")

    async def _submit(self, context_id: str, request: Request, timeout: float | None) -> Answer:
        self.asked.append((context_id, request, timeout))
        return LATER

    def _count(self) -> Mapping[str, Any]:
        return {"notes": len(self.notes)}


@pytest.fixture
async def chord() -> AsyncIterator[Scribbler]:
    backend = MemoryBackend()
    await backend.open()
    async with Scribbler(backend) as chord:
        yield chord


def test_a_facade_is_no_runtime_by_itself() -> None:
    made: Any = Facade
    with pytest.raises(TypeError, match="abstract"):
        made(MemoryBackend())


async def test_its_work_begins_when_it_is_entered_and_is_drained_at_the_end() -> None:
    chord = Scribbler(MemoryBackend())
    assert chord.notes == []
    async with chord:
        assert chord.notes == ["begin"]
    assert chord.notes == ["begin", "drain"]


async def test_a_request_is_submitted_with_its_values_taken_in(chord: Scribbler) -> None:
    await chord.set_context("a", {"at": (1, 2)}, op_id="x", timeout=2.0)
    ((context_id, request, timeout),) = chord.asked
    assert (context_id, timeout) == ("a", 2.0)
    assert isinstance(request, Set)
    assert request.state == {"at": [1, 2]}
    assert request.op_id == "x"


async def test_a_commit_is_as_durable_as_the_answer(chord: Scribbler) -> None:
    assert not (await chord.set_context("a", {})).durable


async def test_it_counts_what_the_runtime_does(chord: Scribbler) -> None:
    assert chord.statistics()["notes"] == 1
    assert chord.statistics()["watchers"] == 0


async def test_its_repr_names_the_runtime(chord: Scribbler) -> None:
    assert repr(chord).startswith("<Scribbler memory")


async def test_a_runtime_is_opened_by_its_own_class() -> None:
    async with Scribbler.open("memory://") as chord:
        assert isinstance(chord, Scribbler)


def test_a_url_where_a_backend_should_be_is_told_where_to_go() -> None:
    url: Any = "memory://"
    with pytest.raises(ConfigurationError, match=r"Scribbler\.open"):
        Scribbler(url)


# -- what is not open yet -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "misuse",
    [
        lambda opening: opening.set_context,
        lambda opening: opening.__await__(),
        lambda opening: opening.__enter__(),
    ],
)
def test_what_is_not_open_yet_says_how_to_open_it(misuse: Callable[[Any], object]) -> None:
    with pytest.raises((AttributeError, TypeError), match=r"async with Scribbler\.open"):
        misuse(Scribbler.open("memory://"))
