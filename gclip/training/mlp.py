"""The regression MLP, many lanes at once, its backward pass written out.

Written out, one step costs a third of what autograd needs for it; `tests/training/test_mlp.py`
holds it against autograd.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn

from gclip.training.config import RunConfig

MANY = 32
"""Lanes that share a batch from which one matrix product for all of them is faster than one for each."""


def shapes(config: RunConfig) -> dict[str, tuple[int, ...]]:
    """Return the parameters' names and shapes, in the order of the forward pass."""
    sizes = [config.n_features, *[config.hidden_units] * config.hidden_layers, 1]
    found: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in zip(config.layers, pairwise(sizes), strict=True):
        found |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return found


def initialise(config: RunConfig) -> dict[str, Tensor]:
    """Return fresh parameters: He-uniform hidden weights, Glorot-uniform output weights, zero biases."""
    generator = torch.Generator().manual_seed(config.init_seed)
    params = {name: torch.zeros(shape) for name, shape in shapes(config).items()}
    for name, weight in params.items():
        if name == "output.weight":
            nn.init.xavier_uniform_(weight, generator=generator)
        elif name.endswith("weight"):
            nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)
    return params


def forward(params: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return predictions ``[lanes, rows]`` and each layer's input, the first being ``x`` for every lane.

    ``x`` is ``[blocks, rows, features]``: the lanes are cut into so many equal blocks, and those of a block share it.

    The output layer is a product and a sum, not a matrix product: with one output column, the
    latter takes another path for one lane than for many, and a run would depend on its neighbours.
    """
    *weights, out_weight = [p for name, p in params.items() if name.endswith("weight")]
    *biases, out_bias = [p for name, p in params.items() if name.endswith("bias")]
    shared = MANY * len(x) <= len(out_bias)
    inputs = [x if len(x) == len(out_bias) else _for_each_lane(x, len(out_bias))]
    if shared:
        inputs.append(_shared_layer(x, weights[0], biases[0]))
    for weight, bias in list(zip(weights, biases, strict=True))[shared:]:
        inputs.append(_layer(inputs[-1], weight, bias))
    return (inputs[-1] * out_weight).sum(-1) + out_bias, inputs


def _layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``relu(x @ weight.T + bias)`` for each lane; one unit by product and sum, as `forward` explains."""
    if weight.shape[1] == 1:
        return ((x * weight).sum(-1, keepdim=True) + bias.unsqueeze(1)).relu_()
    return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2)).relu_()


def _shared_layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the same as `_layer`, from one matrix product for each block of lanes that share ``x``."""
    (blocks, rows, features), units = x.shape, weight.shape[1]
    if not _same_bits(blocks, rows, features, units, len(weight)):
        return _layer(_for_each_lane(x, len(weight)), weight, bias)
    return _one_product(x, weight, bias)


def _one_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x [blocks, rows, features] @ [features, all units of all lanes of the block]``, lane after lane."""
    (blocks, rows, features), (lanes, units, _) = x.shape, weight.shape
    wide = torch.baddbmm(bias.view(blocks, 1, -1), x, weight.view(blocks, -1, features).transpose(1, 2))
    by_lane = wide.view(blocks, rows, lanes // blocks, units).transpose(1, 2)
    # Each lane's rows in one piece: sums over rows that lie apart are taken in another order.
    hidden = torch.empty(by_lane.shape)
    return torch.clamp_min(by_lane, 0, out=hidden).view(lanes, rows, units)


@lru_cache(maxsize=256)
def _same_bits(blocks: int, rows: int, features: int, units: int, lanes: int) -> bool:
    """Say whether one product gives the same bits as one for each lane: a run must not depend on its neighbours.

    Whether it does is up to the processor's matrix library and the sizes (mostly not below 9 units), so it is tried.
    """
    random = torch.Generator().manual_seed(0)
    sizes = (blocks, rows, features), (lanes, units, features), (lanes, units)
    x, weight, bias = (torch.randn(size, generator=random) for size in sizes)
    return torch.equal(_one_product(x, weight, bias), _layer(_for_each_lane(x, lanes), weight, bias))


def _for_each_lane(x: Tensor, lanes: int) -> Tensor:
    """Return ``x`` ``[blocks, ...]`` for every lane, ``[lanes, ...]``; what all share is not copied."""
    return x.expand(lanes, -1, -1) if len(x) == 1 else x.repeat_interleave(lanes // len(x), 0)


def backward(params: Mapping[str, Tensor], inputs: list[Tensor], slope: Tensor, grads: Mapping[str, Tensor]) -> None:
    """Write d loss / d parameter into ``grads``, given ``slope`` = d loss / d prediction ``[lanes, rows]``."""
    names = [name.removesuffix(".weight") for name in params if name.endswith("weight")]
    delta = slope.unsqueeze(-1)
    torch.sum(inputs[-1] * delta, dim=1, keepdim=True, out=grads["output.weight"])
    torch.sum(slope, dim=1, keepdim=True, out=grads["output.bias"])
    delta = delta * params["output.weight"]
    for i in reversed(range(len(names) - 1)):
        # A NaN unit passes its gradient on, as in autograd: only units that are off block it.
        torch.ops.aten.threshold_backward.grad_input(delta, inputs[i + 1], 0, grad_input=delta)
        torch.bmm(delta.transpose(1, 2), inputs[i], out=grads[f"{names[i]}.weight"])
        torch.sum(delta, dim=1, out=grads[f"{names[i]}.bias"])
        if i:
            delta = torch.bmm(delta, params[f"{names[i]}.weight"])
