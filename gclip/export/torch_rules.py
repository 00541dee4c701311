"""Every clipping rule as lines of PyTorch, for its own loop and for Lightning's hook."""

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
from gclip.export.torch_code import ADA_GC, AGC, AUTO_CLIP, BLOCK_RMS, NORMALIZE, TENSOR_NORM, ZCLIP
from gclip.training import Config


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
