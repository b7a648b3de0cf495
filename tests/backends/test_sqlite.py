"""Test the SQLite backend: the contract, and what is its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chord.backends.base import Backend
from chord.backends.sqlite import SqliteBackend
from chord.backends.sqlite.index import LIST_COVERED, LIST_DUE, LIST_FROM
from chord.backends.sqlite.session import Session
from chord.clock import ManualClock
from chord.errors import BackendUnavailable, CorruptData, OutcomeUnknown, WrongLoop
from chord.position import Position
from chord.records import Snapshot
from chord.testing.contract import BackendContract
from chord.testing.contract_batches import (
    BORN,
    ROOM,
    make_birth,
    make_entry,
    make_step,
    walk,
)
from chord.testing.contract_fixtures import Reopen

pytestmark = pytest.mark.anyio


class TestSqliteBackend(BackendContract):
    @pytest.fixture
    async def backend(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[SqliteBackend]:
        backend = SqliteBackend(tmp_path / "store.db", clock=clock)
        await backend.open()
        yield backend
        await backend.open()
        await backend.check()
        await backend.close()

    @pytest.fixture
    def reopen(self) -> Reopen:
        async def reopen(backend: Backend) -> Backend:
            await backend.close()
            await backend.open()
            return backend

        return reopen


class TestSqliteInMemory(BackendContract):
    @pytest.fixture
    async def backend(self, clock: ManualClock) -> AsyncIterator[SqliteBackend]:
        backend = SqliteBackend(":memory:", clock=clock)
        await backend.open()
        yield backend
        await backend.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """A store that holds one context, and gives up on a lock at once."""
    backend = SqliteBackend(path, busy_timeout=0.0)
    await backend.open()
    await backend.commit(make_birth())
    yield backend
    await backend.close()


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[sqlite3.Connection]:
    """Be another program, in the middle of a write."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE chord_contexts SET version = 99")
        yield other
        other.execute("ROLLBACK")
    finally:
        other.close()


@contextlib.contextmanager
def stall(backend: SqliteBackend) -> Iterator[None]:
    """Keep the writer busy, so that what is asked for meanwhile shares a transaction."""
    started, go = threading.Event(), threading.Event()

    def wait(session: Session) -> None:
        started.set()
        go.wait()

    backend._write(wait)
    started.wait()
    try:
        yield
    finally:
        go.set()


# -- sharing transactions ------------------------------------------------------------------------


async def test_commits_that_wait_together_share_a_transaction(store: SqliteBackend) -> None:
    before = store.statistics()
    with stall(store):
        calls = [asyncio.ensure_future(store.commit(make_birth(f"c:{i}"))) for i in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    after = store.statistics()
    assert after["writes"] - before["writes"] == 51
    assert after["write_groups"] - before["write_groups"] <= 2


async def test_what_sqlite_cannot_take_hurts_no_neighbour(store: SqliteBackend) -> None:
    bad = make_birth("bad", entries=(make_entry(1, commit_id="\ud800"),))
    with stall(store):
        batches = [make_birth("a"), bad, make_birth("b")]
        calls = [asyncio.ensure_future(store.commit(batch)) for batch in batches]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), UnicodeEncodeError, type(None)]
    assert await store.heads(["a", "bad", "b"]) == {"a": BORN, "b": BORN}
    await store.check()


async def test_reads_do_not_wait_behind_writes(store: SqliteBackend) -> None:
    with stall(store):
        stored = await store.load(ROOM)
    assert stored
    assert stored.position == BORN


async def test_a_loop_that_is_gone_is_not_waited_for(path: Path) -> None:
    stalled = threading.Event()

    async def leave() -> SqliteBackend:
        backend = SqliteBackend(path)
        await backend.open()
        backend._write(lambda session: stalled.wait())
        backend._write(lambda session: None)
        return backend

    backend = await asyncio.to_thread(asyncio.run, leave())
    assert backend._workers
    for worker in backend._workers:
        worker.dismiss()
    stalled.set()
    for worker in backend._workers:
        await asyncio.to_thread(worker._thread.join)


# -- other programs ------------------------------------------------------------------------------


async def test_a_locked_store_is_unavailable_until_the_lock_is_gone(
    store: SqliteBackend, path: Path
) -> None:
    with hold_lock(path):
        with pytest.raises(BackendUnavailable, match="locked"):
            await store.commit(make_step(BORN))
        with pytest.raises(BackendUnavailable, match="locked"):
            await store.acquire(ROOM, "ana", ttl=1.0, address="", fresh_epoch=None)
    await store.commit(make_step(BORN))
    assert await store.heads([ROOM]) == {ROOM: Position("e1", 2)}


async def test_a_lock_fails_all_that_share_the_transaction(
    store: SqliteBackend, path: Path
) -> None:
    with hold_lock(path):
        calls = [store.commit(make_birth(f"c:{i}")) for i in range(20)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {BackendUnavailable}
    assert len(await store.list("", None, 50)) == 1


async def test_reads_go_on_while_another_program_writes(store: SqliteBackend, path: Path) -> None:
    with hold_lock(path):
        assert await store.heads([ROOM]) == {ROOM: BORN}
        assert await store.load(ROOM)


async def test_a_writer_waits_for_a_lock(path: Path) -> None:
    backend = SqliteBackend(path, busy_timeout=60.0)
    await backend.open()
    await backend.commit(make_birth())
    with hold_lock(path):
        call = asyncio.ensure_future(backend.commit(make_step(BORN)))
        await asyncio.sleep(0)
        assert await backend.heads([ROOM]) == {ROOM: BORN}
    await call
    await backend.close()


def start_writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    script = Path(__file__).parent / "sqlite_writer.py"
    return subprocess.Popen(
        [sys.executable, str(script), str(path), name, str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_what_two_processes_were_acknowledged_is_all_kept(
    store: SqliteBackend, path: Path
) -> None:
    names = ["ana", "bob"]
    writers = [start_writer(path, name, 100) for name in names]
    told = [await asyncio.to_thread(writer.communicate) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    stored = await store.load(ROOM)
    assert stored
    assert stored.position.version == 201
    kept = {entry.version: entry.commit_id for entry in stored.entries[1:]}
    assert Counter(kept.values()) == {"ana": 100, "bob": 100}
    for name, (lines, _) in zip(names, told, strict=True):
        assert {kept[int(line)] for line in lines.split()} == {name}
    await store.check()


async def test_what_a_killed_process_was_acknowledged_is_kept(path: Path) -> None:
    backend = SqliteBackend(path)
    await backend.open()
    await backend.commit(make_birth())
    await backend.close()
    with start_writer(path, "ana", 1_000_000) as writer:
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline()) for _ in range(30)]
        writer.kill()
    await backend.open()
    stored = await backend.load(ROOM)
    assert stored
    assert stored.position.version >= acknowledged[-1]
    assert [entry.version for entry in stored.entries] == [*range(1, stored.position.version + 1)]
    await backend.check()
    await backend.close()


async def test_two_backends_on_one_file_see_each_others_leases(path: Path) -> None:
    clock = ManualClock()
    ana, bob = (SqliteBackend(path, clock=clock) for _ in range(2))
    await ana.open()
    await bob.open()
    first = await ana.acquire(ROOM, "ana", ttl=10.0, address="", fresh_epoch=None)
    clock.advance(10.0)
    second = await bob.acquire(ROOM, "bob", ttl=10.0, address="", fresh_epoch=None)
    assert second.fence.term > first.fence.term
    assert await ana.renew({ROOM: first.fence}, 10.0) == {ROOM}
    await ana.close()
    await bob.close()


async def test_many_can_open_a_new_file_at_once(path: Path) -> None:
    backends = [SqliteBackend(path, busy_timeout=60.0) for _ in range(8)]
    await asyncio.gather(*(backend.open() for backend in backends))
    await asyncio.gather(*(b.commit(make_birth(f"c:{i}")) for i, b in enumerate(backends)))
    assert len(await backends[0].list("", None, 10)) == 8
    await asyncio.gather(*(backend.close() for backend in backends))


# -- what can be wrong with a file ---------------------------------------------------------------


async def test_a_full_store_refuses_and_loses_nothing(store: SqliteBackend) -> None:
    await store._write(lambda session: session.run("PRAGMA max_page_count = 40").fetchone())
    large = make_step(BORN, snapshot=Snapshot(2, bytes(1_000_000)))
    with pytest.raises(BackendUnavailable, match="full"):
        await store.commit(large)
    assert await store.heads([ROOM]) == {ROOM: BORN}
    await store.check()
    await store._write(lambda session: session.run("PRAGMA max_page_count = 9999").fetchone())
    await store.commit(large)


async def test_what_does_not_fit_hurts_no_neighbour(store: SqliteBackend) -> None:
    await store._write(lambda session: session.run("PRAGMA max_page_count = 40").fetchone())
    large = make_birth("large", snapshot=Snapshot(1, bytes(1_000_000)))
    with stall(store):
        batches = [make_birth("a"), large, make_birth("b"), make_birth("a")]
        calls = [asyncio.ensure_future(store.commit(batch)) for batch in batches]
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    kinds = [type(outcome).__name__ for outcome in outcomes]
    assert kinds == ["NoneType", "BackendUnavailable", "NoneType", "VersionConflict"]
    assert await store.heads(["a", "large", "b"]) == {"a": BORN, "b": BORN}
    await store.check()


@contextlib.contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Make writing beyond `size` bytes of any file fail, as a broken disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_an_io_error_at_commit_leaves_the_outcome_unknown(
    store: SqliteBackend, path: Path
) -> None:
    with limit_file_size(path.with_name("store.db-wal").stat().st_size):
        with stall(store):
            calls = [
                asyncio.ensure_future(store.commit(batch))
                for batch in (make_step(BORN), make_birth("a"), make_birth("a"))
            ]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [OutcomeUnknown, OutcomeUnknown, BackendUnavailable]
    await store.commit(make_step(BORN))
    await store.check()


async def test_an_io_error_alone_leaves_the_outcome_unknown(
    store: SqliteBackend, path: Path
) -> None:
    with (
        limit_file_size(path.with_name("store.db-wal").stat().st_size),
        pytest.raises(OutcomeUnknown),
    ):
        await store.commit(make_step(BORN))
    await store.commit(make_step(BORN))
    await store.check()


@pytest.fixture
def protected_path() -> Iterator[Path]:
    """A place that everybody can reach, and a process without the rights to all files."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder) / "store.db"


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Nobody's rights, where ours are those to everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_file_can_be_read(protected_path: Path) -> None:
    backend = SqliteBackend(protected_path)
    await backend.open()
    await backend.commit(make_birth())
    await backend.close()
    os.chmod(protected_path, 0o444)
    with without_privileges():
        await backend.open()
        assert await backend.load(ROOM)
        with pytest.raises(BackendUnavailable, match="readonly"):
            await backend.commit(make_step(BORN))
        assert await backend.heads([ROOM]) == {ROOM: BORN}
        await backend.close()


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "nowhere" / "store.db")
    with pytest.raises(BackendUnavailable, match="unable to open"):
        await backend.open()
    with pytest.raises(BackendUnavailable, match="not open"):
        await backend.load(ROOM)
    await backend.close()


async def test_a_backend_that_could_not_open_can_try_again(tmp_path: Path) -> None:
    backend = SqliteBackend(tmp_path / "later" / "store.db")
    with pytest.raises(BackendUnavailable):
        await backend.open()
    (tmp_path / "later").mkdir()
    await backend.open()
    await backend.commit(make_birth())
    await backend.close()


@pytest.fixture
def text_file(path: Path) -> Path:
    path.write_bytes(b"certainly no database" * 1000)
    return path


async def test_what_is_no_database_is_corrupt(text_file: Path) -> None:
    with pytest.raises(CorruptData, match="not a database"):
        await SqliteBackend(text_file).open()


async def test_a_damaged_page_is_corrupt_and_what_is_sound_is_served(
    store: SqliteBackend, path: Path
) -> None:
    root = "SELECT rootpage FROM sqlite_master WHERE name = 'chord_entries'"
    (page,) = await store._read(lambda session: session.run(root).fetchone())
    await store.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    await store.open()
    assert await store.heads([ROOM]) == {ROOM: BORN}
    with pytest.raises(CorruptData):
        await store.load(ROOM)
    with pytest.raises(CorruptData):
        await store.commit(make_step(BORN))


async def test_a_schema_of_another_time_is_refused(store: SqliteBackend, path: Path) -> None:
    newer = "UPDATE {meta} SET value = 2 WHERE name = 'schema'"
    await store._write(lambda session: session.run(newer).rowcount)
    await store.close()
    with pytest.raises(BackendUnavailable, match="schema 2"):
        await store.open()


# -- where it is used, and how -------------------------------------------------------------------


async def test_another_event_loop_is_refused(store: SqliteBackend) -> None:
    for call in (store.load, store.heads):
        with pytest.raises(WrongLoop):
            await asyncio.to_thread(asyncio.run, call(ROOM))
    with pytest.raises(WrongLoop):
        await asyncio.to_thread(asyncio.run, store.close())


async def test_a_forked_process_is_refused(
    store: SqliteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        with pytest.raises(WrongLoop):
            await store.load(ROOM)
    assert await store.load(ROOM)


async def test_closing_puts_everything_into_the_one_file(store: SqliteBackend, path: Path) -> None:
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_close_that_is_cancelled_closes_all_the_same(
    store: SqliteBackend, path: Path
) -> None:
    with stall(store):
        call = asyncio.ensure_future(store.commit(make_step(BORN)))
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        closing.cancel()
    await call
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_an_open_that_is_cancelled_leaves_no_connection(path: Path) -> None:
    backend = SqliteBackend(path)
    opening = asyncio.ensure_future(backend.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    await backend.open()
    await backend.commit(make_birth())
    await backend.close()


def has(path: Path, text: bytes) -> bool:
    return text in path.read_bytes()


async def test_flush_brings_the_log_into_the_file(store: SqliteBackend, path: Path) -> None:
    await store.commit(make_step(BORN, snapshot=Snapshot(2, b"find me in the file")))
    assert not has(path, b"find me in the file")
    await store.flush()
    assert has(path, b"find me in the file")


async def test_a_flush_that_is_held_up_says_so(store: SqliteBackend, path: Path) -> None:
    with hold_lock(path), pytest.raises(BackendUnavailable):
        await store.flush()


@pytest.mark.parametrize(("synchronous", "level"), [("NORMAL", 1), ("FULL", 2)])
async def test_how_hard_a_commit_is_synced_is_a_setting(
    path: Path, synchronous: str, level: int
) -> None:
    backend = SqliteBackend(path, synchronous="FULL" if synchronous == "FULL" else "NORMAL")
    await backend.open()
    found = await backend._write(lambda session: session.run("PRAGMA synchronous").fetchone())
    assert found == (level,)
    await backend.close()


@pytest.mark.parametrize("other", ["other", "Chord", "chord-2", "CHORD"])
async def test_namespaces_share_nothing(store: SqliteBackend, path: Path, other: str) -> None:
    backend = SqliteBackend(path, namespace=other)
    await backend.open()
    assert await backend.load(ROOM) is None
    await backend.commit(make_birth("mine", epoch="e2"))
    assert await backend.heads([ROOM, "mine"]) == {"mine": Position("e2", 1)}
    assert await store.heads([ROOM, "mine"]) == {ROOM: BORN}
    await backend.close()


async def test_what_is_in_memory_ends_with_its_backend() -> None:
    backend = SqliteBackend(":memory:")
    await backend.open()
    await backend.commit(make_birth())
    await backend.check()
    await backend.close()
    await backend.open()
    assert await backend.load(ROOM) is None
    await backend.close()


@pytest.mark.parametrize("query", [LIST_FROM, LIST_DUE, LIST_COVERED])
async def test_what_is_many_is_found_by_an_index(store: SqliteBackend, query: str) -> None:
    def explain(session: Session) -> list[str]:
        values = (0, 1)
        return [row[3] for row in session.run(f"EXPLAIN QUERY PLAN {query}", *values)]

    (step,) = await store._read(explain)
    assert step.startswith("SEARCH chord_contexts USING")


async def test_it_tells_about_itself(store: SqliteBackend, path: Path) -> None:
    assert store.address == f"sqlite:///{path}"
    assert repr(store) == f"<SqliteBackend sqlite:///{path} open=True>"
    await store.load(ROOM)
    assert store.statistics()["reads"] == 1
    await store.close()
    assert store.statistics() == {}
    assert SqliteBackend(":memory:").address == "sqlite://"


async def test_a_long_run_keeps_its_books(store: SqliteBackend) -> None:
    for i in range(30):
        head = walk(BORN, i)
        version = head.version + 1
        snapshot = Snapshot(version, b"state") if i % 4 == 0 else None
        await store.commit(
            make_step(
                head,
                op_ids=(f"op-{i}",),
                snapshot=snapshot,
                trim_to=version - 6 if i % 3 == 0 else 0,
                forget_before=90.0 + i,
            )
        )
        await store.trim(95.0 + i, 5)
        await store.check()
