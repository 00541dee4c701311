"""One connection to the store's SQLite file, opened when needed, and what its errors mean."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from gclip.serving.rows import Row

SCHEMA_VERSION = 1
"""Raised with every change of SCHEMA; a file of another version is set aside."""

# The payload comes last: SQLite walks through everything before a column that it reads.
SCHEMA = """
CREATE TABLE runs(
    key TEXT PRIMARY KEY, config TEXT NOT NULL, events TEXT NOT NULL,
    bytes INTEGER NOT NULL, used_at REAL NOT NULL, payload BLOB NOT NULL);
CREATE INDEX by_use ON runs(used_at, bytes);
"""
EVICT = """
DELETE FROM runs WHERE rowid IN (SELECT rowid FROM (
    SELECT rowid, sum(bytes) OVER (ORDER BY used_at DESC, rowid DESC) AS total FROM runs) WHERE total > ?)
"""

Kind = Literal["damaged", "version", "full", "locked", "unwritable"]
Result = TypeVar("Result")


class WrongVersionError(Exception):
    """The file was written by an older or newer gclip, or by another program."""


def kind_of(error: Exception) -> Kind:
    """Say what an error of SQLite or of the system means for the store."""
    if isinstance(error, WrongVersionError):
        return "version"
    if isinstance(error, OSError):
        return "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "unwritable"
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR) & 0xFF
    kinds: dict[int, Kind] = {
        sqlite3.SQLITE_CORRUPT: "damaged",
        sqlite3.SQLITE_NOTADB: "damaged",
        sqlite3.SQLITE_ERROR: "damaged",  # A table or column is missing.
        sqlite3.SQLITE_MISMATCH: "damaged",
        sqlite3.SQLITE_FULL: "full",
        sqlite3.SQLITE_BUSY: "locked",
        sqlite3.SQLITE_LOCKED: "locked",
    }
    return kinds.get(code, "unwritable")


class Database:
    """A connection that opens itself, and anew when the file was replaced; one thread at a time."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.path, self.timeout, self.lock = path, timeout, threading.Lock()
        self.file: object = None
        self._connection: sqlite3.Connection | None = None

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do ``work`` in one transaction; after an error the connection is closed.

        Raises:
            sqlite3.Error, OSError, WrongVersionError: see `kind_of`.
        """
        with self.lock:
            if self._connection and self.file != identity(self.path):
                self.close()
            try:
                connection = self._connection or self._open()
                connection.execute("BEGIN")
                result = work(connection)
                connection.execute("COMMIT")
            except Exception:
                self.close()
                raise
            return result

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            self.path.touch()
        # Which file it is must be known before it is opened: one set aside meanwhile is then seen to be another.
        self.file = identity(self.path)
        self._connection = connection = sqlite3.connect(
            self.path, timeout=self.timeout, check_same_thread=False, isolation_level=None
        )
        connection.text_factory = lambda text: text.decode(errors="replace")  # Damage in a text is one row's damage.
        if version(connection) == (0, 0):
            create(connection)
        if version(connection)[0] != SCHEMA_VERSION:
            raise WrongVersionError
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        if self._connection:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the schema's version and the number of tables: both are 0 in a new file."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return number, tables


def create(connection: sqlite3.Connection) -> None:
    """Write the schema, unless another process was faster."""
    connection.execute("BEGIN IMMEDIATE")
    if version(connection) == (0, 0):
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def set_aside(path: Path, label: str) -> Path:
    """Rename the store's file, and the log that belongs to it, to a name that tells why."""
    target = path.with_name(f"{path.name}.{label}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}")
    for suffix in ("-wal", "-shm"):  # The log goes first: a new file must not find the log of another one.
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
    path.rename(target)
    return target


def read(connection: sqlite3.Connection, keys: Sequence[str]) -> list[Row]:
    """Return the rows of those keys that are there."""
    rows = []
    for i in range(0, len(keys), 500):
        part = keys[i : i + 500]
        marks = ",".join("?" * len(part))
        found = connection.execute(f"SELECT key, config, events, payload FROM runs WHERE key IN ({marks})", part)
        rows += [Row(*values) for values in found]
    return rows


def write(connection: sqlite3.Connection, rows: Sequence[Row], used: dict[str, float], limit: int) -> None:
    """Put rows in, note which ones were used, and evict the least recently used beyond ``limit`` bytes."""
    connection.executemany("UPDATE runs SET used_at = ? WHERE key = ?", [(when, key) for key, when in used.items()])
    for row in rows:
        values = (row.key, row.config, row.events, len(row.payload), time.time(), row.payload)
        connection.execute("INSERT OR REPLACE INTO runs VALUES(?, ?, ?, ?, ?, ?)", values)
    connection.execute(EVICT, (limit,))


def delete(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Drop rows."""
    connection.executemany("DELETE FROM runs WHERE key = ?", [(key,) for key in keys])
