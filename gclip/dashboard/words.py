"""Sentences about runs, for learners: short, plain, and made from the run's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from gclip.clipping import AdaGC, AutoClip, Chain, ClipByNorm, Clipper, NormalizeGradient, PerLayer, ZClip
from gclip.dashboard.stories import naive
from gclip.training import History, RecurrentConfig
from gclip.training.phrases import listed, number, percent


@dataclass(frozen=True)
class Verdict:
    """What a card says of a run: a tone (one of the four verdicts, or "training"), a title and a text."""

    tone: str
    title: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


TITLES = {
    "learned": "Learned",
    "still learning": "Has not arrived",
    "stuck": "Finite, but learned nothing",
}


def verdict(histories: Sequence[History]) -> Verdict:
    """Return the verdict on a finished run, or on one run over several seeds."""
    verdicts = [history.verdict for history in histories]
    tone = max(sorted(set(verdicts)), key=verdicts.count)
    if len(histories) == 1:
        title = TITLES.get(tone, f"Diverged at step {histories[0].lost_at}")
        return Verdict(tone, title, TEXTS[tone](histories[0]) + memory_note(histories[0]))
    title = f"{TITLES.get(tone, 'Diverged')} in {verdicts.count(tone)} of {len(verdicts)} seeds"
    return Verdict(tone, title, _over_seeds(histories))


def post_mortem(history: History) -> str:
    """Tell how a run went non-finite: the last norms, then what broke, in order."""
    norms = ", ".join(number(norm) for norm in history.last_finite_norms[-5:])
    words = {
        "norm": "the gradient's norm overflows",
        "loss": "the loss is no longer finite",
        "gradient": "the gradient of {} breaks first",
        "weight": "the weights are lost, {} first",
    }
    told: dict[int, list[str]] = {}
    for event in history.post_mortem:
        told.setdefault(event.step, []).append(words[event.kind].format(event.tensor))
    parts = [f"Last norms {norms}", *[f"step {step}: {listed(what)}" for step, what in told.items()]]
    if history.diverged_at is None:
        parts.append(f"the weights stay finite, the test loss is {number(history.test_loss[-1])}")
    return "; ".join(parts) + "."


def memory_note(history: History) -> str:
    """Tell that an adaptive rule kept a non-finite norm out of its memory, which its reference does not."""
    name = next((ADAPTIVE[type(rule)] for rule in rules_in(history.config.clipper) if type(rule) in ADAPTIVE), "")
    event = next((event for event in history.post_mortem if event.kind in ("norm", "gradient")), None)
    if not name or event is None:
        return ""
    return f" Its memory left out the norm of step {event.step}; {name}."


ADAPTIVE: dict[type, str] = {
    AutoClip: "in the reference AutoClip, one NaN makes every later threshold NaN",
    ZClip: "in the zclip package, one NaN turns clipping off for good",
    AdaGC: "a plain moving average would be NaN from there on",
}
"""Rules with a memory, and what a norm that is not finite does to it where nothing keeps it out."""


def warm_up_note(history: History) -> str:
    """Tell that an explosion was over before a rule with a warm-up began to clip."""
    for rule in rules_in(history.config.clipper):
        if isinstance(rule, ZClip) and (history.lost_at or 0) <= rule.warmup_steps:
            return f" ZClip only watches in its first {rule.warmup_steps} steps: this explosion was quicker."
    return ""


def rules_in(rule: Clipper) -> list[Clipper]:
    """Return a rule and all rules within it."""
    members = rule.rules if isinstance(rule, Chain) else rule.members if isinstance(rule, PerLayer) else ()
    return [rule, *[part for member in members for part in rules_in(member)]]


def _diverged(history: History) -> str:
    return post_mortem(history) + warm_up_note(history)


def _learned(history: History) -> str:
    rate = float(history.clipped.mean())
    tail = f" {percent(rate)} of the steps were clipped." if 0 < rate < 1 else ""
    if rate == 1:
        only_length = isinstance(history.config.clipper, ClipByNorm | NormalizeGradient)
        tail = " Every step was clipped" + (
            ": only the gradient's direction was used, never its length." if only_length else "."
        )
    if isinstance(history.config, RecurrentConfig) and history.config.problem == "characters":
        tail += " It is tested on the text it learns from: this is memory, not understanding."
    return f"{_score(history)}.{tail}"


def _score(history: History) -> str:
    test, baseline = float(history.test_loss[-1]), history.baseline[1]
    return f"Test loss {number(test)}, {part(test / baseline)} that of {naive(history.config)} ({number(baseline)})"


def part(share: float) -> str:
    """Write a share in front of its whole: in per cent of it, or where it is large, as so many times it."""
    return f"{percent(share)} of" if share < 10 else f"{number(share)} times"


def _not_arrived(history: History) -> str:
    return f"{_score(history)}. {_pace(history)}"


def _pace(history: History) -> str:
    """Say what the test losses tell of the steps' length: too short, too long, or neither."""
    recurrent = isinstance(history.config, RecurrentConfig)
    count, unit = (history.config.steps, "step") if recurrent else (history.config.epochs, "epoch")
    cut, falls, far = _cut(history), _falls(history), _went_far_up(history)
    if _falls_steadily(history) and not far:
        too_few = f"{count} {unit}s are too few" if count > 1 else f"one {unit} is too little"
        return f"{cut} is cut so short that {too_few}." if cut else f"It still needs more {unit}s or longer steps."
    if cut and (far or not falls):
        return f"{cut} was clipped, and steps of this length still overshoot."
    return f"Its test loss still falls: it needs more {unit}s." if falls else "Its test loss no longer falls."


def _cut(history: History) -> str:
    """Name the steps that were clipped if they are as good as all, so that the threshold sets their length."""
    if history.clipped.all():
        return "Every step"
    return "Nearly every step" if history.clipped.mean() > 0.99 else ""


def _start(history: History) -> float:
    return max(float(history.loss[0]), history.baseline[1])


def _tests(history: History) -> np.ndarray:
    """Return the test losses, after a first one from which even a run of one epoch falls."""
    return np.array([2 * _start(history), *history.test_loss.astype(float)])


def _falls(history: History) -> bool:
    """Say whether the lowest test loss is among the last tenth, and the last is near it."""
    tests = _tests(history)
    late = -(-len(tests) // 10)
    return bool(tests[-late:].min() < tests[:-late].min() and tests[-1] < 1.05 * tests.min())


def _falls_steadily(history: History) -> bool:
    """Say whether each test is lower than the one before, save a few: steps too short lead nowhere but down.

    So they do where they are so short that rounding hides it.
    """
    tests = _tests(history)
    frozen = tests[1:].max() < 1.0001 * tests[1:].min()
    return bool(frozen or (_falls(history) and (np.diff(tests[len(tests) // 2 - 1 :]) < 0).mean() >= 0.8))


def _went_far_up(history: History) -> bool:
    """Say whether a test loss stood far above the start: only steps too long lead there."""
    return not history.test_loss.max() < 2 * _start(history)


IDLE = 0.2
"""From this share of dead units or of saturated gate values on, they are a reason why a network learns nothing."""


def _stuck(history: History) -> str:
    idle = float(history.dead_units[-1])
    if idle < IDLE:
        return f"{_score(history)}. {_pace(history)}"
    if isinstance(history.config, RecurrentConfig):
        return (
            f"{_score(history)}. Of its gates' values, {percent(idle)} are pinned at a limit, where no gradient "
            "passes. An explosion in a recurrent network often ends so, without any NaN."
        )
    why = f"{percent(idle)} of the hidden units never fire: dead ReLUs have no gradient to learn from."
    return f"{_score(history)}. {why}{' ' + _pace(history) if _cut(history) else ''}"


TEXTS = {"learned": _learned, "still learning": _not_arrived, "stuck": _stuck, "diverged": _diverged}


def _over_seeds(histories: Sequence[History]) -> str:
    steps = [history.lost_at for history in histories if history.lost_at is not None]
    diverged = f"{len(steps)} of {len(histories)} diverged, at step {min(steps)} to {max(steps)}. " if steps else ""
    losses = [float(history.test_loss[-1]) for history in histories if history.verdict != "diverged"]
    if not losses:
        return diverged.strip()
    low, middle, high = min(losses), float(np.median(losses)), max(losses)
    return f"{diverged}Test loss {number(middle)} (median), from {number(low)} to {number(high)}."
