"""The dashboard as a learner starts it: a server of its own, on a free port, with a home of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds in which anything that is waited for must happen, on a slow and busy machine too."""


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)


class Server:
    """``streamlit run app.py``; ``stop`` and ``start`` again keep the port and the home."""

    def __init__(self, home: Path, root: Path = ROOT) -> None:
        self.home, self.root, self.port = home, root, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {"port": self.port, "address": "127.0.0.1", "headless": "true"}
        flags = [text for name, value in options.items() for text in (f"--server.{name}", str(value))]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", *flags]
        environment = os.environ | {"GCLIP_HOME": str(self.home)}
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=log, stderr=log)
        until(lambda: self.process.poll() is not None or self._answers())
        assert self.process.poll() is None, self.log()

    def stop(self) -> None:
        """End the server by its own process id; its workers must leave with it."""
        workers = self.workers()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        until(lambda: not [pid for pid in workers if _is_worker(pid)], 60)

    def workers(self) -> list[int]:
        """Return the process ids of this server's workers."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if _is_worker(pid) and _parent(pid) == self.process.pid]

    def log(self) -> str:
        """Return what all servers of this home have written."""
        return (self.home / "server.log").read_text(errors="replace")

    def link(self, *runs: str, **settings: object) -> str:
        """Return the address of a comparison; ``page`` among the settings is the page that shows it."""
        page = settings.pop("page", "compare")
        query = urlencode([*[("run", run) for run in runs], *settings.items()])
        return f"{self.url}/{page}?{query}"

    def _answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).status == 200
        except OSError:
            return False


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def _is_worker(pid: int) -> bool:
    try:
        return b"gclip.serving.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
