"""Train the regression MLP of the published measurements over 20 seeds, and say of each row whether it agrees.

    python tests/bench/presets.py

Exit status 1 if a row differs in kind: the bounds on the medians leave room for other draws of the seeds, but are
much narrower than the distance between a network that learned and one that did not.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import gclip
from gclip import History, RunConfig
from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, NoClip

SEEDS = range(20)
Span = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One lane of the table: its settings, what was published, and the bounds that its medians must keep.

    ``at_step`` bounds the first step, counted from 0, after which a weight is not finite.
    """

    name: str
    fields: dict[str, Any]
    published: str
    train: Span | None = None
    test: Span | None = None
    non_finite: int = 0
    at_step: Span = (0, 0)


def rule(clipper: Any, **fields: Any) -> dict[str, Any]:
    return {"clipper": clipper, **fields}


ROWS = [
    Row("unclipped", rule(NoClip()), "non-finite 20 of 20, at step 7 to 10", None, None, 20, (7, 10)),
    Row("global norm 1", rule(ClipByNorm(1.0)), "train 1.5/2.8/7.6, test 11/19/38", (1.5, 6), (15, 24)),
    Row("tensor norm 1", rule(ClipByTensorNorm(1.0)), "train .5/1.0/1.7, test 12.5/16.5/18.8", (0.4, 2), (11, 22)),
    Row("value 5", rule(ClipByValue(5.0)), "train 9.6/30/88, test 12/39/111", (15, 60), (20, 80)),
    Row("value .5", rule(ClipByValue(0.5)), "train 4.3/6.7/15, test 7.3/12/21", (4, 12), (7, 20)),
    Row(
        "global norm .1",
        rule(ClipByNorm(0.1)),
        "train 8000 to 9500, test 11100 to 12900",
        (8e3, 9.5e3),
        (10.5e3, 13.5e3),
    ),
    Row("global norm 10", rule(ClipByNorm(10.0)), "train 2.8/5.7/13, test 4.9/7.9/17.5", (2.8, 11), (5, 15)),
    Row("global norm 100", rule(ClipByNorm(100.0)), "train 137/381/1514, test 149/437/1821", (150, 900), (180, 1000)),
    Row(
        "global norm 512",
        rule(ClipByNorm(512.0)),
        "train 20382 to 20429, test 26000 and up",
        (20.3e3, 20.5e3),
        (25.5e3, 60e3),
    ),
    Row(
        "no clip, lr .001",
        rule(NoClip(), learning_rate=1e-3),
        "train .02/.35/.9, test .03/4.4/10.6",
        (0.05, 1),
        (1, 10),
    ),
    Row(
        "no clip, lr .003",
        rule(NoClip(), learning_rate=3e-3),
        "non-finite 20 of 20, at step 17 to 31",
        None,
        None,
        20,
        (15, 40),
    ),
    Row("no clip, momentum 0", rule(NoClip(), momentum=0.0), "non-finite 20 of 20", None, None, 20, (1, 1600)),
    Row("norm 1, value .5", rule(Chain(ClipByNorm(1.0), ClipByValue(0.5))), "(not published)"),
]


def spread(values: Sequence[float]) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{low:.4g} / {middle:.4g} / {high:.4g}" if np.isfinite(high) else "not finite"


def within(span: Span | None, values: Sequence[float]) -> bool:
    return span is None or span[0] <= float(np.median(values)) <= span[1]


def diverged_steps(histories: Sequence[History]) -> list[int]:
    return [history.diverged_at for history in histories if history.diverged_at is not None]


def as_expected(row: Row, histories: Sequence[History]) -> bool:
    steps = diverged_steps(histories)
    train, test = [h.train_loss[-1] for h in histories], [h.test_loss[-1] for h in histories]
    in_time = all(row.at_step[0] <= step <= row.at_step[1] for step in steps)
    return len(steps) == row.non_finite and in_time and within(row.train, train) and within(row.test, test)


def print_row(row: Row, histories: Sequence[History], good: bool) -> None:
    steps, verdicts = diverged_steps(histories), Counter(history.verdict for history in histories)
    where = f"{len(steps)} of {len(histories)}" + (f", step {min(steps)} to {max(steps)}" if steps else "")
    train, test = (spread([getattr(h, name)[-1] for h in histories]) for name in ("train_loss", "test_loss"))
    outcome = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items())
    print(f"{row.name:<20}{train:<34}{test:<34}{where:<26}{outcome:<20}{'as expected' if good else 'DIFFERS'}")
    print(f"{'':<20}published: {row.published}")


def main() -> int:
    start = time.perf_counter()
    configs = [RunConfig(**row.fields, init_seed=s, batch_seed=s) for row in ROWS for s in SEEDS]
    histories = gclip.run(configs)
    print(f"{len(configs)} runs, min / median / max over {len(SEEDS)} seeds, {time.perf_counter() - start:.0f} s\n")
    print(f"{'lane':<20}{'train loss':<34}{'test loss':<34}{'non-finite weights':<26}verdicts")
    differing = []
    for i, row in enumerate(ROWS):
        mine = histories[i * len(SEEDS) : (i + 1) * len(SEEDS)]
        good = as_expected(row, mine)
        print_row(row, mine, good)
        if not good:
            differing.append(row.name)
    print(
        f"\n{len(ROWS) - len(differing)} of {len(ROWS)} rows as expected",
        *[f"{n} DIFFERS" for n in differing],
        sep="; ",
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
