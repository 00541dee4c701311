"""Where a suggested threshold ends: sentences whose every number comes from the sweep."""

from __future__ import annotations

import numpy as np

from gclip.sweeping.choice import Choice, first_idle
from gclip.sweeping.reasons import Reason, budget, losses, threshold
from gclip.sweeping.results import Results
from gclip.training.phrases import listed, number
from gclip.training.record import STUCK


def scope(results: Results, choice: Choice) -> str:
    """Say for which settings it holds."""
    shared = results.sweep.shared
    return (
        f"This holds for this network and these data, for {shared.optimizer} with learning rate "
        f"{number(shared.learning_rate)} and batches of {shared.batch_size}, and for {budget(results, -1)}; "
        "change one of them and sweep again."
    )


def other_budgets(results: Results, choice: Choice) -> str:
    """Say where the best lay after fewer epochs, and what follows for a smaller budget; not from an edge."""
    if choice.best in (0, len(results.sweep.thresholds) - 1):
        return ""
    found = {at: found for at in early(results) if (found := best_after(results, at)) is not None}
    if not found:
        return ""
    ways = [f"{threshold(results, i)} after {budget(results, at)}" for at, i in found.items()]
    first = next(iter(found.values()))
    moral = "a smaller budget wants a {} threshold"
    if choice.first <= first <= choice.last:
        moral = "a smaller budget wants about the same threshold"
    return f"The best was {listed(ways)}: {moral.format('larger' if first > choice.last else 'smaller')}."


def early(results: Results) -> list[int]:
    """Return the positions of the first evaluation, and of that after a tenth of the epochs."""
    tenth = next(i for i, epoch in enumerate(results.epochs) if epoch >= results.epochs[-1] / 10)
    return [at for at in sorted({0, tenth}) if at < len(results.epochs) - 1]


def best_after(results: Results, at: int) -> int | None:
    """Return the best threshold (position) after the epoch ``at``; None while none is better than a constant answer."""
    medians = results.band("test_loss", at)[0][0]
    best = int(np.argmin(medians))
    return best if medians[best] < STUCK * float(np.median(results.baselines[:, 1])) else None


def seeds(results: Results, choice: Choice) -> str:
    """Say over how many seeds it was judged, and how far they lie apart."""
    _, lowest, highest = losses(results, choice.at)
    if results.sweep.seeds == 1:
        return "It rests on one seed; another one may put the thresholds in another order. Take five or more."
    return (
        f"It rests on {results.sweep.seeds} seeds; at {threshold(results, choice.at)} their test loss goes from "
        f"{number(lowest)} to {number(highest)}."
    )


def unsure(results: Results, choice: Choice) -> str:
    """Say if no threshold makes every seed learn."""
    count = int(results.learned()[0, choice.at].sum())
    if count == results.sweep.seeds:
        return ""
    return f"No threshold makes every seed learn; here {count} of {results.sweep.seeds} do."


def edge(results: Results, choice: Choice) -> str:
    """Say if the sweep should be wider; not where it already went on to where nothing is clipped."""
    last = len(results.sweep.thresholds) - 1
    if choice.first == 0:
        name, further, end = "lowest", "below", 0
    elif choice.last == last and results.values("clip_rate")[0, last].max() > 0:
        name, further, end = "highest", "above", last
    else:
        return ""
    what = "best" if choice.best == end else "stretch of good thresholds"
    return f"The {what} reaches the {name} threshold of the sweep, {threshold(results, end)}: sweep {further} it too."


def needless(results: Results, choice: Choice) -> str:
    """Say if the runs learn as well without being clipped at all."""
    idle = first_idle(results)
    middle, *_ = losses(results, idle)
    if results.values("clip_rate")[0, idle].max() > 0 or not middle <= choice.within:
        return ""
    return (
        f"Clipping may not be needed here: from {threshold(results, idle)} on no step is clipped, "
        f"and the median test loss is {number(middle)}."
    )


def spacing(results: Results, choice: Choice) -> str:
    """Say what was not trained."""
    sweep = results.sweep
    ratio = (sweep.thresholds[-1] / sweep.thresholds[0]) ** (1 / max(1, len(sweep.thresholds) - 1))
    return f"Neighbouring thresholds lie a factor of {number(ratio)} apart; what lies between was not trained."


def optimism(results: Results, choice: Choice) -> str:
    """Say that the choice and its loss come from the same rows."""
    return "It was chosen by the same test loss that is shown, so expect slightly worse on new data."


LIMITS: tuple[Reason, ...] = (scope, other_budgets, needless, unsure, seeds, edge, spacing, optimism)
