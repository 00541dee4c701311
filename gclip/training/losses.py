"""The losses, each with its derivative written out; all are means over the last axis, in torch's definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """A loss of the error ``e = prediction - target``: ``value(e)`` is its mean, ``slope(e)`` is d loss_i / d e_i."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    torch_name: str
    keras_name: str


def _huber(error: Tensor) -> Tensor:
    """Return the mean of ``e^2 / 2`` where ``|e| < delta`` and ``delta * (|e| - delta / 2)`` elsewhere; delta is 1."""
    size = error.abs()
    return (0.5 * error.square()).where(size < 1, size - 0.5).mean(-1)


LOSSES = {
    "MSE": Loss(lambda e: e.square().mean(-1), lambda e: 2 * e, "MSELoss", "MeanSquaredError"),
    "MAE": Loss(lambda e: e.abs().mean(-1), lambda e: e.sign(), "L1Loss", "MeanAbsoluteError"),
    "Huber": Loss(_huber, lambda e: e.clamp(-1, 1), "HuberLoss", "Huber"),
}
