"""The service: what pages ask for runs; it trains each run once, whoever asks, and keeps it."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Container, Sequence
from functools import lru_cache
from pathlib import Path
from types import EllipsisType

from gclip.serving import home
from gclip.serving.runs import Run, Snapshot, Table
from gclip.serving.scheduler import Scheduler
from gclip.serving.store import Store
from gclip.serving.waiting import MAX_PER_OWNER, MAX_WAITING, QueueFull
from gclip.training import Config, History, Record

GRACE = 20.0
"""Seconds for a session whose connection was lost to come back."""

MEMORY = 512 * 2**20
WATCHED, WATCHED_EACH = 2 * 2**30, 256 * 2**20
"""Bytes of the records that all people, and one of them, may look at; a class of 30 with six runs over 20 seeds
each takes .6 GB."""


class Service:
    """Trains runs in worker processes, keeps them in memory and in a store; safe to call from any thread.

    Args:
        workers: number of worker processes; GCLIP_WORKERS, or all cores but one, but both of two.
        store: the store's file; None keeps runs in memory only; by default in GCLIP_HOME.
        grace: seconds after `release` until an owner's watches are dropped.
        memory: bytes of finished runs kept in memory.
    """

    def __init__(
        self,
        workers: int | None = None,
        store: Path | EllipsisType | None = ...,
        *,
        grace: float = GRACE,
        memory: int = MEMORY,
    ) -> None:
        self._lock, self._grace = threading.RLock(), grace
        self._store = Store(home.home() / "runs.sqlite" if store is ... else store)
        self._table = Table(memory)
        self._scheduler = Scheduler(workers or home.workers(), self._lock, self._table, self._keep_for_good)
        self._watches: dict[str, dict[str, None]] = {}
        self._released: dict[str, float] = {}
        self._wake, self._closed = threading.Event(), False
        self._later: float | None = None
        threading.Thread(target=self._housekeeping, name="gclip-housekeeping", daemon=True).start()
        atexit.register(self.close)

    def warm(self) -> None:
        """Start the workers now; otherwise the first `submit` does."""
        with self._lock:
            self._scheduler.pool.wanted = True
            self._dispatch()

    def submit(self, configs: Sequence[Config], owner: str, record: type[Record] = History) -> list[str]:
        """Watch ``configs`` instead of what ``owner`` watched; train those that have not been trained.

        Args:
            record: what is kept of each run.

        Returns:
            their keys, in the same order.

        Raises:
            QueueFull: if too many runs would wait, or take too much memory; then nothing has changed.
        """
        keys = [record.key_of(config) for config in configs]
        wanted = dict(zip(keys, configs, strict=True))
        stored = self._store.load(self._missing(keys))
        with self._lock:
            if self._closed:
                raise RuntimeError("The service is closed.")
            self._check_room(wanted, owner, stored)
            self._check_memory(wanted, owner, record)
            for found in stored.values():
                self._adopt(found, owner)
            before = self._watches.get(owner, {})
            self._released.pop(owner, None)
            self._watches[owner] = dict.fromkeys(wanted)
            for key, config in wanted.items():
                self._want(key, config, record, owner)
            for key in [key for key in before if key not in wanted]:
                self._unwatch(key, owner)
            self._table.shrink()
            self._dispatch()
        return keys

    def snapshot(self, key: str) -> Snapshot | None:
        """Return a still picture of a run, or None if it is neither in memory nor in the store."""
        with self._lock:
            if run := self._table.get(key):
                return run.snapshot(self._scheduler.waiting.place(run) if run.state == "waiting" else None)
        stored = self._store.load([key])
        if key not in stored:
            return None
        with self._lock:
            return self._adopt(stored[key]).snapshot(None)

    def stop(self, owner: str) -> None:
        """Stop what only ``owner`` wants trained; what has been measured stays."""
        with self._lock:
            for key in self._watches.get(owner, {}):
                if run := self._table.get(key):
                    # A session that has gone, as before a refresh, does not keep a run from being stopped.
                    for gone in run.wanting & self._released.keys():
                        self._scheduler.unwant(run, gone)
                    self._scheduler.unwant(run, owner, stop=True)
            self._dispatch()

    def release(self, owner: str) -> None:
        """Note that a session went away; without `keep` its watches are dropped later. Never waits."""
        self._released[owner] = time.monotonic()
        self._wake.set()

    def keep(self, owner: str) -> None:
        """Note that a session is still there, or back again. Never waits."""
        self._released.pop(owner, None)

    def notices(self) -> list[str]:
        """Return sentences about what is wrong, or went wrong, with the store and the workers."""
        return [*self._store.notices(), *self._scheduler.notices]

    def close(self) -> None:
        """End the workers and the store; what was trained is written first."""
        with self._lock:
            already, self._closed = self._closed, True
            processes = [] if already else self._scheduler.close()
        self._wake.set()
        for process in processes:
            process.join(3)
        self._store.close()
        atexit.unregister(self.close)

    def _dispatch(self) -> None:
        with self._lock:
            self._later = self._scheduler.dispatch()
        if self._later is not None:
            self._wake.set()

    def _missing(self, keys: Sequence[str]) -> list[str]:
        """Return the keys that memory has not, or not to the end."""
        with self._lock:
            runs = {key: self._table.get(key) for key in keys}
        return [key for key, run in runs.items() if run is None or run.state in ("failed", "stopped")]

    def _adopt(self, record: Record, *watchers: str) -> Run:
        """Keep a record from the store in memory, unless a run is there that is trained or done."""
        key = record.key
        run = self._table.get(key)
        if run is None:
            run = Run(key, record.config, record, state="done")
            self._table.add(run)
        elif run.state in ("failed", "stopped"):
            run.record, run.state, run.note = record, "done", ""
        else:
            return run
        run.watchers.update(watchers)  # Before it is counted, or it might be forgotten at once.
        self._table.finish(run)
        return run

    def _check_memory(self, wanted: dict[str, Config], owner: str, record: type[Record]) -> None:
        mine = sum(record.size_of(config) for config in wanted.values())
        if mine > WATCHED_EACH:
            raise QueueFull(
                f"{len(wanted)} runs would take {mine / 2**20:.0f} MB of memory; at most {WATCHED_EACH / 2**20:.0f} MB "
                "may be taken for one person. Ask for fewer runs or seeds, fewer epochs or fewer layers."
            )
        others = (run for run in self._table if run.key not in wanted and run.watchers - {owner})
        if mine + sum(run.nbytes for run in others) > WATCHED:
            raise QueueFull(
                f"All that is looked at would take more than the {WATCHED / 2**30:.0f} GB of memory that may be taken. "
                "Ask for less, or try again when others have left."
            )

    def _check_room(self, wanted: dict[str, Config], owner: str, stored: Container[str]) -> None:
        runs = {key: self._table.get(key) for key in wanted if key not in stored}
        fresh = [key for key, run in runs.items() if run is None or run.state in ("failed", "stopped")]
        mine = len(fresh) + sum(run is not None and run.state == "waiting" for run in runs.values())
        if mine > MAX_PER_OWNER:
            raise QueueFull(f"{mine} runs would wait; at most {MAX_PER_OWNER} may wait for one person. Ask for fewer.")
        old = (self._table.get(key) for key in self._watches.get(owner, {}) if key not in wanted)
        freed = sum(run is not None and run.state == "waiting" and run.wanting == {owner} for run in old)
        if len(self._scheduler.waiting) - freed + len(fresh) > MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} runs wait already, and no more may. Try again in a minute.")

    def _want(self, key: str, config: Config, record: type[Record], owner: str) -> None:
        run = self._table.get(key)
        if run is None:
            run = Run(key, config, record.empty(config))
            self._table.add(run)
            fresh = True
        else:
            fresh = run.state in ("failed", "stopped")
        run.watchers.add(owner)
        run.wanting.add(owner)
        if fresh:
            run.note, run.deaths = "", 0
            self._scheduler.enqueue(run)
        elif run.state == "waiting":
            self._scheduler.waiting.add(run)

    def _unwatch(self, key: str, owner: str) -> None:
        if run := self._table.get(key):
            run.watchers.discard(owner)
            self._scheduler.unwant(run, owner)

    def _keep_for_good(self, run: Run) -> None:
        self._store.put(run.record)

    def _housekeeping(self) -> None:
        """Drop released owners when their grace is over, and start workers that could not be started at once."""
        while not self._closed:
            patience = min(self._later or 0.5, self._grace / 4, 0.5) if self._released or self._later else None
            self._wake.wait(patience)
            self._wake.clear()
            with self._lock:
                self._drop_released()
                self._later = self._scheduler.dispatch()

    def _drop_released(self) -> None:
        now = time.monotonic()
        for owner, since in list(self._released.items()):
            if now - since >= self._grace and self._released.pop(owner, None) is not None:
                for key in self._watches.pop(owner, {}):
                    self._unwatch(key, owner)


_making = threading.Lock()


@lru_cache(maxsize=1)
def _service() -> Service:
    return Service()


def service() -> Service:
    """Return this process's service; the first call makes it, however many sessions come at once."""
    with _making:
        return _service()
