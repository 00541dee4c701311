"""What sweeps cost: many runs of the tutorial's network at once, in units of one plain PyTorch loop.

    python tests/bench/sweep.py

Processor time on one torch thread, all in one process (Keras in processes of its own, which measure themselves);
the ways take turns, and each round's ratios are taken to the plain loop of the same round. The plain loop, and the
C loop, record nothing; a sweep's runs keep their `Summary`, the runs beside Keras their full `History`. Only the
threshold curve is in wall time, as a person waits for it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import curve
import keras_tutorial
import numpy as np
from fused import Train, fused_loop
from plain import NORM, plain_loop, seconds, verdict
from speed import COMPARISON, RUNS, TARGETS

import gclip
from gclip import History, RunConfig, Summary
from gclip.clipping import ClipByNorm
from gclip.serving import home
from gclip.serving.rows import to_row
from gclip.training import one_thread

ROUNDS, SLOW_ROUNDS, KERAS_ROUNDS = 5, 2, 2
"""Rounds in all, those in which 1024 lanes and other sizes of network take part, and those of Keras."""

LANES = (1, 4, 16, 64, 256, 1024)
SEEDS = 8
MOST = {64: (40, 60), 256: (70, 100)}
"""By lanes: a run may cost at most one part in so many of a plain loop; the second number is what is aimed at."""

C_RUNS, LEARNED = 64, 20.0
"""Runs that the C loop trains, one after the other, and the median train loss that they must reach."""

KERAS_TARGETS = {"torch": 6, "tensorflow": 10, "jax": 2}
CURVE_TARGETS = (1.0, 3.0)
"""Seconds until the first cell, and plain runs until the whole curve."""

SIZES: dict[str, Sequence[int]] = {
    "epochs": (25, 50, 100, 200),
    "batch_size": (8, 32, 128),
    "hidden_units": (8, 25, 64, 128),
}


def lanes(count: int, **fields: Any) -> list[RunConfig]:
    """Return thresholds from .01 to 1000, each over 8 seeds; below 8 runs over one."""
    seeds = SEEDS if count >= SEEDS else 1
    thresholds = np.geomspace(0.01, 1000, count // seeds).tolist()
    return [
        RunConfig(clipper=ClipByNorm(t), init_seed=s, batch_seed=s, **fields) for t in thresholds for s in range(seeds)
    ]


def one_in(share: float) -> str:
    """Write a share of a plain loop as one part in so many."""
    return f"1/{1 / share:.3g}"


def summed_up(configs: Sequence[RunConfig]) -> Callable[[], object]:
    """Return the work of training ``configs`` with all that a sweep keeps."""
    return lambda: gclip.run(configs, Summary)


def take_turns(
    works: Mapping[Any, Callable[[], object]],
    rounds: int = ROUNDS,
    slow: Sequence[Any] = (),
    plain: Callable[[], object] = plain_loop,
) -> tuple[float, dict[Any, list[float]]]:
    """Return the median seconds of ``plain``, and by name each work's costs in its units, round by round."""
    units, costs = [], {name: [] for name in works}
    for turn in range(rounds):
        units.append(seconds(plain))
        for name in [name for name in works if name not in slow or turn < SLOW_ROUNDS]:
            costs[name].append(seconds(works[name]) / units[-1])
    return median(units), costs


def lane_works(train: Train | str) -> dict[Any, Callable[[], object]]:
    """Return what takes turns with the plain loop: by lanes, "C" if there is a compiler, a learner's comparison."""
    works: dict[Any, Callable[[], object]] = {count: summed_up(lanes(count)) for count in LANES}
    works[COMPARISON] = lambda: gclip.run(RUNS[COMPARISON])
    if callable(train):
        works["C"] = lambda: [train(config) for config in c_runs()]
    return works


def print_lanes(train: Train | str) -> None:
    """Print what a run costs among more and more lanes, in C, and in a learner's comparison."""
    plain, costs = take_turns(lane_works(train), slow=LANES[-1:])
    floor = median(costs["C"]) / C_RUNS if "C" in costs else float("nan")
    print(f"plain PyTorch loop: {plain:.2f} s of processor time\n")
    print(f"{'in units of the plain loop':<34}{'all':>8}{'min':>8}{'each run':>10}   {'of C loop':<9}   target; aim")
    for count in LANES:
        share, name = median(costs[count]) / count, f"{count} lane{'s' if count > 1 else ''}, summaries kept"
        judged = "; ".join(verdict(share, 1 / most, one_in) for most in MOST.get(count, ()))
        print_cost(name, costs[count], count, floor, judged)
    if "C" in costs:
        print_cost("hand-fused C loop, one by one", costs["C"], C_RUNS, floor)
    judged = verdict(median(costs[COMPARISON]), TARGETS[COMPARISON])
    print_cost(f"{COMPARISON}, histories", costs[COMPARISON], len(RUNS[COMPARISON]), floor, judged)
    print_floor(train)


def print_cost(name: str, costs: Sequence[float], count: int, floor: float, judged: str = "") -> None:
    """Print one line: ``count`` runs that took ``costs`` together, beside the C loop's cost of one run."""
    share = median(costs) / count
    line = f"{name:<34}{median(costs):>8.2f}{min(costs):>8.2f}{one_in(share):>10}   {share / floor:<9.2f}   {judged}"
    print(line, flush=True)


def c_runs() -> list[RunConfig]:
    return [RunConfig(clipper=NORM, init_seed=s, batch_seed=s) for s in range(C_RUNS)]


def print_floor(train: Train | str) -> None:
    """Say whether the C loop really learns, beside the same seeds in gclip, or why there is none."""
    if isinstance(train, str):
        print(f"hand-fused C loop {train}")
        return
    found, ours = [train(config) for config in c_runs()], gclip.run(c_runs(), Summary)
    learned = "learned" if median(found) < LEARNED else "DID NOT LEARN"
    print(f"train loss over {C_RUNS} seeds, min / median / max: C {spread(found)}: {learned}; ", end="")
    print(f"gclip {spread([run.train_loss[-1] for run in ours])}")


def spread(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2g}" for value in (min(values), median(values), max(values)))


def print_sizes() -> None:
    """Print what 64 lanes cost at other lengths, batch sizes and widths, each beside a plain loop of the same."""
    print(f"\n{'64 lanes, summaries kept':<34}{'plain s':>8}{'ratio':>8}{'each run':>10}   time beside the first")
    for field, values in SIZES.items():
        taken = []
        for value in values:
            plain, ratio = size_cost({field: value})
            taken.append(plain * ratio)
            line = f"{f'{field} {value}':<34}{plain:>8.2f}{ratio:>8.2f}{one_in(ratio / 64):>10}   "
            print(line + f"{taken[-1] / taken[0]:.2f}", flush=True)


def size_cost(fields: dict[str, Any]) -> tuple[float, float]:
    """Return the plain loop's seconds with these settings, and what 64 lanes cost in units of it."""
    config, works = RunConfig(clipper=NORM, **fields), {64: summed_up(lanes(64, **fields))}
    plain, costs = take_turns(works, SLOW_ROUNDS, plain=lambda: plain_loop(config))
    return plain, median(costs[64])


def print_keras() -> None:
    """Print what one run with its full history costs beside the tutorial's code on each backend of Keras."""
    print(f"\n{'tutorial in Keras 3, 100 epochs':<24}{'import s':>9}{'1st epoch s':>12}{'x plain':>9}", end="")
    print(f"   {'a run beside it':<17}{'':<20}compile included")
    for backend in keras_tutorial.installed():
        print_backend(backend)
    missing = sorted({*keras_tutorial.BACKENDS} - {*keras_tutorial.installed()})
    print("the fit is timed without import and first epoch; one thread asked for", end="")
    print(f"; not installed: {', '.join(missing)}" if missing else "")


def print_backend(backend: str) -> None:
    """Take turns with one backend; judge its fit by itself, and with the first epoch, which compiles."""
    found, plain, ours = [], [], []
    for _ in range(KERAS_ROUNDS):
        plain.append(seconds(plain_loop))
        ours.append(seconds(lambda: gclip.run(RUNS["1 run"])))
        found.append(keras_tutorial.cost(backend))
    fit = median(cost.fit / unit for cost, unit in zip(found, plain, strict=True))
    alone = median(mine / cost.fit for cost, mine in zip(found, ours, strict=True))
    whole = median(mine / (cost.fit * 0.99 + cost.first) for cost, mine in zip(found, ours, strict=True))
    imports, first = (median(getattr(cost, name) for cost in found) for name in ("imports", "first"))
    target = 1 / KERAS_TARGETS[backend]
    print(f"{backend:<31}{imports:>9.2f}{first:>12.2f}{fit:>9.2f}   ", end="")
    print(
        f"{one_in(alone):<8}{verdict(alone, target, one_in):<29}{one_in(whole):<8}{verdict(whole, target, one_in)}",
        end="",
    )
    cut = min(cost.epochs for cost in found)
    print("" if cut == keras_tutorial.EPOCHS else f"   (scaled up from {cut} epochs)", flush=True)


def print_bytes() -> None:
    """Print what is kept of a run, in memory and stored, of each kind of record."""
    print(f"\n{'bytes of a run':<34}{'in memory':>10}{'stored':>10}")
    for kind in (Summary, History):
        [record] = gclip.run(RUNS["1 run"], kind)
        row = to_row(record)
        stored = sum(len(part if isinstance(part, bytes) else part.encode()) for part in row)
        print(f"{kind.__name__:<34}{record.nbytes:>10}{stored:>10}")


def print_curves() -> None:
    """Print how long a person waits for a threshold curve, with one and with two workers."""
    print(
        f"\n{'curve of 24 x 8, wall time':<34}{'plain s':>8}{'first s':>9}{'target':>17}{'all, x plain':>15}   target"
    )
    usual = home.workers()
    for workers in sorted({1, 2, usual}):
        found = curve.curves(workers)
        name = f"{workers} worker{'s' if workers > 1 else ''}{', the default here' if workers == usual else ''}"
        first, whole = median(c.first for c in found), median(c.whole / c.plain for c in found)
        print(f"{name:<34}{median(c.plain for c in found):>8.2f}{first:>9.2f}", end="")
        print(f"{verdict(first, CURVE_TARGETS[0]):>17}{whole:>15.2f}   {verdict(whole, CURVE_TARGETS[1])}", flush=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, one_thread():
        train = fused_loop(Path(folder), RunConfig())
        plain_loop()
        gclip.run(lanes(16), Summary)
        print_lanes(train)
        print_sizes()
        print_keras()
        print_bytes()
        print_curves()
    return 0


if __name__ == "__main__":
    sys.exit(main())
