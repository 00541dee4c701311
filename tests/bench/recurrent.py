"""Train the small recurrent networks of the published measurements over 10 seeds, and say of each row if it agrees.

    python tests/bench/recurrent.py

Exit status 1 if a row differs in kind. A run *fails* if its weights or its test loss are not finite, or if its test
loss is at least .9 of the baseline; it has *learned* below .25 of it. One seed of ten may end otherwise, and is said:
at these settings training spikes now and then, and the last evaluation may fall on a spike. The bounds on the medians
leave room for other draws of the seeds, but are much narrower than what lies between learning and not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import gclip
from gclip import History
from gclip.clipping import ClipByNorm, NoClip
from gclip.training import RecurrentConfig
from gclip.training.record import LEARNED, STUCK

Span = tuple[float, float]

SINE: dict[str, Any] = {"problem": "sine", "learning_rate": 2.0, "steps": 800}
BAD: dict[str, Any] = SINE | {"learning_rate": 0.5, "steps": 600, "bad_scale": 100.0, "bad_step": 300}
TEXT: dict[str, Any] = {
    "problem": "characters", "hidden_units": 64, "learning_rate": 20.0, "momentum": 0.0, "steps": 600,
}  # fmt: skip
SUM: dict[str, Any] = {
    "problem": "sum", "sequence_length": 30, "batch_size": 32, "weight_gain": 4.0, "learning_rate": 0.03, "steps": 1200,
}  # fmt: skip
SHORT_TEXT: dict[str, Any] = TEXT | {"sequence_length": 30, "learning_rate": 5.0}


@dataclass(frozen=True)
class Row:
    """One lane of the table: its settings, what was published, and whether the seeds must fail or must learn.

    ``test`` bounds the median test loss; ``at_step`` the steps, counted from 0, after which a weight is not finite,
    of which at least ``non_finite`` seeds must have one.
    """

    name: str
    fields: dict[str, Any]
    published: str
    fails: bool
    test: Span | None = None
    non_finite: int = 0
    at_step: Span = (0, 4000)
    seeds: int = 10


def rule(fields: dict[str, Any], clipper: Any = NoClip(), **others: Any) -> dict[str, Any]:  # noqa: B008
    return {**fields, "clipper": clipper, **others}


ROWS = [
    Row("sine, unclipped", rule(SINE), "NaN 10 of 10, step 16 to 22", True, None, 10, (10, 40)),
    Row("sine, norm .03", rule(SINE, ClipByNorm(0.03)), "learned 10 of 10, test .016 to .021", False, (0.012, 0.028)),
    Row("sine, norm 1", rule(SINE, ClipByNorm(1.0)), "fails 5 of 5", True, seeds=5),
    Row("bad batch, unclipped", rule(BAD), "fails 10 of 10, mostly NaN at 307 to 335", True, None, 5, (300, 360)),
    Row("bad batch, norm 1", rule(BAD, ClipByNorm(1.0)), "learned 10 of 10, test .017 to .027", False, (0.012, 0.035)),
    Row("characters, unclipped", rule(TEXT), "fails 10 of 10, test 4 to 372, norms to 3e7", True, (3, 1e3)),
    Row("characters, norm .25", rule(TEXT, ClipByNorm(0.25)), "learned 10 of 10, test .11 to .16", False, (0.09, 0.2)),
    Row("sum, unclipped", rule(SUM), "fails 10 of 10, test 2.2 to 2.9, norms to 9e3", True, (2.2, 2.9)),
    Row("sum, norm 1", rule(SUM, ClipByNorm(1.0)), "learned 10 of 10, test .04 to .55", False, (0.03, 0.6)),
    Row("short text, RNN", rule(SHORT_TEXT, cell="RNN"), "fails 5 of 5", True, seeds=5),
    Row("short text, LSTM", rule(SHORT_TEXT, cell="LSTM"), "learned 5 of 5", False, seeds=5),
]


def spread(values: Sequence[float]) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{low:.3g} / {middle:.3g} / {high:.3g}" if np.isfinite(high) else "not finite"


def share(history: History) -> float:
    """Return the test loss in units of the baseline; what is not finite counts as infinitely bad."""
    ratio = history.test_loss[-1] / history.baseline[1]
    return float(ratio) if np.isfinite(ratio) and history.diverged_at is None else float("inf")


def diverged_steps(histories: Sequence[History]) -> list[int]:
    return [history.diverged_at for history in histories if history.diverged_at is not None]


def largest_norm(histories: Sequence[History]) -> float:
    norms = np.concatenate([history.total_norm for history in histories])
    return float(norms[np.isfinite(norms)].max())


def odd_ones(row: Row, histories: Sequence[History]) -> int:
    """Count the seeds that did not end as the row says."""
    shares = [share(history) for history in histories]
    return sum(value < STUCK if row.fails else value >= LEARNED for value in shares)


def as_expected(row: Row, histories: Sequence[History]) -> bool:
    steps, in_kind = diverged_steps(histories), odd_ones(row, histories) <= len(histories) // 10
    in_time = len(steps) >= row.non_finite and all(row.at_step[0] <= step <= row.at_step[1] for step in steps)
    median = float(np.median([history.test_loss[-1] for history in histories]))
    return in_kind and in_time and (row.test is None or row.test[0] <= median <= row.test[1])


def print_row(row: Row, histories: Sequence[History], good: bool) -> None:
    shares, steps = np.array([share(history) for history in histories]), diverged_steps(histories)
    outcome = f"{(shares < LEARNED).sum()} learned, {(shares >= STUCK).sum()} failed of {len(shares)}"
    where = f"{len(steps)}" + (f", step {min(steps)} to {max(steps)}" if steps else "")
    test = spread([history.test_loss[-1] for history in histories])
    print(f"{row.name:<23}{test:<24}{where:<22}", end="")
    verdict = "as expected" + (", but for one seed" if odd_ones(row, histories) else "") if good else "DIFFERS"
    print(f"{largest_norm(histories):<10.1e}{outcome:<30}{verdict}")
    print(f"{'':<23}published: {row.published}", flush=True)


def main() -> int:
    start, differing = time.perf_counter(), []
    print("test loss: min / median / max over the seeds\n")
    print(f"{'lane':<23}{'test loss':<24}{'non-finite weights':<22}{'norms to':<10}verdicts")
    for row in ROWS:
        configs = [RecurrentConfig(**row.fields, init_seed=s, batch_seed=s) for s in range(row.seeds)]
        histories = gclip.run(configs)
        good = as_expected(row, histories)
        print_row(row, histories, good)
        if not good:
            differing.append(row.name)
    print(
        f"\n{len(ROWS) - len(differing)} of {len(ROWS)} rows as expected, {time.perf_counter() - start:.0f} s", end=""
    )
    print(*[f"; {name} DIFFERS" for name in differing], sep="")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
