"""Which run is trained when, and where: the queue on one side, the worker processes on the other."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from gclip.serving.process import Pool, Process
from gclip.serving.runs import Job, Run, Table
from gclip.serving.waiting import Waiting
from gclip.training import Event
from gclip.training.record import of_lane

JOBS_EACH = 3
"""Jobs that a worker trains in turns: a long one must not keep short ones waiting."""

STOPPED = "Stopped before its end."
RESTARTED = "The training process ended ({how}); the run was started again and gives the same numbers."
GIVEN_UP = (
    "The training process ended {deaths} times during this run, the last time with {how} and nothing else to train, "
    "so it was given up."
)
FAILED = "This run could not be trained: {error}"
REPLACED = "A training process ended ({how}) and was replaced."


class Scheduler:
    """Hands waiting runs to workers and takes in what they measure; its callers hold ``lock``.

    Args:
        finished: told of every run trained to its end.
    """

    def __init__(self, workers: int, lock: threading.RLock, table: Table, finished: Callable[[Run], None]) -> None:
        self.lock, self.table, self.finished = lock, table, finished
        self.waiting, self.pool = Waiting(), Pool(workers, self)
        self.jobs: dict[int, Job] = {}
        self.notices: deque[str] = deque(maxlen=5)
        self.closed = False
        self._numbers = itertools.count(1)

    def enqueue(self, run: Run) -> None:
        """Let a run wait for a worker; `dispatch` then takes it."""
        run.state, run.job = "waiting", None
        self.waiting.add(run)

    def dispatch(self) -> float | None:
        """Give waiting runs to workers that may take more; return when to try again if workers are missing."""
        if self.closed:
            return None
        self.pool.wanted |= len(self.waiting) > 0
        later = self.pool.fill()
        share = self.waiting.share(self.pool.idle)
        while len(self.waiting) and (process := self.pool.free(1 if self.waiting.suspect else JOBS_EACH)):
            self._start(process, self.waiting.take(share))
        return later

    def _start(self, process: Process, runs: list[Run]) -> None:
        job = Job(next(self._numbers), runs, awake=process.ready)
        self.jobs[job.number] = job
        process.jobs.add(job.number)
        process.alone = runs[0].suspect
        for run in runs:
            run.start(job)
        configs = [run.config.model_dump(mode="json") for run in runs]
        kind = type(runs[0].record).__name__
        process.send({"type": "start", "job": job.number, "record": kind, "configs": configs})

    def unwant(self, run: Run, owner: str, stop: bool = False) -> None:
        """Let one owner's wish go; a run that nobody wants leaves the queue, a batch that nobody wants its worker.

        Args:
            stop: stop the run's lane even if its batch goes on for others.
        """
        run.wanting.discard(owner)
        if run.state == "waiting":
            self.waiting.leave(run, owner)
        if run.wanting or not run.active:
            return
        job = run.job
        if job is None or stop:
            self._halt(run)
        if job and not job.wanted:
            self._cancel(job)

    def _halt(self, run: Run) -> None:
        run.state, run.job, run.note = "stopped", None, STOPPED
        self.table.finish(run)
        if run.record.steps_done == 0 and not run.watchers:
            self.table.forget(run)

    def _cancel(self, job: Job) -> None:
        for run in job.lanes:
            self._halt(run)
        process = self._end(job)
        if process:
            process.send({"type": "cancel", "job": job.number})

    def _end(self, job: Job) -> Process | None:
        """Forget a job; return the process that had it."""
        self.jobs.pop(job.number, None)
        for process in self.pool.processes:
            if job.number in process.jobs:
                process.jobs.discard(job.number)
                return process
        return None

    def heard(self, process: Process, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take one message from a worker."""
        with self.lock:
            if header["type"] == "ready":
                process.ready = True
                for number in process.jobs:
                    self.jobs[number].awake = True
            elif job := self.jobs.get(header["job"]):  # Late words of a cancelled job find no job.
                getattr(self, f"_{header['type']}")(job, header, arrays)

    def _rows(self, job: Job, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for lane, i in enumerate(header["runs"]):
            run = job.runs[i]
            if run.job is job:
                events = [Event(*event) for event in header["events"].get(str(lane), [])]
                run.append(of_lane(arrays, lane), events)

    def _done(self, job: Job, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._end(job)
        for run in job.lanes:
            if run.record.done:
                run.state, run.job = "done", None
                self.table.finish(run)
                self.finished(run)
            else:
                self._fail(run, FAILED.format(error="training ended early."))
        self.dispatch()

    def _failed(self, job: Job, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._end(job)
        lanes = len(job.runs)
        for run in job.lanes:
            if lanes > 1:  # One run may have spoilt it for the others: halve the batch until it is alone.
                self._again(run, lanes // 2)
            else:
                self._fail(run, FAILED.format(error=header["error"]))
        self.dispatch()

    def _fail(self, run: Run, note: str) -> None:
        run.state, run.job, run.note = "failed", None, note
        self.table.finish(run)

    def _again(self, run: Run, max_lanes: int) -> None:
        run.halved_to = max(1, max_lanes)
        if run.wanting:
            self.enqueue(run)
        else:
            self._halt(run)

    def ended(self, process: Process, how: str) -> None:
        """Replace a worker that ended, and start its runs again."""
        with self.lock:
            if self.closed:
                return
            self.pool.remove(process)
            self.notices.append(REPLACED.format(how=how))
            for job in [self.jobs.pop(number) for number in process.jobs]:
                for run in job.lanes:
                    self._died(run, how, len(job.runs))
            self.dispatch()

    def _died(self, run: Run, how: str, lanes: int) -> None:
        """Start a run again that was on a worker when it ended: by itself, and in ever smaller batches.

        So a run that ends workers is found, and costs those that were beside it nothing but time.
        """
        run.deaths += 1
        if run.deaths > 1 and lanes == 1:
            self._fail(run, GIVEN_UP.format(how=how, deaths=run.deaths))
        else:
            run.note = RESTARTED.format(how=how)
            self._again(run, lanes if run.deaths == 1 else lanes // 2)

    def close(self) -> list[Process]:
        """End all workers; return them, so that one may wait for them without the lock."""
        self.closed = True
        for process in self.pool.processes:
            process.kill()
        return list(self.pool.processes)
