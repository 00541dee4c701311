"""The store: finished runs in one SQLite file, so that they outlive the server."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from gclip.serving import database
from gclip.serving.database import Database, WrongVersionError
from gclip.serving.rows import DamagedRowError, Row, from_row, to_row
from gclip.training import Record

LIMIT = 2**30
PENDING = 128 * 2**20
"""Bytes of packed runs in the file, and of runs in memory that wait for a disk that takes no more."""

RETRY = 5.0
BATCH = 16
"""Seconds between attempts when the disk is in trouble, and runs in one transaction."""

MEMORY_ONLY = "Runs are kept in memory until the server stops."
SENTENCES = {
    "damaged": "The store {path} was damaged; it was set aside as {aside} and a new one was begun.",
    "version": "The store {path} was written by another version of gclip; it was set aside as {aside}.",
    "full": "The disk is full, so the store {path} takes no more runs. " + MEMORY_ONLY,
    "locked": "The store {path} is locked by another program; it is tried again. " + MEMORY_ONLY,
    "unwritable": "The store {path} cannot be written ({error}). " + MEMORY_ONLY,
    "row": "A stored run was damaged; it was dropped from the store and is trained again when somebody asks for it.",
}
PASSING = ("full", "locked", "unwritable")
"""Troubles that are over as soon as something has been written."""

Result = TypeVar("Result")


class Store:
    """Finished runs on disk; whatever is wrong with the disk becomes a notice, never an error.

    Args:
        path: the SQLite file; None keeps nothing.
        limit: bytes of packed runs kept; the least recently used go first.
    """

    def __init__(self, path: Path | None, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self._notices: dict[str, str] = {}
        self._changed, self._setting_aside = threading.Condition(), threading.Lock()
        self._pending: dict[str, Record] = {}
        self._pending_bytes = 0
        self._used: dict[str, float] = {}
        self._bad: set[str] = set()
        self._closed, self._rest_until = path is None, 0.0
        if path is not None:
            # Reading must not wait for the writer, so each has a connection; and a page does not wait for a lock.
            self._reader, self._writer = Database(path, timeout=0.1), Database(path, timeout=5.0)
            self._thread = threading.Thread(target=self._write_forever, name="gclip-store", daemon=True)
            self._thread.start()

    def notices(self) -> list[str]:
        """Return a sentence for everything that is or was wrong with the store."""
        return list(self._notices.values())

    def load(self, keys: Sequence[str]) -> dict[str, Record]:
        """Return those of the runs that are stored."""
        with self._changed:
            found = {key: self._pending[key] for key in keys if key in self._pending}
            rest = [key for key in keys if key not in found and key not in self._bad]
        if not rest or self._closed or time.monotonic() < self._rest_until:
            return found
        read = self._try(self._reader, lambda connection: database.read(connection, rest))
        for row in read or []:
            if record := self._unpacked(row):
                found[row.key] = record
        return found

    def _unpacked(self, row: Row) -> Record | None:
        try:
            record = from_row(row)
        except DamagedRowError:
            record = None
            self._notices["row"] = SENTENCES["row"]
        with self._changed:
            if record is None:
                self._bad.add(row.key)
            else:
                self._used[row.key] = time.time()
            self._changed.notify()
        return record

    def put(self, record: Record) -> None:
        """Have a finished run written soon, by a thread of its own."""
        with self._changed:
            if self.path is None:
                return
            self._unpend(record.key)
            self._pending[record.key] = record
            self._pending_bytes += record.nbytes
            while self._pending_bytes > PENDING and len(self._pending) > 1:
                self._unpend(next(iter(self._pending)))
            self._changed.notify()

    def _unpend(self, key: str) -> None:
        if record := self._pending.pop(key, None):
            self._pending_bytes -= record.nbytes

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything is written; say whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._pending or self._used or self._bad), timeout)

    def close(self) -> None:
        """Write what is left, if the disk takes it, and close the file."""
        with self._changed:
            already, self._closed = self._closed, True
            self._changed.notify_all()
        if not already:
            self._thread.join(10)
            for connection in (self._reader, self._writer):
                with connection.lock:
                    connection.close()

    def _write_forever(self) -> None:
        self._try(self._writer, lambda connection: True)  # Say at once if there is no disk to write to.
        while True:
            with self._changed:
                if not self._closed:
                    self._changed.wait_for(lambda: self._closed or self._pending or self._used or self._bad)
                batch = dict(islice(self._pending.items(), BATCH))
                used, bad, last = dict(self._used), set(self._bad), self._closed
            if not (batch or used or bad):
                return
            if not self._write(batch, used, bad):
                if last:
                    return
                self._rest()

    def _write(self, batch: dict[str, Record], used: dict[str, float], bad: set[str]) -> bool:
        """Write one batch in one transaction, and forget what it was made of; say whether it worked."""
        packed = [to_row(record) for record in batch.values()]

        def work(connection: sqlite3.Connection) -> bool:
            database.delete(connection, sorted(bad))
            database.write(connection, packed, used, self.limit)
            return True

        if not self._try(self._writer, work):
            return False
        with self._changed:
            for key, record in batch.items():
                if self._pending.get(key) is record:
                    self._unpend(key)
            self._used = {key: when for key, when in self._used.items() if used.get(key) != when}
            self._bad -= bad
            self._changed.notify_all()
        for kind in PASSING:
            self._notices.pop(kind, None)
        return True

    def _rest(self) -> None:
        """Leave a disk in trouble alone for a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, RETRY)

    def _try(self, base: Database, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """Do ``work``, on a new file if this one had to be set aside; return None if it cannot be done now."""
        for _ in range(2):
            try:
                return base.run(work)
            except (sqlite3.Error, OSError, WrongVersionError) as error:
                if not self._handled(base, error):
                    break
        return None

    def _handled(self, base: Database, error: Exception) -> bool:
        """Take notice of an error; say whether the work may be tried again at once."""
        assert self.path is not None
        kind, aside = database.kind_of(error), ""
        with self._setting_aside:
            if base.file != database.identity(self.path):
                return True  # Another thread or process has set it aside already.
            try:
                if kind in ("damaged", "version"):
                    aside = database.set_aside(self.path, kind).name
            except OSError as failure:
                kind, error = "unwritable", failure
        self._notices[kind] = SENTENCES[kind].format(path=self.path, aside=aside, error=error)
        if kind in PASSING and base is self._reader:
            self._rest_until = time.monotonic() + RETRY
        return kind not in PASSING
