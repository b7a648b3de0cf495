"""Hold the tables, and how a connection to them is made ready."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import attrs

from chord.backends.sqlite.session import Session, escape_case, is_locked, translate
from chord.clock import Clock
from chord.errors import BackendUnavailable

SCHEMA: Final = 1
MEMORY: Final = ":memory:"

Synchronous: TypeAlias = Literal["NORMAL", "FULL"]

# `tail` is the version of the oldest entry (the head's plus one where the log is empty), `tail_at`
# its time; `covered_at` repeats that time where a snapshot covers the entry and it is not the
# newest. A row whose `epoch` is NULL holds only a lease. Text compares by its UTF-8 bytes, which is
# the order of code points.
TABLES: Final = (
    """CREATE TABLE {meta} (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE {contexts} (
        id TEXT PRIMARY KEY, epoch TEXT, version INTEGER NOT NULL, updated_at REAL,
        floor INTEGER NOT NULL, snapshot INTEGER NOT NULL, tail INTEGER NOT NULL,
        tail_at REAL NOT NULL, covered_at REAL, operations INTEGER NOT NULL,
        owner TEXT, term INTEGER, address TEXT, deadline REAL, marked INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE {entries} (
        id TEXT NOT NULL, version INTEGER NOT NULL, commit_id TEXT NOT NULL,
        updated_at REAL NOT NULL, op_id TEXT, changes BLOB NOT NULL, PRIMARY KEY (id, version)
    ) WITHOUT ROWID""",
    """CREATE TABLE {snapshots} (id TEXT PRIMARY KEY, state BLOB NOT NULL)""",
    """CREATE TABLE {operations} (
        id TEXT NOT NULL, op_id TEXT NOT NULL, at REAL NOT NULL, epoch TEXT NOT NULL,
        version INTEGER NOT NULL, PRIMARY KEY (id, op_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX {aging} ON {contexts} (updated_at, id) WHERE updated_at IS NOT NULL",
    "CREATE INDEX {covered} ON {contexts} (covered_at, id) WHERE covered_at IS NOT NULL",
    "CREATE INDEX {ages} ON {operations} (id, at, version)",
    f"INSERT INTO {{meta}} VALUES ('schema', {SCHEMA}), ('term', 0)",
)
FIND_TABLES: Final = "SELECT 1 FROM sqlite_master WHERE name = ?"
READ_SCHEMA: Final = "SELECT value FROM {meta} WHERE name = 'schema'"


@attrs.frozen(kw_only=True)
class Place:
    """Where the store is, and how it is spoken to."""

    path: str
    namespace: str
    clock: Clock
    synchronous: Synchronous
    busy_timeout: float

    @property
    def address(self) -> str:
        return "sqlite://" if self.is_memory else f"sqlite:///{self.path}"

    @property
    def is_memory(self) -> bool:
        return self.path in (MEMORY, "")


def open_writer(place: Place) -> Session:
    """Connect, and create what is missing; where nothing is missing, nothing is written."""
    return _open(place, _prepare_to_write)


def open_reader(place: Place) -> Session:
    """Connect to tables that there are, for reading only."""
    return _open(place, _prepare_to_read)


def _open(place: Place, prepare: Callable[[Session, Place], None]) -> Session:
    try:
        with contextlib.ExitStack() as undo:
            session = _connect(place)
            undo.callback(session.close)
            prepare(session, place)
            undo.pop_all()
            return session
    except sqlite3.Error as error:
        raise translate(error, place.address) from error


def _prepare_to_write(session: Session, place: Place) -> None:
    _turn_on_wal(session, place.busy_timeout)
    session.run(f"PRAGMA synchronous = {place.synchronous}")
    _create_tables(session, place)
    _check_schema(session)


def _prepare_to_read(session: Session, place: Place) -> None:
    session.run("PRAGMA query_only = ON")


def checkpoint(place: Place) -> None:
    """Bring all that was committed to the disk itself, over a connection of its own."""
    _open(place, _checkpoint).close()


def _checkpoint(session: Session, place: Place) -> None:
    (busy, _, _) = session.run("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy:
        raise BackendUnavailable(place.address, "another connection holds up the checkpoint")


def _connect(place: Place) -> Session:
    connection = sqlite3.connect(place.path, timeout=place.busy_timeout, isolation_level=None)
    return Session(connection, place.namespace, place.clock, place.address)


def _turn_on_wal(session: Session, patience: float) -> None:
    """Switch the journal; SQLite does not wait here for others who do the same, so we do."""
    give_up = time.monotonic() + patience
    while True:
        try:
            session.run("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.005)


def _create_tables(session: Session, place: Place) -> None:
    name = f"{escape_case(place.namespace)}_meta"
    if session.run(FIND_TABLES, name).fetchone():
        return
    session.run("BEGIN IMMEDIATE")
    try:
        if not session.run(FIND_TABLES, name).fetchone():
            for statement in TABLES:
                session.run(statement)
        session.run("COMMIT")
    except BaseException:
        session.roll_back()
        raise


def _check_schema(session: Session) -> None:
    (found,) = session.run(READ_SCHEMA).fetchone()
    if found != SCHEMA:
        raise BackendUnavailable(session.address, f"schema {found} where {SCHEMA} is understood")
