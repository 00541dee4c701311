"""What several tests of this folder need: a bitwise comparison, and the same training written in plain PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gclip import History, RunConfig
from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, NoClip
from gclip.training import Config, mlp
from gclip.training.problems import make_data

SHORT: dict[str, Any] = {"n_samples": 200, "epochs": 3}
"""Twelve steps; with batches of 32 the last of each epoch has 4 rows."""

INF = float("inf")
RULES = [
    NoClip(),
    ClipByNorm(1.0),
    ClipByNorm(300.0),
    ClipByNorm(5.0, norm_type=1.0),
    ClipByNorm(5.0, norm_type=3.0),
    ClipByNorm(5.0, norm_type=INF),
    ClipByTensorNorm(1.0),
    ClipByValue(5.0),
    Chain(ClipByNorm(1.0), ClipByValue(0.1)),
]


def differing(a: History, b: History) -> list[str]:
    """Return the names of what is not bit for bit equal in two histories; NaNs are compared by their bits, too."""
    mine, other = a.arrays(), b.arrays()
    assert {name: array.shape for name, array in mine.items()} == {name: array.shape for name, array in other.items()}
    names = [name for name in mine if mine[name].tobytes() != other[name].tobytes()]
    return names + ["events"] * (a.events != b.events)


def network(config: RunConfig) -> nn.Sequential:
    """Return the run's network as a learner would write it, with the run's initial weights."""
    layers: list[nn.Module] = []
    sizes = [config.n_features, *[config.hidden_units] * config.hidden_layers]
    for i in range(config.hidden_layers):
        layers += [nn.Linear(sizes[i], sizes[i + 1]), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))
    with torch.no_grad():
        for mine, fresh in zip(net.parameters(), mlp.initialise(config).values(), strict=True):
            mine.copy_(fresh)
    return net


def torch_loss(config: RunConfig) -> nn.Module:
    return {"MSE": nn.MSELoss, "MAE": nn.L1Loss, "Huber": nn.HuberLoss}[config.loss]()


def torch_optimizer(config: Config, params: list[nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "SGD":
        return torch.optim.SGD(params, lr=config.learning_rate, momentum=config.momentum)
    return {"Adam": torch.optim.Adam, "RMSprop": torch.optim.RMSprop}[config.optimizer](params, lr=config.learning_rate)


def torch_clip(rule: Any, params: list[nn.Parameter]) -> None:
    """Clip ``params``' gradients in place by torch's own functions."""
    if isinstance(rule, Chain):
        for part in rule.rules:
            torch_clip(part, params)
    elif isinstance(rule, ClipByNorm):
        nn.utils.clip_grad_norm_(params, rule.max_norm, rule.norm_type)
    elif isinstance(rule, ClipByValue):
        nn.utils.clip_grad_value_(params, rule.clip_value)
    elif isinstance(rule, ClipByTensorNorm):
        # torch has no such function; this is Keras' formula, g * c / max(n, c).
        for grad in gradients(params):
            grad.mul_(rule.max_norm / grad.norm().clamp(min=rule.max_norm))


def gradients(params: list[nn.Parameter]) -> list[Tensor]:
    return [p.grad for p in params if p.grad is not None]


def plain_run(config: RunConfig) -> dict[str, np.ndarray]:
    """Train ``config`` by nn.Sequential, autograd and torch.optim; return what a History calls by the same names."""
    data, net, score = make_data(config), network(config), torch_loss(config)
    params = list(net.parameters())
    optimizer, shuffle = torch_optimizer(config, params), torch.Generator().manual_seed(config.batch_seed)
    found: dict[str, list[float]] = {"loss": [], "total_norm": [], "clipped_norm": [], "test_loss": []}
    for _ in range(config.epochs):
        for rows in torch.randperm(config.n_train, generator=shuffle).split(config.batch_size):
            loss = score(net(data.x_train[rows]).squeeze(1), data.y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            found["loss"].append(loss.item())
            found["total_norm"].append(nn.utils.get_total_norm(gradients(params)).item())
            torch_clip(config.clipper, params)
            found["clipped_norm"].append(nn.utils.get_total_norm(gradients(params)).item())
            optimizer.step()
        with torch.no_grad():
            found["test_loss"].append(score(net(data.x_test).squeeze(1), data.y_test).item())
    return {name: np.array(values) for name, values in found.items()}
