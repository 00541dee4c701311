"""How long a whole threshold curve takes through the service, as the page asks for it, in wall time.

24 thresholds by 8 seeds, each run's summary kept, a temporary store, workers that are warm. A cell counts as shown
when all its seeds have an evaluation. Every curve has seeds of its own, so that nothing comes from the store, and is
taken in units of a plain PyTorch run that this process trains just before, also in wall time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from plain import plain_loop, seconds

from gclip import RunConfig, Summary
from gclip.serving import Service
from gclip.sweeping import Sweep

ROUNDS = 3
POLL = 0.05
PATIENCE = 120.0

OWNER = "bench"


class Curve(NamedTuple):
    """Wall seconds: of a plain run, until the first cell is shown, until all runs are done."""

    plain: float
    first: float
    whole: float


def curves(workers: int) -> list[Curve]:
    """Return what each round's curve took with so many workers."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(workers, Path(folder) / "runs.sqlite")
        try:
            warm(service, workers)
            return [curve(service, seed) for seed in range(0, 100 * ROUNDS, 100)]
        finally:
            service.close()


def warm(service: Service, workers: int) -> None:
    """Have every worker train something: runs that cannot share a batch go to different ones."""
    service.warm()
    wait(service, service.submit([RunConfig(epochs=1 + i) for i in range(workers)], OWNER))


def curve(service: Service, seed: int) -> Curve:
    """Train one curve, watched as the page watches it."""
    sweep = Sweep(shared=RunConfig(init_seed=seed, batch_seed=seed))
    plain = seconds(plain_loop, time.perf_counter)
    start = time.perf_counter()
    keys = service.submit(sweep.configs(), OWNER, record=Summary)
    shown = wait(service, keys, sweep.seeds)
    return Curve(plain, shown - start, time.perf_counter() - start)


def wait(service: Service, keys: Sequence[str], cell: int = 1) -> float:
    """Wait until all runs are done; return when the first ``cell`` neighbours all had an evaluation."""
    shown, until = None, time.perf_counter() + PATIENCE
    while time.perf_counter() < until:
        found = [service.snapshot(key) for key in keys]
        evaluated = [bool(run and len(run.record.test_loss)) for run in found]
        if shown is None and any(all(evaluated[i : i + cell]) for i in range(0, len(keys), cell)):
            shown = time.perf_counter()
        if shown and all(run and run.state == "done" for run in found):
            return shown
        time.sleep(POLL)
    raise TimeoutError(f"{len(keys)} runs were not done within {PATIENCE:g} s: {service.notices()}")
