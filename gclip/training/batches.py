"""Which rows each lane sees at each step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from gclip.training.config import Config, RunConfig
from gclip.training.problems import data_key, make_data

Settings = TypeVar("Settings", bound=Config)


def distinct(configs: Sequence[Settings], key: Callable[[Settings], Hashable]) -> tuple[list[Settings], Tensor]:
    """Return one config for each value of ``key``, and for each lane the position of its own ``[lanes]``."""
    first: dict[Hashable, Settings] = {}
    for config in configs:
        first.setdefault(key(config), config)
    order = {value: i for i, value in enumerate(first)}
    return list(first.values()), torch.tensor([order[key(config)] for config in configs])


class Batches:
    """The lanes' data, reshuffled each epoch by each lane's batch seed; lanes that share rows share the memory."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self.config, self.lanes = configs[0], len(configs)
        inputs, self.x_of = distinct(configs, lambda c: (data_key(c), c.standardize_inputs))
        targets, self.y_of = distinct(configs, lambda c: (data_key(c), c.standardize_target))
        self.x = torch.stack([make_data(config).x_train for config in inputs])
        self.y = torch.stack([make_data(config).y_train for config in targets])
        self.x_test = torch.stack([make_data(config).x_test for config in inputs])
        self.y_test = torch.stack([make_data(config).y_test for config in targets])
        orders, self.order_of = distinct(configs, lambda c: c.batch_seed)
        self.generators = [torch.Generator().manual_seed(config.batch_seed) for config in orders]
        self.shared = len(inputs) == 1 and len(orders) == 1

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch's batches: inputs ``[lanes, rows, features]`` and targets ``[lanes, rows]``."""
        n, size = self.config.n_train, self.config.batch_size
        orders = torch.stack([torch.randperm(n, generator=generator) for generator in self.generators])
        if self.shared:
            x, y = self.x[0, orders[0]].expand(self.lanes, -1, -1), self.y[:, orders[0]][self.y_of]
            yield from zip(x.split(size, dim=1), y.split(size, dim=1), strict=True)
            return
        for rows in orders[self.order_of].split(size, dim=1):
            yield self.x[self.x_of[:, None], rows], self.y[self.y_of[:, None], rows]

    def halves(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the whole training half, then the whole test half, shaped as a batch."""
        for x, y in ((self.x, self.y), (self.x_test, self.y_test)):
            yield (x.expand(self.lanes, -1, -1) if len(x) == 1 else x[self.x_of]), y[self.y_of]
