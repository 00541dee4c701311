"""What a run costs beside a plain PyTorch loop, in processor time, and what recording adds.

    python tests/bench/speed.py

One torch thread, all in one process; the ways take turns, so that a busy machine slows all of them alike, and
each round's ratios are taken to the plain loop of the same round. The plain loop records nothing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from plain import NORM, plain_loop, seconds, verdict

import gclip
from gclip import RunConfig
from gclip.clipping import Chain, ClipByValue, NoClip
from gclip.training import one_thread
from gclip.training.record import Chunk
from gclip.training.tape import HistoryTape

ROUNDS = 7
SLOW_ROUNDS = 2
"""Rounds in which the batches of many runs take part, too; they change little from round to round."""

COMPARISON = "4 runs (one comparison)"
FOUR = [NoClip(), NORM, ClipByValue(5.0), Chain(NORM, ClipByValue(0.5))]


def seeds(count: int) -> list[RunConfig]:
    return [RunConfig(clipper=NORM, init_seed=s, batch_seed=s) for s in range(count)]


RUNS: dict[str, list[RunConfig]] = {
    "1 run": seeds(1),
    "2 runs (seeds)": seeds(2),
    COMPARISON: [RunConfig(clipper=rule) for rule in FOUR],
    "20 runs (seeds)": seeds(20),
    "64 runs (seeds)": seeds(64),
}
TARGETS = {"1 run": 1.3, COMPARISON: 1.5}
RECORDING_TARGET = 20.0
"""Per cent that recording may add."""

RECORDING = ["1 run", COMPARISON, "20 runs (seeds)"]


def only_wind_back(tape: HistoryTape, used: int, runs: list[int]) -> Chunk:
    """Stand in for `HistoryTape.read`: make the tape ready for the next steps and measure nothing."""
    steps = range(tape.start, tape.start + used)
    tape.wind_back(steps)
    return Chunk(runs, steps, {"mark_step": np.zeros(0, np.int32)})


@contextmanager
def not_recording() -> Iterator[None]:
    read: Any = HistoryTape.read
    HistoryTape.read = only_wind_back  # type: ignore[method-assign]
    try:
        yield
    finally:
        HistoryTape.read = read  # type: ignore[method-assign]


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
