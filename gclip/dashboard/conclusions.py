"""One line under each chart: what to conclude from it now, made from its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gclip.clipping import NoClip, derivative_clip
from gclip.dashboard.labels import no_what_if
from gclip.dashboard.stories import naive
from gclip.dashboard.words import listed, number, part, percent
from gclip.training import History, RecurrentConfig
from gclip.training.recurrence import sample_target


@dataclass(frozen=True)
class Shown:
    """A run as the charts show it: its label and the history of its first seed."""

    label: str
    history: History


def conclusions(runs: Sequence[Shown], chosen: int = 0) -> dict[str, str]:
    """Return a sentence for each chart, by the chart's name; charts without data yet have none.

    Charts of one run speak of the ``chosen`` one.
    """
    started = [run for run in runs if run.history.steps_done > 1]
    of_all, of_one = OF_ALL, OF_ONE
    if isinstance(config := runs[0].history.config, RecurrentConfig):
        of_all, of_one = of_all | OF_ALL_RECURRENT | SAMPLES[config.problem], of_one | OF_ONE_RECURRENT
    lines = {name: rule(started) for name, rule in of_all.items() if started}
    if runs[chosen].history.steps_done > 1:
        lines |= {name: rule(runs[chosen]) for name, rule in of_one.items()}
    return {name: line for name, line in lines.items() if line}


def _alive(runs: Sequence[Shown]) -> list[Shown]:
    return [run for run in runs if not run.history.lost]


def _clipping(runs: Sequence[Shown]) -> list[Shown]:
    return [run for run in runs if not isinstance(run.history.config.clipper, NoClip)]


def _loss(runs: Sequence[Shown]) -> str:
    parts = [f"{r.label} explodes at step {r.history.lost_at}" for r in runs if r.history.lost]
    for run in _alive(runs):
        first, last = float(run.history.loss[0]), float(np.median(run.history.loss[-16:].astype(float)))
        if last < first:
            parts.append(f"{run.label} falls to {percent(last / first)} of its first loss")
        else:
            parts.append(f"{run.label} is above its first loss")
    return f"{listed(parts)}."


def _epochs(runs: Sequence[Shown]) -> str:
    alive = _alive(runs)
    if scored := [run for run in alive if len(run.history.test_loss)]:
        share, best = min((float(r.history.test_loss[-1]) / r.history.baseline[1], r.label) for r in scored)
        beaten = naive(scored[0].history.config)
        if share < 1:
            return f"Best so far: {best}, with {part(share)} the loss of {beaten}."
        return f"No run beats {beaten} so far; the best, {best}, has {part(share)} its loss."
    if alive:
        return ""
    if any(np.isfinite(run.history.test_loss).any() for run in runs):
        return "Every run has diverged: what it had learned until then is lost."
    return "No run has a finite loss to show: each was lost before it was first tested."


def _norms(runs: Sequence[Shown]) -> str:
    clipped = [run for run in _clipping(runs) if run.history.clipped[run.history.lived].any()]
    parts = []
    for run in [run for run in runs if run.history.lost][:1]:
        norms = run.history.total_norm[run.history.lived].astype(float)
        norms = norms[np.isfinite(norms)]
        if len(norms) > 1 and norms[-1] > 2 * norms[0] > 0:
            steps = f"{len(norms) - 1} step{'s' * (len(norms) > 2)}"
            parts.append(f"{run.label} grows {number(norms[-1] / norms[0])}-fold in {steps}")
    for run in clipped[:2]:
        raw, cut = (norms[run.history.lived].max() for norms in (run.history.total_norm, run.history.clipped_norm))
        parts.append(f"{run.label} sees norms up to {number(raw)}, and lets through {number(cut)} at most")
    if parts:
        return f"{'; '.join(parts)}."
    return "" if clipped else "No gradient was clipped so far: raw and clipped norms are the same."


def _histogram(run: Shown) -> str:
    lived = run.history.measured[run.history.lived]
    norms = lived[np.isfinite(lived)]
    low, middle, high = np.percentile(norms, [10, 50, 90]) if len(norms) else (np.nan,) * 3
    spread = f"between {number(low)} and {number(high)}, half of them below {number(middle)}"
    fixed = not no_what_if(run.history.config.clipper)
    tail = " A threshold in that range clips some steps." if fixed else ""
    seen = "what" if len(norms) == len(lived) else "the finite numbers that"
    return f"{run.label}: 80 % of {seen} its rule measured lay {spread}.{tail}"


def _rate(runs: Sequence[Shown]) -> str:
    parts = []
    for run in _clipping(runs):
        rate = float(run.history.clipped[run.history.lived].mean())
        parts.append(f"{run.label} clips {'every step' if rate == 1 else percent(rate) + ' of its steps'}")
    return f"{listed(parts)}." if parts else "No run here has a clipping rule."


def _cosine(runs: Sequence[Shown]) -> str:
    parts = []
    for run in _clipping(runs):
        cosine = run.history.cosine[np.isfinite(run.history.cosine)]
        middle = float(np.median(cosine)) if len(cosine) else 0.0
        turned = "keeps the direction" if middle > 0.9999 else f"turns the gradient (median cosine {middle:.2f})"
        parts.append(f"{run.label} {turned if len(cosine) else 'leaves nothing of the gradient'}")
    return f"{listed(parts)}." if parts else "Unclipped gradients keep their direction: cosine 1."


def _layers(run: Shown) -> str:
    square = np.where(np.isfinite(run.history.layer_norm), run.history.layer_norm, 0).astype(float) ** 2
    share = square.sum(0) / max(square.sum(), 1e-300)
    top = int(share.argmax())
    return f"{run.label}: {run.history.tensors[top]} holds {percent(float(share[top]))} of the squared gradient."


def _elements(run: Shown) -> str:
    counts = run.history.histogram
    if not len(counts):
        return ""
    zeros, broken = counts[-1][:, 0].sum() / counts[-1].sum(), counts[-1][:, -1].sum() / counts[-1].sum()
    if broken:
        return f"{run.label}: {percent(float(broken))} of the gradient's elements are NaN at the end."
    return f"{run.label}: {percent(float(zeros))} of the gradient's elements are zero at the end (units that are off)."


def _rule(run: Shown) -> str:
    history = run.history
    measured, threshold = history.measured[history.lived], history.threshold[history.lived]
    told = np.isfinite(threshold) & ~np.isnan(measured)  # an infinite norm is more than any threshold
    if not told.any():
        acts_inside = derivative_clip(history.config.clipper) is not None
        return f"{run.label} {'clips inside the network' if acts_inside else 'has no threshold'}: none is drawn here."
    over = float((measured[told] > threshold[told]).mean())
    low, high = threshold[told].min(), threshold[told].max()
    moved = f"moved between {number(low)} and {number(high)}" if high > 1.001 * low else f"stayed at {number(high)}"
    return f"{run.label}: the threshold {moved}; {percent(over)} of the steps measured more."


def _ratio(history: History, mark: int) -> float:
    return float(history.flow[mark, 0]) / max(float(history.flow[mark, -1]), 1e-30)


def _flow(run: Shown) -> str:
    flow = run.history.flow
    finite = np.flatnonzero(np.isfinite(flow).all(1))
    if not len(finite):
        return ""
    first, last = _ratio(run.history, 0), _ratio(run.history, finite[-1])
    at = int(run.history.mark_step[finite[-1]])
    return f"{run.label}: for 1 at the last time step, h₀ gets {number(first)} at step 0, {number(last)} at step {at}."


JOURNEY = {
    True: "At the same weights a norm clip cannot change this ratio; the lines part because the weights do.",
    False: "Here every time step adds a loss of its own on the way; in True explosion only the last one does.",
}
"""What to know of the ratio, by whether the loss stands at the last time step alone."""


def _ratios(runs: Sequence[Shown]) -> str:
    parts = []
    for run in runs:
        finite = np.flatnonzero(np.isfinite(run.history.flow).all(1))
        if len(finite):
            ratio = _ratio(run.history, finite[-1])
            parts.append(f"{run.label} {'fades' if ratio < 1 else 'grows'} ({number(ratio)})")
    if not parts:
        return ""
    return f"{listed(parts)}. {JOURNEY[_recurrent(runs[0]).problem == 'sum']}"


def _sample(runs: Sequence[Shown]) -> str:
    parts = []
    for run in [run for run in runs if len(run.history.sample)]:
        answer, right = run.history.sample[-1].astype(float), sample_target(_recurrent(run)).numpy()
        error = np.sqrt(np.mean((answer - right) ** 2))
        parts.append(f"{run.label} answers {number(error)} off" if np.isfinite(error) else f"{run.label} answers NaN")
    return f"{listed(parts)} (root mean square)." if parts else ""


def _text(runs: Sequence[Shown]) -> str:
    parts = []
    for run in runs:
        if len(run.history.test_loss):
            loss = float(run.history.test_loss[-1])
            parts.append(f"{run.label} {percent(float(np.exp(-loss))) if np.isfinite(loss) else 'NaN'}")
    return f"Probability given to the right next letter (geometric mean): {listed(parts)}." if parts else ""


def _recurrent(run: Shown) -> RecurrentConfig:
    config = run.history.config
    assert isinstance(config, RecurrentConfig)
    return config


OF_ALL = {"loss": _loss, "epochs": _epochs, "norms": _norms, "rate": _rate, "cosine": _cosine}
OF_ONE = {"histogram": _histogram, "layers": _layers, "elements": _elements, "rule": _rule}
OF_ALL_RECURRENT = {"tests": _epochs, "ratio": _ratios}
OF_ONE_RECURRENT = {"flow": _flow}
SAMPLES = {"sine": {"sample": _sample}, "sum": {"scatter": _sample}, "characters": {"text": _text}}
