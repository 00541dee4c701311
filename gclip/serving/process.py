"""The parent's end of a worker: a child process, a thread that reads from it and one that writes to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import gclip
from gclip.serving.wire import pack, read_frame, unpack, write_frame

COMMAND = (sys.executable, "-P", "-m", "gclip.serving.worker")


class Listener(Protocol):
    """Who hears what a process says; called from the process's reader thread."""

    def heard(self, process: Process, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take one message."""
        ...

    def ended(self, process: Process, how: str) -> None:
        """Take notice that the process has ended, and how."""
        ...


class Process:
    """One worker process; ``jobs`` are the numbers of the jobs that it trains now, no other beside one ``alone``."""

    def __init__(self, listener: Listener, command: tuple[str, ...] = COMMAND) -> None:
        self.listener, self.jobs, self.alone, self.ready = listener, set[int](), False, False
        self.started = time.monotonic()
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.child.pid

    def send(self, header: dict[str, Any]) -> None:
        """Send a command; never waits, since a thread of its own writes to the pipe."""
        self._out.put(pack(header, {}))

    def kill(self) -> None:
        """End the child now: while it still imports torch, it would not notice a closed pipe."""
        self.close()
        self.child.kill()

    def close(self) -> None:
        """Close the pipe: the worker leaves at once, also in the middle of its work."""
        self._out.put(None)

    def join(self, timeout: float) -> None:
        """Wait until the child has ended and its threads too."""
        for thread in self._threads:
            thread.join(timeout)

    def _write(self) -> None:
        assert self.child.stdin
        with contextlib.suppress(OSError):
            while (message := self._out.get()) is not None:
                write_frame(self.child.stdin, message)
        with contextlib.suppress(OSError):
            self.child.stdin.close()

    def _read(self) -> None:
        assert self.child.stdout
        try:
            while (message := read_frame(self.child.stdout)) is not None:
                self.listener.heard(self, *unpack(message))
        except Exception as error:  # A worker that talks nonsense is ended, and replaced like one that died.
            traceback.print_exception(error)
            self.child.kill()
        self.close()
        self.listener.ended(self, self._farewell())

    def _farewell(self) -> str:
        """Wait for the child's end and say how it ended."""
        try:
            code = self.child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.child.kill()
            code = self.child.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def environment() -> dict[str, str]:
    """Return the environment of a worker: this one, with this very gclip on the path, and one thread."""
    folder = str(Path(gclip.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Pool:
    """A fixed number of processes, started when first needed; one that ends early is replaced, with patience."""

    def __init__(self, size: int, listener: Listener, start: Callable[[Listener], Process] = Process) -> None:
        self.size, self._listener, self.start = size, listener, start
        self.processes: list[Process] = []
        self.wanted = False
        self._stillborn, self._not_before = itertools.count(), 0.0

    def fill(self) -> float | None:
        """Start missing processes, once ``wanted``; return the seconds to wait if one must not be started yet."""
        while self.wanted and len(self.processes) < self.size:
            if (wait := self._not_before - time.monotonic()) > 0:
                return wait
            try:
                self.processes.append(self.start(self._listener))
            except OSError:  # No memory or no process to be had just now.
                self._not_before = time.monotonic() + 5
        return None

    def remove(self, process: Process) -> None:
        """Take an ended process out; after several that were never ready, wait longer before each new one."""
        self.processes.remove(process)
        if process.ready:
            self._stillborn = itertools.count()
        else:
            self._not_before = time.monotonic() + min(60, 2 ** next(self._stillborn))

    @property
    def idle(self) -> int:
        """How many processes have nothing to do."""
        return sum(not process.jobs for process in self.processes)

    def free(self, jobs_each: int) -> Process | None:
        """Return the process with the fewest jobs, if it may take another one."""
        sharing = [process for process in self.processes if not (process.jobs and process.alone)]
        process = min(sharing, key=lambda process: len(process.jobs), default=None)
        return process if process and len(process.jobs) < jobs_each else None
