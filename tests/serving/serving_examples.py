"""What the tests of gclip.serving share: configs that nobody asked for before, and waiting for something."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

import numpy as np

from gclip.serving import Service, Snapshot
from gclip.training import Record, RecurrentConfig, RunConfig

_seeds = itertools.count(1000)


def fresh(n: int = 1, **settings: object) -> list[RunConfig]:
    """Return ``n`` short configs that have never been used before."""
    return [RunConfig(**{"epochs": 4, "init_seed": next(_seeds), **settings}) for _ in range(n)]  # type: ignore[arg-type]


def fresh_recurrent(n: int = 1, **settings: object) -> list[RecurrentConfig]:
    """Return ``n`` short recurrent configs that have never been used before."""
    small = {"steps": 60, "sequence_length": 9, "hidden_units": 8, "batch_size": 4}
    return [RecurrentConfig(**{**small, "init_seed": next(_seeds), **settings}) for _ in range(n)]  # type: ignore[arg-type]


def long(n: int = 1, **settings: object) -> list[RunConfig]:
    """Return ``n`` configs that train for some seconds: long enough to be seen in mid-run, and to be waited for."""
    return fresh(n, **{"epochs": 1250, **settings})


def endless(n: int = 1, **settings: object) -> list[RunConfig]:
    """Return ``n`` configs that still train when a test has done with them, however busy the machine is."""
    return long(n, **{"hidden_units": 256, "hidden_layers": 2, **settings})


def until(condition: Callable[[], object], timeout: float = 120.0) -> float:
    """Wait for a condition and return how long it took; what must be quick compares that with a bound of its own."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout, "waited in vain"
        time.sleep(0.002)
    return time.monotonic() - start


def see(service: Service, key: str) -> Snapshot:
    """Return a snapshot that must be there."""
    snapshot = service.snapshot(key)
    assert snapshot is not None
    return snapshot


def settled(service: Service, keys: Iterable[str], timeout: float = 30.0) -> list[Snapshot]:
    """Wait until no run waits or trains any more, and return all."""
    until(lambda: not any(see(service, key).state in ("waiting", "training") for key in keys), timeout)
    return [see(service, key) for key in keys]


def rows(service: Service, key: str) -> int:
    """Return how many steps are to be seen."""
    return see(service, key).history.steps_done


def same(left: Record, right: Record) -> bool:
    """Say whether two records are equal to the last bit."""
    a, b = left.arrays(), right.arrays()
    equal = all(a[name].tobytes() == b[name].tobytes() and np.shape(a[name]) == np.shape(b[name]) for name in b)
    return equal and a.keys() == b.keys() and sorted(left.events) == sorted(right.events)
