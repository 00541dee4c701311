"""Which rows each lane sees at each step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from math import gcd
from typing import TypeVar

import torch
from torch import Tensor

from gclip.training.config import Config, RunConfig
from gclip.training.problems import data_key, make_data

AT_ONCE = 2**22
"""Numbers that are gathered for a whole epoch: 16 MB; for more, each batch by itself."""

Settings = TypeVar("Settings", bound=Config)


def distinct(configs: Sequence[Settings], key: Callable[[Settings], Hashable]) -> tuple[list[Settings], Tensor]:
    """Return one config for each value of ``key``, and for each lane the position of its own ``[lanes]``."""
    first: dict[Hashable, Settings] = {}
    for config in configs:
        first.setdefault(key(config), config)
    order = {value: i for i, value in enumerate(first)}
    return list(first.values()), torch.tensor([order[key(config)] for config in configs])


class Batches:
    """The lanes' data, reshuffled each epoch by each lane's batch seed.

    Neighbouring lanes that see the same inputs make a block; all blocks are of one size, 1 if need be.
    """

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self.config, self.lanes = configs[0], len(configs)
        inputs, self.x_of = distinct(configs, lambda c: (data_key(c), c.standardize_inputs))
        targets, self.y_of = distinct(configs, lambda c: (data_key(c), c.standardize_target))
        self.x, self.x_test = _stacked((data.x_train, data.x_test) for data in map(make_data, inputs))
        self.y, self.y_test = _stacked((data.y_train, data.y_test) for data in map(make_data, targets))
        orders, self.order_of = distinct(configs, lambda c: c.batch_seed)
        self.generators = [torch.Generator().manual_seed(config.batch_seed) for config in orders]
        size = block_size([*zip(self.x_of.tolist(), self.order_of.tolist(), strict=True)])
        self.x_of_block, self.order_of_block = self.x_of[::size, None], self.order_of[::size]

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch's batches: inputs ``[blocks, rows, features]`` and targets ``[lanes, rows]``."""
        n, size = self.config.n_train, self.config.batch_size
        orders = torch.stack([torch.randperm(n, generator=generator) for generator in self.generators])
        y, rows = self.y[self.y_of[:, None], orders[self.order_of]], orders[self.order_of_block]
        yield from zip(self._inputs(rows, size), y.split(size, dim=1), strict=True)

    def _inputs(self, rows: Tensor, size: int) -> Iterator[Tensor]:
        """Yield the inputs of rows ``[blocks, n_train]``, a batch at a time; all gathered at once unless too many."""
        if rows.numel() * self.x.shape[-1] <= AT_ONCE:
            yield from self.x[self.x_of_block, rows].split(size, dim=1)
        else:
            yield from (self.x[self.x_of_block, batch] for batch in rows.split(size, dim=1))

    def halves(self, lanes: slice) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the whole training half, then the whole test half, ``[lanes, rows, ...]`` for a part of the lanes."""
        x_of, y_of = self.x_of[lanes], self.y_of[lanes]
        for x, y in ((self.x, self.y), (self.x_test, self.y_test)):
            yield (x.expand(len(x_of), -1, -1) if len(x) == 1 else x[x_of]), y[y_of]


def _stacked(halves: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    train, test = zip(*halves, strict=True)
    return torch.stack(train), torch.stack(test)


def block_size(seen: Sequence[Hashable]) -> int:
    """Return the largest size of equal blocks of neighbours that all see the same."""
    return gcd(*[len(list(same)) for _, same in groupby(seen)])
