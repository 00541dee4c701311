"""Which call of which library clips how: each call as data, computed by our rules on a gradient of two tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from gclip.clipping import (
    AdaptiveGradientClip,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    Clipper,
    NormalizeGradient,
    tensor_norms,
    total_norm,
)
from gclip.clipping.rule import scaled
from gclip.dashboard.frameworks.inputs import Grads, Inputs

GLOBAL, PER_TENSOR, VALUE = "One norm for all", "A norm per tensor", "Each element"
RMS, AGC, NORMALIZE = "RMS per tensor", "Share of the weights", "Always rescaled"

RULES: dict[str, Callable[[float], Clipper]] = {
    GLOBAL: ClipByNorm,
    PER_TENSOR: ClipByTensorNorm,
    VALUE: ClipByValue,
    RMS: ClipByBlockRMS,
    AGC: AdaptiveGradientClip,
    NORMALIZE: NormalizeGradient,
}
"""What the calls measure, and our rule that measures so, given its threshold."""

# Where a library's arithmetic differs from our rule's on some gradient, its own: a gradient and a threshold c in.


def old_keras_clipnorm(grads: Grads, c: float) -> Grads:
    """Return ``(c / n) g if n >= c else g``, n over all tensors: a NaN norm compares as false, so all stays."""
    n = total_norm(grads)
    return scaled(grads, torch.where(n >= c, c / n, 1.0))


def keras_clipnorm(grads: Grads, c: float) -> Grads:
    """Return ``c g_t / max(n_t, c)`` for each tensor t: the product comes first, and may overflow."""
    norms = tensor_norms(grads).clamp(min=c).unbind(1)
    return {name: g * c / n[:, None] for (name, g), n in zip(grads.items(), norms, strict=True)}


def keras_global_clipnorm(grads: Grads, c: float) -> Grads:
    """Return ``(c min(1/n, 1/c) + (n - n)) g``: n - n is zero, or NaN if n is not finite."""
    n = total_norm(grads)
    return scaled(grads, c * torch.minimum(1 / n, torch.full_like(n, 1 / c)) + (n - n))


def optax_global_norm(grads: Grads, c: float) -> Grads:
    """Return ``g if n < c else (g / n) c``, n over all tensors."""
    n = total_norm(grads)
    return {name: torch.where(n < c, g, g / n * c) for name, g in grads.items()}


def optax_normalize(grads: Grads, c: float) -> Grads:
    """Return ``g / ((n + 1e-6) / c)``, n over all tensors: a zero gradient stays zero."""
    n = (total_norm(grads) + 1e-6) / c
    return {name: g / n for name, g in grads.items()}


@dataclass(frozen=True)
class Call:
    """One way to ask a library for clipping.

    Args:
        library: the library, with its version where that decides what the call means.
        argument: what to call, or which argument to give, in short.
        measures: what it compares with the threshold: a key of `RULES`.
        code: the line to write, ``{c}`` for the threshold.
        note: what it does, and where it differs from our rule.
        formula: the library's own arithmetic, where it differs.
    """

    library: str
    argument: str
    measures: str
    code: str
    note: str
    formula: Callable[[Grads, float], Grads] | None = None

    @property
    def named_norm_clip(self) -> bool:
        """Whether its name promises a clip by norm."""
        return "clip" in self.argument and "norm" in self.argument

    def line(self, c: float) -> str:
        """Return the code line with the threshold filled in."""
        return self.code.format(c=repr(c))

    def clip(self, grads: Grads, params: Grads, c: float) -> Grads:
        """Return what the call makes of a gradient."""
        if self.formula:
            return self.formula(grads, c)
        rule = RULES[self.measures](c)
        return rule.clip(grads, rule.init(params), params).grads


PYTORCH, OLD_KERAS, KERAS, OPTAX = "PyTorch", "Keras 2.2–2.3", "Keras 3", "Optax"
TIMM, LIGHTNING = "timm", "Lightning"

LINES = {
    PYTORCH: "torch.nn.utils.{}(model.parameters(), {}={{c}})",
    OLD_KERAS: "optimizer = keras.optimizers.SGD(lr=0.01, {}={{c}})",
    KERAS: "optimizer = keras.optimizers.SGD(learning_rate=0.01, {}={{c}})",
    OPTAX: "optimizer = optax.chain(optax.{}({{c}}), optax.sgd(0.01))",
    TIMM: 'timm.utils.dispatch_clip_grad(model.parameters(), value={{c}}, mode="{}")',
    LIGHTNING: 'trainer = Trainer(gradient_clip_val={{c}}, gradient_clip_algorithm="{}")',
}


def _call(library: str, argument: str, measures: str, note: str, *fill: str, formula: Callable | None = None) -> Call:
    return Call(library, argument, measures, LINES[library].format(*(fill or [argument])), note, formula)


CALLS = (
    _call(PYTORCH, "clip_grad_norm_", GLOBAL,
        "One norm n over all parameters; every gradient is multiplied by min(1, c / (n + 1e-6)).",
        "clip_grad_norm_", "max_norm"),
    _call(PYTORCH, "clip_grad_value_", VALUE,
        "Each element is cut to [-c, c]: an Inf becomes c, a NaN stays where it is.",
        "clip_grad_value_", "clip_value"),
    _call(OLD_KERAS, "clipnorm", GLOBAL,
        "One norm over all weights, as the tutorial's text says. A NaN norm counts as short: nothing is clipped. "
        "Computed from its formula, since these versions no longer install.", formula=old_keras_clipnorm),
    _call(OLD_KERAS, "clipvalue", VALUE,
        "Each element is cut to [-c, c]. With clipnorm beside it, this comes second, and at the same c it finds "
        "nothing left to cut. Computed from its formula, since these versions no longer install."),
    _call(KERAS, "clipnorm", PER_TENSOR,
        "Each variable is clipped by a norm of its own; tf.keras 2 does the same.", formula=keras_clipnorm),
    _call(KERAS, "global_clipnorm", GLOBAL,
        "One norm over all variables: what clipnorm was before. If that norm is NaN or Inf, every element becomes NaN.",
        formula=keras_global_clipnorm),
    _call(KERAS, "clipvalue", VALUE,
        "Each element is cut to [-c, c]. Keras 3 takes only one of clipnorm, global_clipnorm and clipvalue."),
    _call(OPTAX, "clip_by_global_norm", GLOBAL,
        "One norm n over all leaves; unchanged if n < c, else (g / n) c. It adds no 1e-6 to n.",
        formula=optax_global_norm),
    _call(OPTAX, "clip", VALUE, "Each element is cut to [-c, c]."),
    _call(OPTAX, "clip_by_block_rms", RMS,
        "Each leaf is divided by max(1, rms / c); the root mean square does not grow with the number of elements."),
    _call(OPTAX, "adaptive_grad_clip", AGC,
        "Each unit's gradient may be c times as long as its weights, which count for at least 0.001. On PyTorch's "
        "[out, in] weights, add axis=1."),
    _call(OPTAX, "normalize_by_update_norm", NORMALIZE,
        "No clip: every gradient gets the length c, short ones too. It divides by (n + 1e-6) / c.",
        formula=optax_normalize),
    _call(TIMM, 'dispatch_clip_grad "norm"', GLOBAL, "Calls PyTorch's clip_grad_norm_.", "norm"),
    _call(TIMM, 'dispatch_clip_grad "value"', VALUE, "Calls PyTorch's clip_grad_value_.", "value"),
    _call(TIMM, 'dispatch_clip_grad "agc"', AGC,
        "Calls timm's adaptive_clip_grad with clip_factor=c: each unit's gradient may be c times as long as its "
        "weights, which count for at least 0.001. The default of clip_factor is 0.01.", "agc"),
    _call(LIGHTNING, 'gradient_clip_val "norm"', GLOBAL,
        "Calls PyTorch's clip_grad_norm_ before each step; norm is what it does if you name no algorithm.", "norm"),
    _call(LIGHTNING, 'gradient_clip_val "value"', VALUE,
        "Calls PyTorch's clip_grad_value_ before each step.", "value"),
)  # fmt: skip

LIBRARIES = tuple(LINES)


@dataclass(frozen=True)
class Result:
    """What one call made of the gradient: all elements before and after."""

    call: Call
    raw: np.ndarray
    clipped: np.ndarray

    @property
    def norm(self) -> float:
        """The length that is left."""
        return length(self.clipped)

    @property
    def cosine(self) -> float:
        """The cosine between before and after; NaN where one of them is zero or not finite."""
        sizes = length(self.raw) * length(self.clipped)
        if not np.isfinite(sizes) or not sizes:
            return np.nan
        return min(1.0, float(self.raw.astype(float) @ self.clipped.astype(float)) / sizes)

    def same_as(self, other: Result) -> bool:
        """Whether two calls give one answer, but for rounding."""
        return np.allclose(self.clipped, other.clipped, rtol=1e-5, atol=1e-30, equal_nan=True)


def results(inputs: Inputs) -> list[Result]:
    """Return what every call makes of the gradient."""
    grads, params, raw = inputs.grads(), inputs.params(), inputs.raw
    clipped = [call.clip(grads, params, inputs.threshold) for call in CALLS]
    return [
        Result(call, raw, torch.cat(list(c.values()), 1)[0].numpy()) for call, c in zip(CALLS, clipped, strict=True)
    ]


def length(elements: np.ndarray) -> float:
    """Return the true L2 norm, in float64: no float32 overflows there."""
    return float(np.sqrt((elements.astype(float) ** 2).sum()))
