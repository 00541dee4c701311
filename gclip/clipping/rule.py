"""What every clipping rule is: a frozen dataclass that measures, chooses a threshold, and scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, field, fields
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]
"""Gradients or parameters by name; every tensor is ``[lanes, *shape]``."""

State = Any
"""What a rule remembers from step to step; a stateless rule remembers ``()``."""


class Clipped(NamedTuple):
    """What a rule hands back: new gradients, its new state, and the threshold ``[lanes]`` it held them to."""

    grads: dict[str, Tensor]
    state: State
    threshold: Tensor


class Clipper(Protocol):
    """A clipping rule: pure, deterministic, and blind to what the other lanes do."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def init(self, params: Tensors) -> State:
        """Return the state before the first step."""
        ...

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        """Return the number ``[lanes]`` that this rule compares with its threshold."""
        ...

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        """Return the clipped gradients, the next state and the threshold in force."""
        ...


def threshold(default: float, low: float, high: float, title: str) -> Any:
    """Declare a hyperparameter that must be > 0 and may differ from lane to lane; a slider goes from low to high."""
    return field(default=default, metadata={"low": low, "high": high, "title": title, "lanewise": True})


def setting(default: float, low: float, high: float, title: str, whole: bool = False) -> Any:
    """Declare a hyperparameter that is the same for all lanes of a family; a control goes from low to high."""
    return field(default=default, metadata={"low": low, "high": high, "title": title, "whole": whole})


QUOTES = ("'", '"')

SMALLEST = torch.finfo(torch.float32).tiny
"""What is smaller than this is zero to a float32 gradient."""


def check_thresholds(rule: Clipper) -> None:
    """Refuse a threshold that is not a number above 0, naming rule, field and value."""
    for spec in fields(rule):
        if spec.metadata.get("lanewise"):
            check(rule, spec.name, *ABOVE_ZERO)


Allowed = tuple[Callable[[float], bool], str]
"""Whether a number is allowed, and how to say which are."""

MOST = 1_000_000
"""No run is as long; larger whole numbers would only cost memory."""

ABOVE_ZERO: Allowed = (lambda number: number >= SMALLEST, "a number greater than 0")
FINITE: Allowed = (lambda number: SMALLEST <= number < math.inf, "a finite number greater than 0")
SHARE: Allowed = (lambda number: 0 < number < 1, "a number between 0 and 1")
COUNT: Allowed = (lambda number: 1 <= number <= MOST and number == int(number), f"a whole number from 1 to {MOST}")


def check(rule: Clipper, name: str, fits: Callable[[float], bool], allowed: str) -> None:
    """Refuse a hyperparameter that does not fit, else keep it as a float, or as an int if it counts something.

    A stacked one, a tensor, was checked before it was stacked.
    """
    if isinstance(getattr(rule, name), Tensor):
        return
    number = checked(rule, name, fits, allowed)
    whole = type(rule).__dataclass_fields__[name].metadata.get("whole") and math.isfinite(number)
    object.__setattr__(rule, name, int(number) if whole else number)


def checked(rule: Clipper, name: str, fits: Callable[[float], bool], allowed: str) -> float:
    """Return a hyperparameter as a float.

    Raises:
        ValueError: a sentence with rule, field, value and what is allowed.
    """
    value = getattr(rule, name)
    try:
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not fits(number):
        raise ValueError(f"{type(rule).__name__}: {name} is {quoted(value)}; allowed is {allowed}.")
    return number


def quoted(value: object) -> str:
    """Return a refused value as a sentence shows it: quoted if it is a text, and cut to 60 characters, escapes too."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:56]}...{shown[0] if shown[0] in QUOTES else ''}"


def as_lanes(value: float | Tensor, grads: Tensors) -> Tensor:
    """Return a threshold as one number per lane, ``[lanes]``; one that is already so is handed back as it is."""
    like = next(iter(grads.values()))
    if isinstance(value, Tensor) and value.dtype == like.dtype and value.dim() == 1:
        return value
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(like.shape[0])


def per_lane(lanes: Tensor, like: Tensor) -> Tensor:
    """Shape one number per lane ``[lanes]`` so that it multiplies ``like`` ``[lanes, *shape]`` lane by lane."""
    return lanes.view(-1, *[1] * (like.dim() - 1))


def scaled(grads: Tensors, coef: Tensor) -> dict[str, Tensor]:
    """Multiply by one factor per lane, ``coef [lanes]``, or by one per lane and tensor, ``[lanes, tensors]``."""
    coefs = coef.unbind(1) if coef.dim() == 2 else [coef] * len(grads)
    return {name: g * per_lane(c, g) for (name, g), c in zip(grads.items(), coefs, strict=True)}


def check_rules(name: str, rules: Iterable[Any]) -> None:
    """Refuse what is not a rule among those that the rule ``name`` is made of."""
    for rule in rules:
        if isinstance(rule, type) or not callable(getattr(rule, "clip", None)):
            raise ValueError(f"{name}: {quoted(rule)} is not a rule; allowed are rules such as ClipByNorm(1.0).")
