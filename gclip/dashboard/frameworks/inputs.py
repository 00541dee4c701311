"""What the learner edits on the Frameworks page: a gradient of two tensors and the settings of the calls, as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gclip.clipping import quoted

Grads = dict[str, Tensor]
"""A gradient: its tensors ``weight`` and ``bias``, each ``[1, elements]`` in float32, as libraries have them."""

MOST_ELEMENTS = 3
LARGEST = torch.finfo(torch.float32).max

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf|nan", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Inputs:
    """A gradient of two tensors, the threshold for every call, and how long the weights are."""

    weight: tuple[float, ...]
    bias: tuple[float, ...]
    threshold: float
    weight_length: float
    bias_length: float

    @property
    def raw(self) -> np.ndarray:
        """All elements of the gradient, the weight's first."""
        return np.array(self.weight + self.bias, dtype=np.float32)

    def grads(self) -> Grads:
        """Return the gradient as tensors."""
        return {name: torch.tensor([getattr(self, name)]) for name in ("weight", "bias")}

    def params(self) -> Grads:
        """Return weights of the lengths given; a rule looks at no more of them."""
        tensors = {name: torch.zeros_like(g) for name, g in self.grads().items()}
        tensors["weight"][0, 0], tensors["bias"][0, 0] = self.weight_length, self.bias_length
        return tensors


def elements(text: str) -> tuple[float, ...]:
    """Return the numbers in ``text``, NaN and Inf among them; commas, blanks and one pair of brackets may stand by.

    Raises:
        ValueError: if that is not what ``text`` holds.
    """
    words = re.split(r"\s*,\s*|\s+", re.sub(r"^\s*\[(.*)\]\s*$", r"\1", text).strip())
    if not (len(text) <= 200 and 1 <= len(words) <= MOST_ELEMENTS and all(map(NUMBER.fullmatch, words))):
        raise ValueError
    numbers = tuple(map(float, words))
    if any("inf" not in word.lower() and abs(number) > LARGEST for word, number in zip(words, numbers, strict=True)):
        raise ValueError
    return numbers


def between(low: float, high: float) -> Callable[[str], float]:
    """Return a reader of one number from ``low`` to ``high``."""

    def read_one(text: str) -> float:
        numbers = elements(text)
        if len(numbers) != 1 or not low <= numbers[0] <= high:
            raise ValueError
        return numbers[0]

    return read_one


@dataclass(frozen=True)
class Field:
    """One text that the learner edits: its label, its default, how it is read, and what is allowed in words."""

    label: str
    default: str
    read: Callable[[str], Any]
    allowed: str


SOME = f"1 to {MOST_ELEMENTS} numbers with commas between them, each at most 3.4e38 in size, or nan, inf, -inf"
LENGTH = (between(0, 1e6), "a number from 0 to 1,000,000")

FIELDS = {
    "weight": Field("Gradient of the weight", "3, 4", elements, SOME),
    "bias": Field("Gradient of the bias", "0.5", elements, SOME),
    "threshold": Field("Threshold c for every call", "1", between(1e-3, 1e4), "a number from 0.001 to 10,000"),
    "weight_length": Field("Length of the weight, ‖w‖", "0.5", *LENGTH),
    "bias_length": Field("Length of the bias, ‖b‖", "0.1", *LENGTH),
}
"""The page's settings; each name is a widget's key and a parameter of the link."""

DEFAULTS = {name: field.default for name, field in FIELDS.items()}

EXAMPLES = {
    "Two tensors": ("3, 4", "0.5"),
    "One spike": ("10, 0.1, 0.1", "0.5"),
    "A NaN": ("nan, 4", "0.5"),
    "An Inf": ("inf, 4", "0.5"),
    "Norm overflows": ("3e20, 4e20", "0.5"),
    "Zero": ("0, 0", "0"),
}
"""Gradients to try, by name: the texts for the weight and the bias."""


def read(texts: Mapping[str, str], held: Mapping[str, str]) -> tuple[Inputs, dict[str, str], list[str]]:
    """Return what ``texts`` say, the texts in force, and a sentence for each that was refused.

    For a text that is refused, the one that ``held`` has stays in force, or else the default.
    """
    in_force, refused = DEFAULTS | dict(held), []
    for name, field in FIELDS.items():
        text = texts.get(name, field.default)
        try:
            field.read(text)
            in_force[name] = text
        except ValueError:
            refused.append(f"{field.label} is {quoted(text)}; allowed: {field.allowed}. It stays at {in_force[name]}.")
    return Inputs(**{name: field.read(in_force[name]) for name, field in FIELDS.items()}), in_force, refused


def unknown(names: Iterable[str]) -> list[str]:
    """Return a sentence for each parameter of a link that is none of this page's."""
    return [f"{quoted(name)} is not a setting of this page; it was ignored." for name in names]
