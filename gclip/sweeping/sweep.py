"""Which runs a sweep is made of: one network under many thresholds, over several seeds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from gclip import clipping
from gclip.clipping import Chain, ClipByNorm, ClipByValue, Clipper
from gclip.training import Config, RunConfig
from gclip.training.config import MAX_SEED, Real, Whole
from gclip.training.networks import network_of

MAX_RUNS = 600
"""Runs of one sweep, as many as one person may have waiting."""

MAX_SWEEP_WORK = 4e12
"""Bound on one sweep, in multiply-adds: ten of the largest single runs, some minutes of two cores."""

Kind = Literal["curve", "learning_rate", "both"]
"""A curve over thresholds; a map of threshold by learning rate; a map of norm by value threshold, both in one run."""

Rule = Literal["ClipByNorm", "ClipByTensorNorm", "ClipByValue", "AdaptiveGradientClip"]


class Sweep(BaseModel):
    """One network under ``count`` thresholds, from ``low`` to ``high``, even on a log scale, each over ``seeds`` seeds.

    Args:
        shared: all other settings; its rule and, in a map, its learning rate are replaced.
        kind: what varies beside the threshold.
        rule: whose threshold; for kind "both" always the norm, followed by the value.
        other_low, other_high, other_count: likewise for the second axis of a map.
        seeds: seeds for each cell, from those of ``shared`` upwards; the same for all cells.

    Raises:
        pydantic.ValidationError: for a field out of range, or a sweep too large.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shared: SerializeAsAny[Config] = RunConfig()
    kind: Kind = Field(default="curve", title="What varies")
    rule: Rule = Field(default="ClipByNorm", title="Clipping rule")
    low: Real = Field(default=0.01, ge=1e-6, le=1e6, title="Lowest threshold")
    high: Real = Field(default=1000.0, ge=1e-6, le=1e6, title="Highest threshold")
    count: Whole = Field(default=24, ge=2, le=48, title="Thresholds")
    other_low: Real = Field(default=1e-4, ge=1e-6, le=1e3, title="Lowest of the second axis")
    other_high: Real = Field(default=1.0, ge=1e-6, le=1e3, title="Highest of the second axis")
    other_count: Whole = Field(default=12, ge=2, le=24, title="Places of the second axis")
    seeds: Whole = Field(default=8, ge=1, le=20, title="Seeds")

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        for low, high in [("low", "high"), ("other_low", "other_high")][: 1 if self.kind == "curve" else 2]:
            if (lowest := getattr(self, low)) >= (highest := getattr(self, high)):
                raise ValueError(f"{low} is {lowest:g}; allowed is a number below {high}, which is {highest:g}")
        return self

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        last = MAX_SEED + 1 - self.seeds
        for name in ("init_seed", "batch_seed"):
            if (first := getattr(self.shared, name)) > last:
                raise ValueError(
                    f"{name} is {first}; allowed is a number up to {last}, for {self.seeds} seeds from there"
                )
        return self

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        runs = len(self.thresholds) * len(self.others) * self.seeds
        if runs > MAX_RUNS:
            raise ValueError(
                f"seeds is {self.seeds}: {runs} runs in all; allowed are {MAX_RUNS}. Take fewer seeds or thresholds"
            )
        work = runs * self.shared.work
        if work > MAX_SWEEP_WORK:
            raise ValueError(
                f"count is {self.count}: {work:.1e} multiply-adds in all; allowed are {MAX_SWEEP_WORK:.0e}. "
                f"Take fewer thresholds, seeds or {self.unit}s, or a smaller network"
            )
        return self

    @property
    def network(self) -> str:
        """The network of `gclip.training.networks` that its runs are a variant of."""
        return network_of(self.shared)

    @property
    def unit(self) -> str:
        """What the length of training is counted in: recurrent networks draw fresh batches and know no epochs."""
        return "step" if self.shared.RECURRENT else "epoch"

    def length(self, epochs: int) -> int:
        """Return the length of training up to an evaluation, in this unit."""
        return epochs * self.shared.steps_per_epoch if self.shared.RECURRENT else epochs

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The first axis: thresholds of ``rule``, rounded to three digits."""
        return _even(self.low, self.high, self.count)

    @property
    def others(self) -> tuple[float, ...]:
        """The second axis: learning rates or value thresholds; the one learning rate for a curve."""
        if self.kind == "curve":
            return (self.shared.learning_rate,)
        return _even(self.other_low, self.other_high, self.other_count)

    def clipper(self, threshold: float, other: float) -> Clipper:
        """Return the rule of one cell."""
        if self.kind == "both":
            return Chain(ClipByNorm(threshold), ClipByValue(other))
        return clipping.CLIPPERS[self.rule](threshold)

    def cell(self, threshold: float, other: float) -> list[Config]:
        """Return the runs of one cell, one for each seed."""
        changes: dict[str, Any] = {"clipper": self.clipper(threshold, other)}
        if self.kind == "learning_rate":
            changes["learning_rate"] = other
        usual = self.shared.model_dump() | changes
        return [
            type(self.shared)(**usual | {n: getattr(self.shared, n) + seed for n in ("init_seed", "batch_seed")})
            for seed in range(self.seeds)
        ]

    def configs(self) -> list[Config]:
        """Return all runs: for each place of the second axis, for each threshold, for each seed."""
        return [config for other in self.others for t in self.thresholds for config in self.cell(t, other)]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(places of the second axis, thresholds, seeds), the order of `configs`."""
        return len(self.others), len(self.thresholds), self.seeds


@lru_cache(maxsize=256)
def _even(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(dict.fromkeys(float(f"{value:.3g}") for value in np.geomspace(low, high, count)))
