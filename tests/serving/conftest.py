import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gclip.serving import Service
from gclip.serving.process import Process
from gclip.serving.runs import Run
from gclip.serving.scheduler import Scheduler


@pytest.fixture(scope="session")
def shared() -> Iterator[Service]:
    """A service with one warm worker and no store; tests use configs of their own."""
    service = Service(1, store=None)
    service.warm()
    yield service
    service.close()


@pytest.fixture
def served(shared: Service) -> Iterator[Service]:
    """The shared service, of which nobody wants anything before and after a test."""
    yield shared
    for owner in list(shared._watches):
        shared.submit([], owner)


@pytest.fixture(scope="session")
def spoilt() -> Iterator[Service]:
    """A service whose worker fails or dies for certain configs: see spoilt_worker.py."""
    service = Service(1, store=None)
    command = (sys.executable, str(Path(__file__).with_name("spoilt_worker.py")))
    service._scheduler.pool.start = lambda listener: Process(listener, command)
    yield service
    service.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A maker of services that are closed at the test's end."""
    made: list[Service] = []

    def build(*args: object, **settings: object) -> Service:
        made.append(Service(*args, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for service in made:
        service.close()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The keys of every batch that is started during the test."""
    started: list[list[str]] = []
    start = Scheduler._start

    def record(self: Scheduler, process: Process, runs: list[Run]) -> None:
        started.append([run.key for run in runs])
        start(self, process, runs)

    monkeypatch.setattr(Scheduler, "_start", record)
    return started
