"""The lines that clip do what the rule does, step after step, to gradients that no sane run has."""

from __future__ import annotations

import math
from collections import deque

import pytest
import torch
from torch import Tensor, nn

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    Clipper,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.export.torch_rules import WAYS, clipping
from gclip.training import RunConfig

RULES = [
    ClipByNorm(1.0),
    ClipByNorm(1.0, 3.0),
    ClipByTensorNorm(1.0),
    ClipByValue(0.1),
    ClipByBlockRMS(0.1),
    AdaptiveGradientClip(0.1),
    AutoClip(40.0),
    AutoClip(90.0, 5),
    ZClip(1.0, warmup_steps=8),
    ZClip(0.5, 0.9, 4, 0.75, 0.5, 2.0),
    AdaGC(1.0, 1.25, 0.5, 8),
    NormalizeGradient(2.0),
    Chain(ClipByNorm(2.0), AutoClip(30.0), ClipByValue(0.5)),
    PerLayer(ClipByNorm(1.0), output=ZClip(1.0, warmup_steps=4)),
    PerLayer(AdaGC(1.0, warmup_steps=4), hidden2=AutoClip(50.0), hidden1=ClipByBlockRMS(0.2)),
]
STEPS = 40

SPOILT = {10: math.nan, 15: math.inf, 20: 3e38, 25: 0.0, 30: -math.inf}
"""What some steps hold in one element; 3e38 is finite, but its square is not."""


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU())
        self.output = nn.Linear(3, 1)


def gradients(model: nn.Module) -> list[dict[str, Tensor]]:
    """Return gradients of every length for so many steps, some of them spoilt, one wholly zero, one nearly."""
    generator = torch.Generator().manual_seed(0)
    steps = []
    for step in range(STEPS):
        size = 10 ** torch.empty(()).uniform_(-1.5, 1.5, generator=generator)
        steps.append({name: torch.randn(p.shape, generator=generator) * size for name, p in model.named_parameters()})
        if step in SPOILT:
            steps[-1]["hidden.0.weight"][1, 2] = SPOILT[step]
    steps[35] = {name: torch.zeros_like(grad) for name, grad in steps[35].items()}
    steps[36] = {name: grad * 1e-25 for name, grad in steps[36].items()}  # the squares vanish, the gradient does not
    return steps


def by_lines(rule: Clipper, model: nn.Module) -> list[list[Tensor]]:
    """Clip every step's gradients by the lines of a script."""
    code = clipping(RunConfig(clipper=rule, hidden_layers=2), columns=0)
    names = {"torch": torch, "nn": nn, "math": math, "deque": deque, "model": model, **code.constants}
    names |= {"WINDOW": code.constants.get("WINDOW")}
    exec("\n\n".join([*code.helpers, code.made]), names)
    clipped = []
    for grads in gradients(model):
        for name, parameter in model.named_parameters():
            parameter.grad = grads[name].clone()
        exec(code.clip, names)
        clipped.append([p.grad for p in model.parameters() if p.grad is not None])
    return clipped


def by_rule(rule: Clipper, model: nn.Module) -> list[list[Tensor]]:
    """Clip every step's gradients by the rule itself, its layers named as in a run."""
    names = ["hidden1.weight", "hidden1.bias", "hidden2.weight", "hidden2.bias", "output.weight", "output.bias"]
    params = {name: p.detach()[None] for name, p in zip(names, model.parameters(), strict=True)}
    state, clipped = rule.init(params), []
    for grads in gradients(model):
        result = rule.clip({name: g[None] for name, g in zip(names, grads.values(), strict=True)}, state, params)
        state = result.state
        clipped.append([g[0] for g in result.grads.values()])
    return clipped


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_lines_clip_as_the_rule_does(rule: Clipper) -> None:
    torch.manual_seed(0)
    model = Network()
    for step, (lines, ours) in enumerate(zip(by_lines(rule, model), by_rule(rule, model), strict=True)):
        for line, our in zip(lines, ours, strict=True):
            torch.testing.assert_close(line, our, rtol=1e-6, atol=0, equal_nan=True, msg=f"step {step}: {line} {our}")


def test_every_rule_is_tried() -> None:
    tried = repr(RULES)
    assert [kind.__name__ for kind in WAYS if f"{kind.__name__}(" not in tried] == []
