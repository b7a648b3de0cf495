"""The SQLite backend: contexts in one file, which several processes may share."""

from chord.backends.sqlite.backend import SqliteBackend

__all__ = ["SqliteBackend"]
