"""What one run is: a frozen, validated value whose hash names it everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from gclip import clipping
from gclip.clipping import NoClip

NUMERICS_VERSION = 2
"""Raised whenever the same config would give other numbers: older stored runs are then trained anew."""

MAX_STEPS = 20_000
MAX_WORK = 4e11
"""Bounds on one run, in steps and in multiply-adds, so that one learner cannot hold a class up."""

LANEWISE = {"clipper", "learning_rate", "momentum", "init_seed", "batch_seed", "data_seed", "noise", "n_informative"}
LANEWISE |= {"standardize_target", "standardize_inputs"}
"""Fields in which runs may differ and still be trained together, as lanes of one stacked batch."""


def _clipper(value: Any) -> Any:
    if isinstance(value, str):
        return clipping.parse(value)
    if type(value) in clipping.CLIPPERS.values():
        # A rule that its text does not give back could neither be linked to nor stored.
        clipping.parse(repr(value))
    return value


def _canonical_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return 0.0 if isinstance(value, float) and value == 0 else value


ClipperField = Annotated[Any, BeforeValidator(_clipper), PlainSerializer(repr, return_type=str)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_canonical_number)]
Whole = Annotated[int, BeforeValidator(_canonical_number)]
Real = Annotated[float, BeforeValidator(_canonical_number)]


class RunConfig(BaseModel):
    """One network trained once under one rule; the defaults are the tutorial's exploding regression MLP.

    Equal configs give equal numbers, so `key` is what a run is cached, stored, shared and asked for by.
    Loss is per row: the mean over a batch; targets are raw unless ``standardize_target``.

    Raises:
        pydantic.ValidationError: for a field out of range; `explain` turns it into plain sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    clipper: ClipperField = Field(default=NoClip(), title="Clipping rule")
    learning_rate: Real = Field(default=0.01, gt=0, le=1000, title="Learning rate")
    momentum: Real = Field(default=0.9, ge=0, lt=1, title="Momentum")
    optimizer: Literal["SGD", "Adam", "RMSprop"] = Field(default="SGD", title="Optimizer")
    loss: Literal["MSE", "MAE", "Huber"] = Field(default="MSE", title="Loss")
    epochs: Whole = Field(default=100, ge=1, le=2000, title="Epochs")
    batch_size: Whole = Field(default=32, ge=1, le=1000, title="Batch size")
    hidden_units: Whole = Field(default=25, ge=1, le=512, title="Hidden units")
    hidden_layers: Whole = Field(default=1, ge=1, le=8, title="Hidden layers")
    standardize_target: bool = Field(default=False, title="Standardize target")
    standardize_inputs: bool = Field(default=False, title="Standardize inputs")
    n_samples: Whole = Field(default=1000, ge=20, le=10_000, title="Samples")
    n_features: Whole = Field(default=20, ge=1, le=200, title="Features")
    n_informative: Whole = Field(default=10, ge=1, le=200, title="Informative features")
    noise: Real = Field(default=0.1, ge=0, le=1000, title="Noise")
    data_seed: Seed = Field(default=1, title="Data seed")
    init_seed: Seed = Field(default=0, title="Initialisation seed")
    batch_seed: Seed = Field(default=0, title="Batch seed")

    @model_validator(mode="after")
    def _check_whole(self) -> RunConfig:
        if type(self.clipper) not in clipping.CLIPPERS.values():
            raise ValueError(f"clipper is {self.clipper!r}; allowed are {', '.join(clipping.CLIPPERS)}")
        if self.steps > MAX_STEPS:
            raise ValueError(
                f"epochs is {self.epochs} at batch_size {self.batch_size}: {self.steps:,} steps; "
                f"allowed are {MAX_STEPS:,}. Take fewer epochs or larger batches"
            )
        if self.work > MAX_WORK:
            raise ValueError(
                f"hidden_units is {self.hidden_units} in {self.hidden_layers} layers over {self.epochs} epochs: "
                f"{self.work:.1e} multiply-adds; allowed are {MAX_WORK:.0e}. Take a smaller network or fewer epochs"
            )
        return self

    @property
    def n_train(self) -> int:
        """Rows trained on: the first half; the second half is the test set."""
        return self.n_samples // 2

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one epoch; the last one may be on a smaller batch."""
        return -(-self.n_train // self.batch_size)

    @property
    def steps(self) -> int:
        """Steps in the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def work(self) -> float:
        """Multiply-adds of the whole run, forward and backward."""
        weights = self.hidden_units * (self.n_features + 1 + self.hidden_units * (self.hidden_layers - 1))
        return 3.0 * self.epochs * self.n_train * weights

    @property
    def key(self) -> str:
        """Sixteen hex digits that name this run: a hash of all fields and of the numerics version."""
        canonical = json.dumps([NUMERICS_VERSION, self.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def stack_key(self) -> Hashable:
        """What runs must share to be trained together as lanes."""
        return tuple(getattr(self, name) for name in type(self).model_fields if name not in LANEWISE)


def explain(error: ValidationError) -> list[str]:
    """Return one plain sentence per refused field: its name, the value, and what is allowed."""
    return [_sentence(problem) for problem in error.errors()]


def read_field(name: str, text: str) -> Any:
    """Return the value that ``text`` gives the field ``name``.

    Raises:
        ValueError: a sentence that names the field, the text and what is allowed.
    """
    info = RunConfig.model_fields[name]
    kind: Any = Annotated[info.annotation, Field(), *info.metadata]  # type: ignore[valid-type]
    adapter = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    try:
        return adapter.validate_python(text)
    except ValidationError:
        raise ValueError(_refusal(name, text)) from None


def allowed(name: str) -> str:
    """Say in words which values the field ``name`` takes."""
    info = RunConfig.model_fields[name]
    if get_origin(info.annotation) is Literal:
        return " or ".join(get_args(info.annotation))
    if info.annotation is bool:
        return "true or false"
    limits = {type(bound).__name__: getattr(bound, type(bound).__name__.lower(), None) for bound in info.metadata}
    words = {"Gt": "above {}", "Ge": "from {}", "Lt": "below {}", "Le": "up to {}"}
    spans = [words[kind].format(f"{limits[kind]:,}") for kind in words if kind in limits]
    return " ".join(["a whole number" if info.annotation is int else "a number", *spans])


def _sentence(problem: Any) -> str:
    where = ".".join(map(str, problem["loc"]))
    if where in ("", "clipper"):
        return problem["msg"].removeprefix("Value error, ").rstrip(".") + "."
    if problem["type"] == "extra_forbidden":
        return f"{where[:60]} is not a setting; allowed are {', '.join(RunConfig.model_fields)}."
    return _refusal(where, problem["input"])


def _refusal(name: str, value: Any) -> str:
    return f"{name} is {str(value)[:60]!r}; allowed is {allowed(name)}."
