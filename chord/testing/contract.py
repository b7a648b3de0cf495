"""Hold `BackendContract`: every promise of `chord.backends.base.Backend`, as a test.

To certify a backend, subclass the contract in a test module and give it a fixture::

    import pytest
    from chord.testing.contract import BackendContract

    class TestMyBackend(BackendContract):
        @pytest.fixture
        async def backend(self, clock):
            backend = MyBackend(clock=clock)
            await backend.open()
            yield backend
            await backend.close()

Tests and fixtures run under anyio's pytest plugin, on asyncio: the suite needs a fixture
`anyio_backend` that returns ``"asyncio"``. For readable failures call
``pytest.register_assert_rewrite("chord.testing")`` in a `conftest.py`.

Fixtures to override:

``backend``
    An open backend on an empty store.
``elapse``
    Only where leases are not timed by `clock`; see `ContractFixtures.elapse`.
``reopen``
    Only where what is stored outlives the backend; without it those tests are skipped.
"""

from __future__ import annotations

from chord.testing.contract_commit import CommitContract
from chord.testing.contract_gap import GapContract
from chord.testing.contract_index import IndexContract
from chord.testing.contract_lease import LeaseContract
from chord.testing.contract_lifecycle import LifecycleContract
from chord.testing.contract_log import LogContract
from chord.testing.contract_mark import MarkContract


class BackendContract(
    CommitContract,
    LogContract,
    GapContract,
    LeaseContract,
    MarkContract,
    IndexContract,
    LifecycleContract,
):
    """All that a backend promises. Subclass it, and give it a `backend`."""
