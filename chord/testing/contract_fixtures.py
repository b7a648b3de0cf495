"""Hold the fixtures that the parts of the backend contract share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import pytest

from chord.backends.base import Backend
from chord.clock import ManualClock

Reopen: TypeAlias = Callable[[Backend], Awaitable[Backend]]
"""Closes a backend, and opens what it stored anew."""


class Elapse(Protocol):
    """Lets time pass for leases."""

    async def __call__(self, seconds: float, *context_ids: str) -> None:
        """Age the leases of these contexts by `seconds`; others may age with them."""


class ContractFixtures:
    """What a test of the contract is given. All but `backend` has a default."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def backend(self) -> Backend:
        """An open backend on an empty store."""
        raise LookupError("a backend contract is subclassed with a fixture named backend")

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The clock that the backend is to time leases by."""
        return ManualClock()

    @pytest.fixture
    def elapse(self, backend: Backend, clock: ManualClock) -> Elapse:
        """How time passes for leases. Override it where a server's clock times them.

        A backend may then move what it stored: a lease of these ids that would lapse in 10
        seconds lapses in 4 after ``await elapse(6, ...)``.
        """

        async def elapse(seconds: float, *context_ids: str) -> None:
            clock.advance(seconds)

        return elapse

    @pytest.fixture
    def reopen(self) -> Reopen:
        """How to close the backend and open its store anew, with the same clock."""
        pytest.skip("what this backend stores does not outlive it")
