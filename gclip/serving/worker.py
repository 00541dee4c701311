"""A training process: takes jobs from stdin, trains them in turns, and sends what was measured to stdout.

Start it as ``python -m gclip.serving.worker``. It leaves as soon as its stdin is closed: its parent is gone.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from gclip.serving.rows import RECORDS
from gclip.serving.wire import pack, read_frame, unpack, write_frame
from gclip.training import (
    Chunk,
    Config,
    Record,
    RecurrentConfig,
    RunConfig,
    one_thread,
    restore,
    train,
)

SEND_EVERY = 0.04
"""Seconds between two messages of one job: often enough for an eye, seldom enough for the reader."""

NICENESS = 5

BY_NAME = {kind.__name__: kind for kind in RECORDS}
"""The records that a job may keep, as commands name them."""


class Job:
    """One stacked batch under way: its generator, and the chunks that have not been sent yet."""

    def __init__(self, number: int, configs: Sequence[Config], record: type[Record]) -> None:
        self.number, self.chunks = number, train(configs, record)
        self.pending: list[Chunk] = []
        self.sent_at = 0.0

    @property
    def due(self) -> bool:
        """Whether to send now; the first chunk is always due."""
        return time.monotonic() - self.sent_at >= SEND_EVERY


def merge(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """Join neighbouring chunks of the same runs, so that many of them travel as one."""
    group: list[Chunk] = []
    for chunk in chunks:
        if group and group[-1].runs != chunk.runs:
            yield _joined(group)
            group = []
        group.append(chunk)
    if group:
        yield _joined(group)


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    names = dict.fromkeys(name for chunk in chunks for name in chunk.arrays)
    # What is measured now and then is not in every chunk.
    arrays = {name: np.concatenate([c.arrays[name] for c in chunks if name in c.arrays]) for name in names}
    joined = Chunk(chunks[0].runs, range(chunks[0].steps.start, chunks[-1].steps.stop), arrays)
    for chunk in chunks:
        for lane, events in chunk.events.items():
            joined.events.setdefault(lane, []).extend(events)
    return joined


class Worker:
    """Trains any number of jobs in turns, a chunk each; a new job goes first."""

    def __init__(self, commands: queue.SimpleQueue[dict[str, Any]], out: IO[bytes]) -> None:
        self.commands, self.out = commands, out
        self.jobs: deque[Job] = deque()

    def forever(self) -> None:
        """Obey commands and train until the process ends."""
        while True:
            self.obey()
            job = self.jobs.popleft()
            if self.advance(job):
                self.jobs.append(job)

    def obey(self) -> None:
        """Take all commands that have come; wait for one only if there is nothing to train."""
        while not self.jobs or not self.commands.empty():
            command = self.commands.get()
            if command["type"] == "start":
                self.start(command["job"], command["configs"], command["record"])
            elif command["type"] == "cancel":
                self.jobs = deque(job for job in self.jobs if job.number != command["job"])

    def start(self, number: int, configs: Sequence[dict[str, Any]], record: str) -> None:
        """Put a new job in front of all others."""
        try:
            self.jobs.appendleft(Job(number, [restore(config) for config in configs], BY_NAME[record]))
        except Exception as error:
            self.fail(number, error)

    def advance(self, job: Job) -> bool:
        """Train one chunk of ``job`` and send what is due; say whether there is more to train."""
        try:
            chunk = next(job.chunks, None)
        except Exception as error:  # Whatever happens in one job, the others go on.
            self.fail(job.number, error)
            return False
        if chunk is not None:
            job.pending.append(chunk)
        if chunk is None or job.due:
            self.send_rows(job)
        if chunk is None:
            self.send({"type": "done", "job": job.number})
        return chunk is not None

    def send_rows(self, job: Job) -> None:
        """Send a job's pending chunks, joined."""
        for chunk in merge(job.pending):
            events = {str(lane): [list(event) for event in found] for lane, found in chunk.events.items()}
            self.send({"type": "rows", "job": job.number, "runs": chunk.runs, "events": events}, chunk.arrays)
        job.pending, job.sent_at = [], time.monotonic()

    def fail(self, number: int, error: Exception) -> None:
        """Report a job that raised, in one line; the traceback goes to the log."""
        traceback.print_exception(error)
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        self.send({"type": "failed", "job": number, "error": text})

    def send(self, header: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
        """Send one message to the parent; a closed pipe means that it is gone."""
        try:
            write_frame(self.out, pack(header, arrays or {}))
        except OSError:
            os._exit(0)


def listen(stream: IO[bytes], commands: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass commands on until the parent closes the pipe or says exit; then leave at once, in mid-training too."""
    with contextlib.suppress(ValueError, OSError):
        while (message := read_frame(stream)) is not None:
            command, _ = unpack(message)
            if command["type"] == "exit":
                break
            commands.put(command)
    os._exit(0)


def warm_up() -> None:
    """Train a little of everything, so that the first learner does not wait for what torch loads on first use."""
    with contextlib.suppress(Exception):
        for _ in train([RunConfig(epochs=1), RecurrentConfig(steps=20)]):
            pass


def main() -> None:
    """Run the worker on this process's stdin and stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent tells us when to go.
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # A stray print must not land between two frames.
    commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, commands), daemon=True).start()
    with one_thread():
        warm_up()
        gc.freeze()  # All that was imported stays: to look through it again and again takes a tenth of a second each.
        worker = Worker(commands, out)
        worker.send({"type": "ready"})
        worker.forever()


if __name__ == "__main__":
    main()
