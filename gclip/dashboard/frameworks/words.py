"""What the Frameworks page says of its results: sentences and a table, made from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gclip.dashboard.frameworks.calls import KERAS, OLD_KERAS, PER_TENSOR, Result, length
from gclip.dashboard.frameworks.inputs import Inputs
from gclip.dashboard.words import listed, number

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def vector(values: np.ndarray) -> str:
    """Write the elements of one tensor."""
    return ", ".join(map(number, values.tolist()))


def tensors(values: np.ndarray, inputs: Inputs) -> str:
    """Write both tensors."""
    return " ".join(f"[{vector(part)}]" for part in np.split(values, [len(inputs.weight)]))


def effect(raw: np.ndarray, clipped: np.ndarray) -> str:
    """Say what happened to a gradient, in a few words."""
    if np.array_equal(raw, clipped, equal_nan=True):
        return "unchanged"
    if np.isnan(clipped).any():
        return _nan_effect(clipped)
    if not clipped.any():
        return "all zero: no step"
    if np.allclose(raw, clipped, rtol=1e-5, atol=0):
        return "unchanged but for rounding"
    return _turned(raw, clipped) if np.isfinite(raw).all() else "the Inf is cut"


def _nan_effect(clipped: np.ndarray) -> str:
    broken = int(np.isnan(clipped).sum())
    if broken == len(clipped):
        return "every element NaN"
    rest = ", the rest 0" if not clipped[~np.isnan(clipped)].any() else " elements"
    return f"NaN in {broken} of {len(clipped)}{rest}"


def _turned(raw: np.ndarray, clipped: np.ndarray) -> str:
    ratio = length(clipped) / length(raw)
    cosine = float(raw.astype(float) @ clipped.astype(float)) / length(raw) / length(clipped)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    if angle >= 0.1:
        return f"turned by {angle:.0f}°" if angle >= 9.95 else f"turned by {angle:.1f}°"
    return f"{'shortened' if ratio < 1 else 'lengthened'} to {number(100 * ratio)} %"


def norm_words(values: np.ndarray) -> str:
    """Say how long a gradient is, and what float32 sees of that."""
    norm = length(values)
    with np.errstate(over="ignore"):
        overflows = np.isfinite(norm) and np.isinf((values**2).sum())
    return f"{number(norm)}, which overflows float32 to Inf" if overflows else number(norm)


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Return the results that are one answer together, the answer that most calls give first."""
    found: list[list[Result]] = []
    for result in results:
        same = next((group for group in found if group[0].same_as(result)), None)
        found.append([result]) if same is None else same.append(result)
    return sorted(found, key=len, reverse=True)


def conclusion(results: Sequence[Result], inputs: Inputs) -> str:
    """Say how many answers the calls named after the norm give to this gradient, and which."""
    named = [result for result in results if result.call.named_norm_clip]
    answers = groups(named)
    total, count = COUNTS[len(named)].capitalize(), COUNTS[len(answers)]
    if len(answers) == 1:
        return f"{total} of these calls promise a clip by norm, and here they agree: {_answer(answers[0], inputs)}."
    parts = [f"{_names(group)}: {_answer(group, inputs)}" for group in answers]
    return f"**{total} of these calls promise a clip by norm; here they give {count} answers.** {'. '.join(parts)}."


def _names(group: Sequence[Result]) -> str:
    if len(group) > 2:
        return f"{COUNTS[len(group)].capitalize()} of them"
    return listed([f"{result.call.library} `{result.call.argument}`" for result in group])


def _answer(group: Sequence[Result], inputs: Inputs) -> str:
    first = group[0]
    return f"{tensors(first.clipped, inputs)}, {effect(first.raw, first.clipped)}"


def trap(results: Sequence[Result]) -> dict[str, Result]:
    """Return what clipnorm did then, what the same word does now, and what to write now for the old meaning."""
    found = {(result.call.library, result.call.argument): result for result in results}
    return {
        "The tutorial, in Keras 2.2–2.3": found[OLD_KERAS, "clipnorm"],
        "The same argument, in Keras 3": found[KERAS, "clipnorm"],
        "The old meaning, in Keras 3": found[KERAS, "global_clipnorm"],
    }


def story(result: Result, inputs: Inputs) -> str:
    """Say which norms a call of the trap compares with the threshold, and what comes of it."""
    parts = np.split(inputs.raw, [len(inputs.weight)])
    norms = list(map(norm_words, parts))
    if result.call.measures == PER_TENSOR:
        measured = f"A norm for each tensor: weight {norms[0]}, bias {norms[1]}"
    else:
        measured = f"One norm over all weights: {norm_words(inputs.raw)}"
    return f"{measured}.\n\n**{tensors(result.clipped, inputs)}**\n\n{sentence(effect(result.raw, result.clipped))}"


def moral(results: Sequence[Result]) -> str:
    """Say whether the trap snaps at this gradient."""
    then, now, write = trap(results).values()
    if then.same_as(now) and then.same_as(write):
        return "At this gradient all three agree: the trap is there, but it does not snap."
    if then.same_as(now):
        return "Then and now agree at this gradient; only global_clipnorm differs: it turns a non-finite norm into NaN."
    tail = "" if then.same_as(write) else " Even global_clipnorm differs here: it turns a non-finite norm into NaN."
    return f"**Same word, other rule: the same argument makes another gradient.**{tail}"


def sentence(words: str) -> str:
    """Begin with a capital and end with a stop."""
    return f"{words[0].upper()}{words[1:]}."


def rows(results: Sequence[Result], inputs: Inputs) -> list[dict[str, str]]:
    """Return the table of all calls, one row each."""
    return [_row(result, inputs) for result in results]


def _row(result: Result, inputs: Inputs) -> dict[str, str]:
    weight, bias = np.split(result.clipped, [len(inputs.weight)])
    return {
        "Library": result.call.library,
        "Call": f"`{result.call.argument}`",
        "What happened": effect(result.raw, result.clipped),
        "Weight": vector(weight),
        "Bias": vector(bias),
        "Norm": f"{number(length(result.raw))} → {number(result.norm)}",
        "Cosine": "–" if np.isnan(result.cosine) else f"{result.cosine:.3f}",
        "What it measures": result.call.measures,
    }
