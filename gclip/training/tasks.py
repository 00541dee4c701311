"""What the loop trains: one task for each kind of settings, behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Protocol

from torch import Tensor

from gclip.training.config import Config, RunConfig
from gclip.training.recurrence import Recurrence
from gclip.training.recurrent_config import RecurrentConfig
from gclip.training.regression import Regression


class Task(Protocol):
    """The data and the network of a stack of lanes; every tensor has the lanes in front.

    ``STRETCH`` is how many steps are measured at once.
    """

    STRETCH: ClassVar[int]

    def __init__(self, configs: Sequence[Any]) -> None: ...

    @staticmethod
    def shapes(config: Any) -> dict[str, tuple[int, ...]]:
        """Return the parameters' names and shapes."""
        ...

    @staticmethod
    def initialise(config: Any) -> dict[str, Tensor]:
        """Return one lane's fresh parameters."""
        ...

    @staticmethod
    def baseline(config: Any) -> tuple[float, float]:
        """Return the train and test loss of the best constant answer: what a useful network must beat."""
        ...

    @staticmethod
    def extras(config: Any) -> dict[str, int]:
        """Return the width of each array that only this task records, by name."""
        ...

    def batches(self) -> Iterator[Any]:
        """Yield the batch of every step of the run."""
        ...

    def gradients(self, params: Mapping[str, Tensor], batch: Any, raw: Mapping[str, Tensor]) -> Tensor:
        """Write d loss / d parameter into ``raw`` and return the losses ``[lanes]``."""
        ...

    def inside(self, lanes: slice) -> dict[str, Tensor] | None:
        """Return the last step's gradients of lanes whose rule clips inside the backward pass, or None."""
        ...

    def evaluate(self, params: Mapping[str, Tensor], losses: Tensor) -> dict[str, Tensor]:
        """Return train_loss, test_loss and dead_units ``[lanes]`` and extras, given the losses since the last time."""
        ...

    def mark(self, params: Mapping[str, Tensor], batch: Any) -> dict[str, Tensor]:
        """Return the extras ``[lanes, width]`` that are measured at marked steps."""
        ...


MAX_LANES = 256
MAX_ELEMENTS = 2**27
"""More lanes gain no time, and half a gigabyte of numbers is what a small server can spare for a stack."""

TASKS: dict[type[Config], type[Task]] = {RunConfig: Regression, RecurrentConfig: Recurrence}


def task_of(config: Config) -> type[Task]:
    """Return the task that a run's settings describe."""
    return TASKS[type(config)]


def most_lanes(config: Config) -> int:
    """Return how many runs of this size may be trained as one stack, so that it fits into memory: 1 to `MAX_LANES`.

    A lane keeps its parameters and gradients on a tape, the units of all layers for one batch, and data of its own.
    """
    weights = sum(map(prod, task_of(config).shapes(config).values()))
    units = config.batch_size * config.hidden_units * (getattr(config, "hidden_layers", 1))
    data = getattr(config, "n_samples", 0) * getattr(config, "n_features", 0)
    return min(MAX_LANES, max(1, MAX_ELEMENTS // (8 * weights + 4 * units + data)))


def restore(fields: Mapping[str, Any]) -> Config:
    """Return the settings that `pydantic.BaseModel.model_dump` wrote.

    Raises:
        pydantic.ValidationError: for a field out of range.
    """
    only_recurrent = RecurrentConfig.model_fields.keys() - RunConfig.model_fields.keys()
    return (RecurrentConfig if only_recurrent & fields.keys() else RunConfig)(**fields)
