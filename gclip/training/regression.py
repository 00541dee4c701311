"""The regression MLP as a task: the tutorial's data, many lanes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from gclip.training import mlp, problems
from gclip.training.batches import Batches
from gclip.training.config import RunConfig
from gclip.training.losses import LOSSES

Batch = tuple[Tensor, Tensor]

IN_CACHE = 2**18
"""Hidden units, for half of the data, that are evaluated at once: as many as stay in the processor's cache."""


class Regression:
    """Stacked regression MLPs; see `gclip.training.tasks.Task`."""

    STRETCH: ClassVar[int] = 64
    shapes = staticmethod(mlp.shapes)
    initialise = staticmethod(mlp.initialise)
    baseline = staticmethod(problems.baseline)

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self.data, self.loss, self.epochs = Batches(configs), LOSSES[configs[0].loss], configs[0].epochs

    @staticmethod
    def extras(config: RunConfig) -> dict[str, int]:
        """Return nothing: all that is recorded is common to all tasks."""
        return {}

    def batches(self) -> Iterator[Batch]:
        """Yield inputs ``[blocks, rows, features]`` (see `Batches`) and targets ``[lanes, rows]``, each epoch anew."""
        for _ in range(self.epochs):
            yield from self.data.epoch()

    def gradients(self, params: Mapping[str, Tensor], batch: Batch, raw: Mapping[str, Tensor]) -> Tensor:
        """Write the gradients into ``raw`` and return the losses ``[lanes]``."""
        x, y = batch
        prediction, inputs = mlp.forward(params, x)
        error = prediction - y
        mlp.backward(params, inputs, self.loss.slope(error) * (1 / y.shape[1]), raw)
        return self.loss.value(error)

    def inside(self, lanes: slice) -> None:
        """Return nothing: no rule clips inside this network's backward pass."""

    def evaluate(self, params: Mapping[str, Tensor], losses: Tensor) -> dict[str, Tensor]:
        """Return the loss on both halves of the data, and the share of hidden units that fire for no row."""
        size = max(1, IN_CACHE // (self.data.config.n_train * self.data.config.hidden_units))
        parts = [self._evaluate(params, slice(i, i + size)) for i in range(0, self.data.lanes, size)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _evaluate(self, params: Mapping[str, Tensor], lanes: slice) -> dict[str, Tensor]:
        (x, y), (x_test, y_test) = self.data.halves(lanes)
        these = {name: tensor[lanes] for name, tensor in params.items()}
        prediction, (_, *hidden) = mlp.forward(these, x)
        return {
            "train_loss": self.loss.value(prediction - y),
            "test_loss": self.loss.value(mlp.forward(these, x_test)[0] - y_test),
            # No unit is below 0: a sum of 0 says that none is above it, and is found far sooner than a maximum.
            "dead_units": torch.cat([layer.sum(1) <= 0 for layer in hidden], dim=1).float().mean(1),
        }

    def mark(self, params: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return nothing."""
        return {}
