"""Optimizers on one flat vector of all lanes' parameters, operation by operation as in torch.optim.

Training amplifies a rounding error a million times over a thousand steps: only the same operations in the
same order give the losses that a plain PyTorch script prints. Learning rates come as float64, as torch's are.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """An update rule; ``learning_rate`` and ``momentum`` hold one number for each element."""

    def step(self, params: Tensor, grads: Tensor, out: Tensor) -> None:
        """Write the parameters after this step to ``out``."""
        ...


class SGD:
    """Stochastic gradient descent: ``v <- momentum * v + g;  p <- p - learning_rate * v``."""

    def __init__(self, learning_rate: Tensor, momentum: Tensor) -> None:
        self.learning_rate, self.momentum = learning_rate.float(), momentum
        self.velocity: Tensor | None = None

    def step(self, params: Tensor, grads: Tensor, out: Tensor) -> None:
        if self.velocity is None:
            self.velocity = grads.clone()
        else:
            self.velocity.mul_(self.momentum).add_(grads)
        torch.addcmul(params, self.learning_rate, self.velocity, value=-1, out=out)


class Adam:
    """Adam: ``m <- beta1 * m + (1 - beta1) * g;  s <- beta2 * s + (1 - beta2) * g^2``, and with both means freed of
    their start at 0, ``M = m / (1 - beta1^t);  S = s / (1 - beta2^t)`` at step ``t = 1, 2, ...``,
    ``p <- p - learning_rate * M / (sqrt(S) + eps)``.

    With torch's defaults (betas .9 and .999, eps 1e-8); ``momentum`` is not used.
    """

    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def __init__(self, learning_rate: Tensor, momentum: Tensor) -> None:
        self.learning_rate = learning_rate
        self.mean, self.square = torch.zeros(2, len(learning_rate))
        self.steps = 0

    def step(self, params: Tensor, grads: Tensor, out: Tensor) -> None:
        self.steps += 1
        self.mean.lerp_(grads, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(grads, grads, value=1 - self.beta2)
        scale = (self.square.sqrt() / (1 - self.beta2**self.steps) ** 0.5).add_(self.eps)
        rate = (self.learning_rate / (1 - self.beta1**self.steps)).float()
        torch.addcdiv(params, rate * self.mean, scale, value=-1, out=out)


class RMSprop:
    """RMSprop: ``s <- alpha * s + (1 - alpha) * g^2;  p <- p - learning_rate * g / (sqrt(s) + eps)``.

    With torch's defaults (alpha .99, eps 1e-8); ``momentum`` is not used.
    """

    alpha, eps = 0.99, 1e-8

    def __init__(self, learning_rate: Tensor, momentum: Tensor) -> None:
        self.learning_rate = learning_rate.float()
        self.square = torch.zeros_like(self.learning_rate)

    def step(self, params: Tensor, grads: Tensor, out: Tensor) -> None:
        self.square.mul_(self.alpha).addcmul_(grads, grads, value=1 - self.alpha)
        scale = self.square.sqrt().add_(self.eps)
        torch.addcdiv(params, self.learning_rate * grads, scale, value=-1, out=out)


OPTIMIZERS: dict[str, type[SGD] | type[Adam] | type[RMSprop]] = {"SGD": SGD, "Adam": Adam, "RMSprop": RMSprop}
