"""Every clipping rule as lines of PyTorch; what torch has no function for is written out in a few."""

from __future__ import annotations

import math
from typing import NamedTuple

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    NormalizeGradient,
    ZClip,
    derivative_clip,
)
from gclip.export import text
from gclip.export.acts import Act, acts_of, constants_of
from gclip.export.text import Bracket
from gclip.training import Config

TENSOR_NORM = '''\
def clip_by_tensor_norm(parameters, max_norm):
    """Scale each tensor that is longer than max_norm down to it."""
    for parameter in parameters:
        norm = parameter.grad.norm()
        parameter.grad *= (torch.tensor(max_norm) / norm).clamp(max=1)'''

BLOCK_RMS = '''\
def clip_by_block_rms(parameters, threshold):
    """Scale each tensor whose root mean square exceeds the threshold down to it."""
    for parameter in parameters:
        rms = parameter.grad.norm() / math.sqrt(parameter.numel())
        parameter.grad *= (torch.tensor(threshold) / rms).clamp(max=1)'''

AGC = '''\
def clip_adaptively(parameters, clip_factor, eps):
    """Hold each unit's gradient to a share of the length of the unit's weights.

    A unit is a row of a matrix, and the whole of a vector such as a bias.
    """
    for parameter in parameters:
        norm = parameter.grad.norm(dim=-1, keepdim=True)
        weights = parameter.detach().norm(dim=-1, keepdim=True)
        bound = clip_factor * weights.clamp(min=eps)
        shorter = bound / norm.clamp(min=1e-6)
        parameter.grad *= torch.where(norm < bound, 1.0, shorter)'''

NORMALIZE = '''\
def normalize_gradient(parameters, scale):
    """Give the whole gradient the length scale, however long or short it was."""
    grads = [parameter.grad for parameter in parameters]
    norm = nn.utils.get_total_norm(grads)
    vanishes = norm < torch.finfo(norm.dtype).tiny ** 0.5  # zero has no direction
    for grad in grads:
        grad *= torch.where(vanishes, 1.0, torch.tensor(scale) / norm)'''

AUTO_CLIP = '''\
class AutoClip:
    """Clip by the norm; the longest allowed is a percentile of the norms so far."""

    def __init__(self, clip_percentile, window):
        self.clip_percentile = clip_percentile
        self.norms = deque(maxlen=window)  # None keeps all

    def __call__(self, parameters):
        parameters = list(parameters)
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters])
        if norm.isfinite():  # one NaN among them would spoil every later percentile
            self.norms.append(norm.item())
        if self.norms:
            norms = torch.tensor(self.norms, dtype=torch.float64)
            max_norm = norms.quantile(self.clip_percentile / 100)
            nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)'''

ZCLIP = '''\
class ZClip:
    """Cut the norms that stand out from those of late, by their z-score."""

    def __init__(self, z_thresh, alpha, warmup_steps, clip_factor, eps, max_grad_norm):
        self.z_thresh, self.alpha, self.warmup_steps = z_thresh, alpha, warmup_steps
        self.clip_factor, self.eps = clip_factor, eps
        self.max_grad_norm = max_grad_norm
        self.seen, self.mean, self.variance = 0, 0.0, 0.0

    def __call__(self, parameters):
        grads = [parameter.grad for parameter in parameters]
        norm = nn.utils.get_total_norm(grads).item()
        bound = self.bound(norm)
        longest = min(bound, self.max_grad_norm)
        if norm > longest:
            for grad in grads:
                grad *= longest / (norm + 1e-6)
        if math.isfinite(norm):  # one NaN in the mean would turn the rule off for good
            self.remember(min(norm, bound))

    def bound(self, norm):
        """Return what the norm is cut to: the farther out, the closer to the mean."""
        std = math.sqrt(self.variance)
        z = (norm - self.mean) / (std + self.eps)
        if self.seen < self.warmup_steps or not z > self.z_thresh:
            return math.inf
        nearer = self.mean + self.z_thresh * std * (self.z_thresh / z)
        return nearer * self.clip_factor

    def remember(self, norm):
        """Move mean and variance: of all norms in the warm-up, of recent ones later."""
        if self.seen < self.warmup_steps:
            self.seen += 1
            away = norm - self.mean
            self.mean += away / self.seen
            self.variance += (away * (norm - self.mean) - self.variance) / self.seen
        else:
            self.mean = self.alpha * self.mean + (1 - self.alpha) * norm
            away = (norm - self.mean) ** 2
            self.variance = self.alpha * self.variance + (1 - self.alpha) * away'''

ADA_GC = '''\
class AdaGC:
    """Hold each tensor to a multiple of the norm that it had of late."""

    def __init__(self, max_norm, relative_threshold, beta, warmup_steps):
        self.max_norm, self.relative_threshold = max_norm, relative_threshold
        self.beta, self.warmup_steps = beta, warmup_steps
        self.seen, self.of_late = 0, torch.tensor(math.inf, dtype=torch.float64)

    def __call__(self, parameters):
        grads = [parameter.grad for parameter in parameters]
        norms = torch.stack([grad.norm() for grad in grads])
        warming_up = self.seen < self.warmup_steps
        rule = self.clip_together if warming_up else self.clip_each
        factors, of_late = rule(norms)
        for grad, factor in zip(grads, factors, strict=True):
            grad *= factor
        if norms.norm().isfinite():  # a step that is not is never remembered
            self.seen, self.of_late = self.seen + 1, of_late

    def clip_together(self, norms):
        """In the warm-up, clip by the norm of all; remember each tensor's smallest."""
        factor = (self.max_norm / (norms.norm() + 1e-6)).clamp(max=1).double()
        factors = factor.expand(len(norms))
        return factors, torch.minimum(self.of_late, norms.double() * factors)

    def clip_each(self, norms):
        """Clip each tensor that is too long; remember a moving average of each."""
        norms, bound = norms.double(), self.relative_threshold * self.of_late
        factors = torch.where(norms > bound, bound / (norms + 1e-6), 1.0)
        norms = torch.minimum(norms, bound)
        return factors, self.beta * self.of_late + (1 - self.beta) * norms'''


class Way(NamedTuple):
    """What is called, its code where torch has none, and a variable's name if it is an object that remembers."""

    called: str
    code: str = ""
    variable: str = ""


WAYS: dict[type, Way] = {
    ClipByNorm: Way("nn.utils.clip_grad_norm_"),
    ClipByTensorNorm: Way("clip_by_tensor_norm", TENSOR_NORM),
    ClipByValue: Way("nn.utils.clip_grad_value_"),
    ClipByBlockRMS: Way("clip_by_block_rms", BLOCK_RMS),
    AdaptiveGradientClip: Way("clip_adaptively", AGC),
    NormalizeGradient: Way("normalize_gradient", NORMALIZE),
    AutoClip: Way("AutoClip", AUTO_CLIP, "auto_clip"),
    ZClip: Way("ZClip", ZCLIP, "zclip"),
    AdaGC: Way("AdaGC", ADA_GC, "ada_gc"),
}
"""How each rule is said in torch: a call with the parameters and the rule's constants."""

HERE = "Clip here: after backward made the gradients, before the step uses them."
NOT_HERE = "No clipping; it would stand here, between backward and step."
INSIDE = "Nothing to clip here: backward has cut the derivatives on their way."


class Clipping(NamedTuple):
    """The parts of a script that clip."""

    constants: dict[str, object]
    imports: str
    """The standard library's names that it needs."""
    helpers: list[str]
    """Functions and classes, each once."""
    made: str
    """What is made once, before training."""
    clip: str
    """The lines between backward and step."""


def clipping(config: Config, columns: int, owner: str = "", model: str = "model") -> Clipping:
    """Return the parts of a script that clip.

    Args:
        columns: how far in the lines between backward and step stand.
        owner: what stands before the names of things made once, such as ``self.``.
        model: the network's name there.

    Raises:
        ValueError: if a rule has no counterpart here.
    """
    acts = acts_of(config)
    for act in acts:
        refuse(act)
    rests = rests_of(acts, owner)
    ways = [WAYS[type(act.rule)] for act in acts]
    helpers = list(dict.fromkeys(way.code for way in ways if way.code))
    made = [Bracket(f"{name} = [", every_parameter(layers, model), "]") for layers, name in rests.items()]
    made += [made_once(act, owner) for act, way in zip(acts, ways, strict=True) if way.variable]
    calls = [call(act, parameters(act.layers, model, rests), owner) for act in acts]
    derivative = derivative_clip(config.clipper)
    note = HERE if acts else INSIDE if derivative else NOT_HERE
    return Clipping(
        constants=bounds(config) | constants_of(acts) | unlimited(acts),
        imports="from collections import deque" if AUTO_CLIP in helpers else "",
        helpers=helpers,
        made=text.lines(*[text.written(code, 8 if owner else 0) for code in made]),
        clip=text.lines(text.comment(note, columns), *[text.indent(text.written(c, columns), columns) for c in calls]),
    )


def rests_of(acts: list[Act], owner: str) -> dict[tuple[str, ...] | None, str]:
    """Return a name for each group of several layers that share a rule; it holds the list of their parameters."""
    groups = dict.fromkeys(act.layers for act in acts if act.layers and len(act.layers) > 1)
    return {layers: f"{owner}rest" + (f"_{i}" if len(groups) > 1 else "") for i, layers in enumerate(groups, 1)}


def refuse(act: Act) -> None:
    """Raise ValueError if the rule has no counterpart here."""
    if type(act.rule) not in WAYS:
        names = ", ".join(rule.__name__ for rule in WAYS)
        raise ValueError(f"{type(act.rule).__name__} has no script yet; there is one for {names}.")


def bounds(config: Config) -> dict[str, object]:
    """Return the constants of the rule that clips inside the backward pass."""
    clip = derivative_clip(config.clipper)
    return {"GATE_CLIP": clip.gate_clip, "OUTPUT_CLIP": clip.output_clip} if clip else {}


def unlimited(acts: list[Act]) -> dict[str, object]:
    """Return the windows that have no end, as a deque wants them said."""
    windows = {act.names["window"]: act.values["window"] for act in acts if "window" in act.names}
    return {name: None for name, window in windows.items() if window == math.inf}


def made_once(act: Act, owner: str) -> Bracket:
    """Return the line that makes the object which remembers from step to step."""
    way = WAYS[type(act.rule)]
    return Bracket(f"{owner}{way.variable}{act.suffix} = {way.called}(", list(act.names.values()))


def call(act: Act, clipped: str, owner: str) -> Bracket:
    """Return the line that clips the parameters ``clipped``."""
    way = WAYS[type(act.rule)]
    if way.variable:
        return Bracket(f"{owner}{way.variable}{act.suffix}(", [clipped])
    arguments = [f"norm_type={constant}" if name == "norm_type" else constant for name, constant in act.names.items()]
    return Bracket(f"{way.called}(", [clipped, *arguments])


def parameters(layers: tuple[str, ...] | None, model: str, rests: dict[tuple[str, ...] | None, str]) -> str:
    """Return the expression for the parameters of ``layers``."""
    if layers is None:
        return f"{model}.parameters()"
    return rests.get(layers) or f"{layer_name(layers[0], model)}.parameters()"


def every_parameter(layers: tuple[str, ...] | None, model: str) -> list[str]:
    """Return the parts of the list of all parameters of ``layers``."""
    return [f"*{layer_name(name, model)}.parameters()" for name in layers or ()]


def layer_name(layer: str, model: str) -> str:
    """Return a layer's name in the script; of many hidden ones, every other is a ReLU."""
    number = layer.removeprefix("hidden")
    return f"{model}.hidden[{2 * int(number) - 2}]" if number.isdigit() else f"{model}.{layer}"
