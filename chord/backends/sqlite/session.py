"""Hold `Session`: one connection as the acts see it, and what SQLite's errors are to Chord."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any, Final

from chord.clock import Clock
from chord.errors import BackendUnavailable, ChordError, CorruptData, OutcomeUnknown

BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
UNDECIDED: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERNAL} | BROKEN
)


def escape_case(namespace: str) -> str:
    """Tell capitals apart, which SQLite's names do not.

    >>> escape_case("Chord-2")
    '=chord-2'
    """
    return re.sub("[A-Z]", lambda capital: "=" + capital[0].lower(), namespace)


class Statements(dict[str, str]):
    """Statements by their template, in which `{contexts}` becomes that table of the namespace.

    >>> Statements("chord")["SELECT * FROM {contexts}"]
    'SELECT * FROM "chord_contexts"'
    """

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self._table = rf'"{escape_case(namespace)}_\1"'

    def __missing__(self, template: str) -> str:
        statement = self[template] = re.sub(r"{(\w+)}", self._table, template)
        return statement


class Session:
    """A connection, its statements and its clock. Used by one thread."""

    __slots__ = ("_clock", "_connection", "_statements", "address")

    def __init__(
        self, connection: sqlite3.Connection, namespace: str, clock: Clock, address: str
    ) -> None:
        self._connection = connection
        self._statements = Statements(namespace)
        self._clock = clock
        self.address = address

    def run(self, template: str, *values: Any) -> sqlite3.Cursor:
        """Execute one statement."""
        return self._connection.execute(self._statements[template], values)

    def now(self) -> float:
        """Wall time, which processes that share the file have in common."""
        return self._clock.time()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def roll_back(self) -> None:
        """End the transaction if there still is one; SQLite ends many that failed by itself."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def translate(self, error: Exception) -> Exception:
        """What an error means where nothing was changed; what is not SQLite's stays as it is."""
        return translate(error, self.address) if isinstance(error, sqlite3.Error) else error

    def translate_commit(self, error: sqlite3.Error) -> BackendUnavailable | OutcomeUnknown:
        """What an error means that a COMMIT itself ended with."""
        unknown = _find_kind(error) in UNDECIDED
        return (OutcomeUnknown if unknown else BackendUnavailable)(self.address, str(error))


def translate(error: sqlite3.Error, address: str) -> ChordError:
    """What an error means where nothing was changed."""
    kind = CorruptData if _find_kind(error) in BROKEN else BackendUnavailable
    return kind(address, str(error))


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another connection was in the way."""
    return _find_kind(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _find_kind(error: sqlite3.Error) -> int | None:
    """The primary result code, without what is in its upper bits."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
