"""What one run is: a frozen, validated value whose hash names it everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

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
from gclip.clipping import NoClip, quoted

NUMERICS_VERSION = 3
"""Raised whenever the same config would give other numbers: older stored runs are then trained anew."""

MAX_SEED = 2**31 - 1

MAX_STEPS = 20_000
MAX_WORK = 4e11
"""Bounds on one run, in steps and in multiply-adds, so that one learner cannot hold a class up."""


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
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), BeforeValidator(_canonical_number)]
Whole = Annotated[int, BeforeValidator(_canonical_number)]
Real = Annotated[float, BeforeValidator(_canonical_number)]


class Config(BaseModel):
    """One network trained once under one rule: what every problem's settings have in common.

    Equal configs give equal numbers, so `key` is what a run is cached, stored, shared and asked for by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    LANEWISE: ClassVar[frozenset[str]] = frozenset({"clipper", "learning_rate", "momentum", "init_seed", "batch_seed"})
    """Fields in which runs may differ and still be trained together, as lanes of one stacked batch."""

    RECURRENT: ClassVar[bool] = False
    """Whether the gradient flows back through time steps."""

    clipper: ClipperField = Field(default=NoClip(), title="Clipping rule")
    learning_rate: Real = Field(default=0.01, gt=0, le=1000, title="Learning rate")
    momentum: Real = Field(default=0.9, ge=0, lt=1, title="Momentum")
    optimizer: Literal["SGD", "Adam", "RMSprop"] = Field(default="SGD", title="Optimizer")
    batch_size: Whole = Field(default=32, ge=1, le=1000, title="Batch size")
    hidden_units: Whole = Field(default=25, ge=1, le=512, title="Hidden units")
    init_seed: Seed = Field(default=0, title="Initialisation seed")
    batch_seed: Seed = Field(default=0, title="Batch seed")

    @model_validator(mode="after")
    def _check_clipper(self) -> Self:
        if type(self.clipper) not in clipping.CLIPPERS.values():
            raise ValueError(f"clipper is {quoted(self.clipper)}; allowed are {', '.join(clipping.CLIPPERS)}")
        if missing := sorted(clipping.layers(self.clipper) - set(self.layers)):
            raise ValueError(
                f"clipper names the layer {quoted(missing[0])}; this network has {' and '.join(self.layers)}"
            )
        if clipping.derivative_clip(self.clipper) and not self.RECURRENT:
            raise ValueError("clipper is ClipDerivative, which acts inside a recurrent network; this is none")
        return self

    @property
    def key(self) -> str:
        """Sixteen hex digits that name this run: a hash of all fields and of the numerics version."""
        canonical = json.dumps([NUMERICS_VERSION, self.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def stack_key(self) -> Hashable:
        """What runs must share to be trained together as lanes."""
        cls = type(self)
        return cls.__name__, *[getattr(self, name) for name in cls.model_fields if name not in cls.LANEWISE]

    if TYPE_CHECKING:
        # Each problem has these as a field or as a property, whichever of them its settings give.
        @property
        def steps(self) -> int:
            """Steps in the whole run."""
            ...

        @property
        def steps_per_epoch(self) -> int:
            """Steps from one evaluation to the next."""
            ...

        @property
        def epochs(self) -> int:
            """Evaluations in the whole run."""
            ...

        @property
        def layers(self) -> tuple[str, ...]:
            """Names of the network's layers, from input to output."""
            ...

        @property
        def work(self) -> float:
            """Multiply-adds of the whole run, forward and backward."""
            ...


class RunConfig(Config):
    """One regression MLP trained once under one rule; the defaults are the tutorial's exploding run.

    Loss is per row: the mean over a batch; targets are raw unless ``standardize_target``.

    Raises:
        pydantic.ValidationError: for a field out of range; `explain` turns it into plain sentences.
    """

    LANEWISE: ClassVar[frozenset[str]] = Config.LANEWISE | {
        "data_seed",
        "noise",
        "n_informative",
        "standardize_target",
        "standardize_inputs",
    }

    loss: Literal["MSE", "MAE", "Huber"] = Field(default="MSE", title="Loss")
    epochs: Whole = Field(default=100, ge=1, le=2000, title="Epochs")  # type: ignore[assignment]
    hidden_layers: Whole = Field(default=1, ge=1, le=8, title="Hidden layers")
    standardize_target: bool = Field(default=False, title="Standardize target")
    standardize_inputs: bool = Field(default=False, title="Standardize inputs")
    n_samples: Whole = Field(default=1000, ge=20, le=10_000, title="Samples")
    n_features: Whole = Field(default=20, ge=1, le=200, title="Features")
    n_informative: Whole = Field(default=10, ge=1, le=200, title="Informative features")
    noise: Real = Field(default=0.1, ge=0, le=1000, title="Noise")
    data_seed: Seed = Field(default=1, title="Data seed")

    @model_validator(mode="after")
    def _check_size(self) -> Self:
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
    def layers(self) -> tuple[str, ...]:
        """Names of the network's layers, from input to output."""
        if self.hidden_layers == 1:
            return ("hidden", "output")
        return (*[f"hidden{i + 1}" for i in range(self.hidden_layers)], "output")

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


def explain(error: ValidationError, kind: type[BaseModel] | None = None) -> list[str]:
    """Return one plain sentence per refused field: its name, the value, and what is allowed.

    Args:
        kind: what was refused; by default the kind of `Config` that the error names.
    """
    kinds = {kind.__name__: kind for kind in Config.__subclasses__()}
    return [_sentence(problem, kind or kinds.get(error.title, RunConfig)) for problem in error.errors()]


def read_field(name: str, text: str, kind: type[BaseModel] = RunConfig) -> Any:
    """Return the value that ``text`` gives the field ``name``.

    Raises:
        ValueError: a sentence that names the field, the text and what is allowed.
    """
    info = kind.model_fields[name]
    annotation: Any = Annotated[info.annotation, Field(), *info.metadata]  # type: ignore[valid-type]
    adapter = TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
    try:
        return adapter.validate_python(text)
    except ValidationError:
        raise ValueError(_refusal(name, text, kind)) from None


def allowed(name: str, kind: type[BaseModel] = RunConfig) -> str:
    """Say in words which values the field ``name`` takes."""
    info = kind.model_fields[name]
    if get_origin(info.annotation) is Literal:
        return " or ".join(get_args(info.annotation))
    if info.annotation is bool:
        return "true or false"
    found = limits(info.metadata)
    words = {"gt": "above {}", "ge": "from {}", "lt": "below {}", "le": "up to {}", "multiple_of": "in steps of {}"}
    spans = [text.format(f"{found[bound]:,}".removesuffix(".0")) for bound, text in words.items() if bound in found]
    return " ".join(["a whole number" if info.annotation is int else "a number", *spans])


def limits(metadata: Iterable[Any]) -> dict[str, float]:
    """Return a field's bounds by name: gt, ge, lt, le, multiple_of."""
    names = ("gt", "ge", "lt", "le", "multiple_of")
    return {name: getattr(bound, name) for bound in metadata for name in names if hasattr(bound, name)}


def _sentence(problem: Any, kind: type[BaseModel]) -> str:
    where = ".".join(map(str, problem["loc"]))
    if where in ("", "clipper"):
        return problem["msg"].removeprefix("Value error, ").rstrip(".") + "."
    if problem["type"] == "extra_forbidden":
        return f"{where[:60]} is not a setting; allowed are {', '.join(kind.model_fields)}."
    return _refusal(where, problem["input"], kind)


def _refusal(name: str, value: Any, kind: type[BaseModel]) -> str:
    return f"{name} is {quoted(str(value))}; allowed is {allowed(name, kind)}."
