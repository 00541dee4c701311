"""What a sweep's charts say, in one line or two under each: made from the runs' own numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gclip.dashboard.stories import naive
from gclip.dashboard.sweep.lines import LEARNED, exactly, loosest, twice
from gclip.dashboard.sweep.numbers import DIVERGED, STUCK, best_by_length, clip_rates, counted, place
from gclip.dashboard.words import listed, number, percent
from gclip.sweeping import FATES as NAMES
from gclip.sweeping import RULES, Results, Sweep
from gclip.sweeping.reasons import budget as budget_words
from gclip.sweeping.results import CLOSE
from gclip.training.phrases import amount
from gclip.training.summary import PERCENTILES

LENGTH = {
    True: "the gradient gives the direction, the threshold the length",
    False: "the threshold, not the gradient, sets how long a step is",
}
"""What it means that every step is clipped, by whether the rule keeps the gradient's direction."""


def intro(sweep: Sweep) -> str:
    """Say what a sweep is, and what to look for."""
    seeds = f"from {amount(sweep.seeds, 'seed')} each"
    return (
        f"One network, trained under many thresholds at once, {seeds}. **Too tight, and the steps are too short to "
        "arrive; too loose, and the explosion comes through.** How wide is the range between?"
        + " Each loss is the median over the seeds."
        * (sweep.seeds > 1)
    )


def curve(results: Results) -> list[str]:
    """Say which thresholds are good, what happens on both sides of them, and how often they clip."""
    medians = results.band("test_loss")[0][0]
    if not np.isfinite(medians).any():
        diverged = bool((counted(results)[0, :, DIVERGED] == results.sweep.seeds).all())
        return ["Every run diverged: no threshold of this range saves them."] if diverged else []
    lines = [f"{best(results)} {learned(results)}", sides(results)] if results.done == 1 else [best(results)]
    return [line for line in [*lines, clipped(results), percentiles(results)] if line]


def best(results: Results) -> str:
    """Say the best threshold, and how far one may be off it."""
    medians, thresholds = results.band("test_loss")[0][0], results.sweep.thresholds
    at, ends = int(np.nanargmin(medians)), results.good_range()
    told = f"Best: test loss {number(medians[at])} at {exactly(thresholds[at])}"
    if ends and ends[0] < ends[1]:
        return f"{told}; within 10 % of that {_from_to(results, ends)}."
    ends = twice(results)
    if ends and ends[0] < ends[1]:
        return f"{told}. No neighbour comes within 10 % of that; at most twice that {_from_to(results, ends)}."
    return f"{told}; its neighbours are more than twice as bad."


def _from_to(results: Results, ends: tuple[int, int]) -> str:
    low, high = (results.sweep.thresholds[end] for end in ends)
    return f"from {exactly(low)} to {exactly(high)}, a factor of {number(high / low)}"


def learned(results: Results) -> str:
    """Say from where to where every seed learns."""
    ends = results.learned_range()
    if not ends:
        return "At no threshold does every seed learn."
    if ends[0] == ends[1]:
        return f"Every seed learns only at {exactly(results.sweep.thresholds[ends[0]])}."
    return f"Every seed learns {_from_to(results, ends)}."


def sides(results: Results) -> str:
    """Say what happens below and above the thresholds at which every seed learns."""
    ends, thresholds, counts = results.learned_range(), results.sweep.thresholds, counted(results)[0]
    if not ends:
        return ""
    tight, loose = counts[: ends[0]].sum(0), counts[ends[1] + 1 :].sum(0)
    tightest, loosest_one = exactly(thresholds[0]), exactly(thresholds[-1])
    left = f"Tighter, {_failures(results, tight, TIGHT)}" if tight.any() else f"So does the tightest, {tightest}"
    right = f"Looser, {_failures(results, loose, LOOSE)}" if loose.any() else f"So does the loosest, {loosest_one}"
    return f"{left}. {right}."


LOOSE = {
    "still learning": "{} not arrived after {length}",
    "stuck": "{} stuck (finite, but no better than {naive})",
    "diverged": "{} diverged",
}
TIGHT = LOOSE | {"stuck": "{} no better than {naive} yet"}
"""How runs fail beyond the thresholds at which they learn."""


def _failures(results: Results, counts: np.ndarray, words: dict[str, str]) -> str:
    """Say of the runs on one side how many failed, and how."""
    shared, length = results.sweep.shared, budget_words(results, -1)
    told = {name: count for name, count in zip(NAMES, counts.tolist(), strict=True) if name in words and count}
    how = listed([words[name].format(count, length=length, naive=naive(shared)) for name, count in told.items()])
    return f"{sum(told.values())} of {counts.sum()} runs fail: {how}"


def clipped(results: Results) -> str:
    """Say how often the best threshold clips."""
    at = int(np.nanargmin(results.band("test_loss")[0][0]))
    rate, threshold = float(clip_rates(results)[0, at]), exactly(results.sweep.thresholds[at])
    if rate < 0.9:
        return f"The best threshold, {threshold}, clips {percent(rate)} of the steps."
    every = "every step" if rate == 1 else f"{percent(rate)} of the steps"
    return f"The best threshold, {threshold}, clips {every}: {LENGTH[RULES[results.sweep.rule].keeps_direction]}."


def percentiles(results: Results) -> str:
    """Say how large what the rule measures is where it clips least."""
    found = loosest(results)
    if not found:
        return ""
    at, values = found
    low, middle, high = (number(values[PERCENTILES.index(share)]) for share in (10, 50, 90))
    which = "the loosest run that learned" if (results.fates()[0, at] == LEARNED).any() else "the loosest finite run"
    return (
        f"In {which}, at {exactly(results.sweep.thresholds[at])}, 10, 50 and 90 % of the "
        f"{RULES[results.sweep.rule].steps} lie below {low}, {middle} and {high}."
    )


def budget(results: Results) -> list[str]:
    """Say whether the best threshold moves with the length of training."""
    found = best_by_length(results)
    if len(found) < 2:
        return []
    (first, at_first, _), (last, at_last, _) = found[0], found[-1]
    early, late = (results.sweep.thresholds[at] for at in (at_first, at_last))
    begin, end = (amount(length, results.sweep.unit) for length in (first, last))
    told, factor = f"The best is {exactly(early)} after {begin} and {exactly(late)} after {end}", early / late
    if 0.5 <= factor <= 2:
        return [f"{told}: here the budget hardly matters."]
    if factor > 2:
        return [f"{told}: with little time, long steps pay; with more, shorter ones settle closer to the minimum."]
    return [f"{told}: a longer training bears a looser threshold."]


def map_(results: Results) -> list[str]:
    """Say which cell is best, how many fail, and what the two axes have to do with each other."""
    medians = results.band("test_loss")[0]
    counts, cells = counted(results), medians.size
    failed = f"{int(np.isinf(medians).sum())} of {cells} cells diverged"
    stuck = int((counts[..., STUCK] * 2 > results.sweep.seeds).sum())
    if not np.isfinite(medians).any():
        return [f"{failed}."] if np.isinf(medians).all() else []
    other, at = (int(i) for i in np.unravel_index(np.nanargmin(medians), medians.shape))
    told = f"Best: test loss {number(medians[other, at])} at {place(results, at, other)}."
    lines = [f"{told} {failed}, {stuck} stuck."]
    if results.done == 1:
        lines.append((product if results.sweep.kind == "learning_rate" else both)(results))
    return [line for line in lines if line]


def product(results: Results) -> str:
    """Say whether threshold times learning rate, the length of a clipped step, is what counts.

    A best threshold at an end of the range is left out: the true one may lie beyond.
    """
    medians, sweep = results.band("test_loss")[0], results.sweep
    inside = range(1, len(sweep.thresholds) - 1)
    bests_at = {o: int(np.nanargmin(medians[o])) for o in range(len(medians)) if (results.fates()[o] == LEARNED).any()}
    found = {sweep.others[o]: sweep.thresholds[at] for o, at in bests_at.items() if at in inside}
    if len(found) < 3:
        return ""
    rates, bests = list(found), list(found.values())
    products = [threshold * rate for threshold, rate in zip(bests, rates, strict=True)]
    told = (
        f"From learning rate {exactly(rates[0])} to {exactly(rates[-1])}, the best threshold goes from "
        f"{exactly(bests[0])} to {exactly(bests[-1])}"
    )
    spread = max(products) / min(products)
    if spread**2 < rates[-1] / rates[0]:
        return (
            f"{told}: their product, the length of a clipped step, changes only by a factor of {number(spread)}, "
            f"while the learning rate changes by {number(rates[-1] / rates[0])}."
        )
    return f"{told}: their product changes by a factor of {number(spread)}, so one does not stand for the other."


def both(results: Results) -> str:
    """Say whether two thresholds do better than the norm alone, or the value alone."""
    medians = results.band("test_loss")[0]
    alone = {"norm": medians[-1], "value": medians[:, -1]}
    if not all(np.isfinite(losses).any() for losses in alone.values()):
        return ""
    lowest = {name: float(np.nanmin(losses)) for name, losses in alone.items()}
    told = " and ".join(f"{number(loss)} with the {name} alone" for name, loss in lowest.items())
    gain = min(lowest.values()) / float(np.nanmin(medians))
    verdict = (
        f"both together are {number(gain)} times better" if gain > CLOSE else "a second threshold gains little here"
    )
    return f"The best test loss is {told} (the other at its loosest): {verdict}."


NOTES: dict[str, Callable[[Results], list[str]]] = {"curve": curve, "budget": budget, "map": map_}
