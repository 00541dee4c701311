"""What a run costs beside a plain PyTorch loop, in processor time, and what recording adds.

    python tests/bench/speed.py

One torch thread, all in one process; the ways take turns, so that a busy machine slows all of them alike, and
each round's ratios are taken to the plain loop of the same round. The plain loop records nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

import gclip
from gclip import RunConfig
from gclip.clipping import Chain, ClipByNorm, ClipByValue, NoClip
from gclip.training import mlp, one_thread
from gclip.training.problems import make_data
from gclip.training.record import Chunk
from gclip.training.tape import HistoryTape as Tape

ROUNDS = 7
SLOW_ROUNDS = 2
"""Rounds in which the batches of many runs take part, too; they change little from round to round."""

NORM = ClipByNorm(1.0)
FOUR = [NoClip(), NORM, ClipByValue(5.0), Chain(NORM, ClipByValue(0.5))]


def seeds(count: int) -> list[RunConfig]:
    return [RunConfig(clipper=NORM, init_seed=s, batch_seed=s) for s in range(count)]


RUNS: dict[str, list[RunConfig]] = {
    "1 run": seeds(1),
    "2 runs (seeds)": seeds(2),
    "4 runs (one comparison)": [RunConfig(clipper=rule) for rule in FOUR],
    "20 runs (seeds)": seeds(20),
    "64 runs (seeds)": seeds(64),
}
TARGETS = {"1 run": 1.3, "4 runs (one comparison)": 1.5}
RECORDING_TARGET = 20.0
"""Per cent that recording may add."""

RECORDING = ["1 run", "4 runs (one comparison)", "20 runs (seeds)"]


def plain_loop() -> None:
    """The tutorial's network as a learner writes it: 100 epochs, clipped by norm 1, nothing recorded."""
    config = RunConfig(clipper=NORM)
    data, shuffle = make_data(config), torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 25), nn.ReLU(), nn.Linear(25, 1))
    with torch.no_grad():
        for mine, fresh in zip(net.parameters(), mlp.initialise(config).values(), strict=True):
            mine.copy_(fresh)
    optimizer, score, y = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9), nn.MSELoss(), data.y_train[:, None]
    for _ in range(config.epochs):
        for rows in torch.randperm(config.n_train, generator=shuffle).split(config.batch_size):
            optimizer.zero_grad()
            score(net(data.x_train[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()


def only_wind_back(tape: Tape, used: int, runs: list[int]) -> Chunk:
    """Stand in for `Tape.read`: make the tape ready for the next steps and measure nothing."""
    tape.params[0].copy_(tape.params[used])
    tape.start += used
    return Chunk(runs, range(tape.start - used, tape.start), {"mark_step": np.zeros(0, np.int32)})


@contextmanager
def not_recording() -> Iterator[None]:
    read: Any = Tape.read
    Tape.read = only_wind_back  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tape.read = read  # type: ignore[method-assign]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def unrecorded(configs: list[RunConfig]) -> float:
    with not_recording():
        return seconds(lambda: gclip.run(configs))


def measure() -> tuple[list[float], dict[str, list[float]], dict[str, list[float]]]:
    """Return the plain loop's seconds, each way's ratios to it, and the per cent that recording adds."""
    plain: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in RUNS}
    extra: dict[str, list[float]] = {name: [] for name in RECORDING}
    for turn in range(ROUNDS):
        plain.append(seconds(plain_loop))
        for name, configs in RUNS.items():
            if len(configs) > 4 and turn >= SLOW_ROUNDS:
                continue
            took = seconds(lambda configs=configs: gclip.run(configs))
            ratios[name].append(took / plain[-1])
            if name in extra:
                extra[name].append(100 * (took / unrecorded(configs) - 1))
    return plain, ratios, extra


def verdict(value: float, target: float | None) -> str:
    return "" if target is None else f"<= {target:<5g} {'met' if value <= target else 'NOT MET'}"


def main() -> int:
    with one_thread():
        plain_loop()
        gclip.run(seeds(1))
        plain, ratios, extra = measure()
    print(f"plain PyTorch loop: {statistics.median(plain):.2f} s of processor time, min {min(plain):.2f} s\n")
    print(f"{'in units of the plain loop':<34}{'median':>8}{'min':>8}   {'each run':>8}   target")
    for name, values in ratios.items():
        middle = statistics.median(values)
        line = f"{name + ', recorded':<34}{middle:>8.2f}{min(values):>8.2f}   {middle / len(RUNS[name]):>8.3f}   "
        print(line + verdict(middle, TARGETS.get(name)))
    print(f"\n{'recording adds, per cent':<34}{'median':>8}{'min':>8}   {'':>8}   target")
    for name, values in extra.items():
        middle = statistics.median(values)
        print(f"{name:<34}{middle:>8.1f}{min(values):>8.1f}   {'':>8}   " + verdict(middle, RECORDING_TARGET))
    return 0


if __name__ == "__main__":
    sys.exit(main())
