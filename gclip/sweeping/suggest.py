"""The threshold that a sweep speaks for, and the sentences that go with it."""

from __future__ import annotations

from dataclasses import dataclass

from gclip.sweeping.choice import choose
from gclip.sweeping.limits import LIMITS
from gclip.sweeping.reasons import REASONS
from gclip.sweeping.results import Results


@dataclass(frozen=True)
class Suggestion:
    """One threshold of the sweep, in sentences why, and in sentences where that ends."""

    threshold: float
    reasons: tuple[str, ...]
    limits: tuple[str, ...]


def suggest(results: Results) -> Suggestion | None:
    """Return the threshold that a finished curve speaks for; None for a map, or where most seeds learn nowhere."""
    choice = choose(results)
    if choice is None:
        return None
    why, where = (tuple(filter(None, (say(results, choice) for say in table))) for table in (REASONS, LIMITS))
    return Suggestion(results.sweep.thresholds[choice.at], why, where)
