"""A rule laid flat: which rule acts on which layers, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

from gclip.clipping import Chain, ClipDerivative, Clipper, NoClip, PerLayer
from gclip.training import Config


class Act(NamedTuple):
    """A rule that changes a gradient, the layers it acts on (None for all), and what ends its constants' names."""

    rule: Clipper
    layers: tuple[str, ...] | None
    suffix: str = ""

    @property
    def values(self) -> dict[str, float]:
        """The rule's hyperparameters; the usual norm goes without saying."""
        values = {spec.name: getattr(self.rule, spec.name) for spec in fields(self.rule)}
        return {name: value for name, value in values.items() if (name, value) != ("norm_type", 2)}

    @property
    def names(self) -> dict[str, str]:
        """The name of each hyperparameter's constant."""
        return {name: name.upper() + self.suffix for name in self.values}

    @property
    def constants(self) -> dict[str, object]:
        """The constants by name."""
        return {self.names[name]: value for name, value in self.values.items()}


def acts_of(config: Config) -> list[Act]:
    """Return what is done to the finished gradient; if it is more than one thing, constants are numbered."""
    found = [act for act in _flat(config.clipper, config.layers, None) if not isinstance(act.rule, ClipDerivative)]
    return [act._replace(suffix=f"_{i}" if len(found) > 1 else "") for i, act in enumerate(found, 1)]


def constants_of(acts: Sequence[Act]) -> dict[str, object]:
    """Return the constants of all acts, by name."""
    return {name: value for act in acts for name, value in act.constants.items()}


def rules_of(rule: Clipper) -> list[Clipper]:
    """Return the rules that change a gradient, in order: chains are laid flat, `NoClip` is left out."""
    if isinstance(rule, Chain):
        return [part for member in rule.rules for part in rules_of(member)]
    return [] if isinstance(rule, NoClip) else [rule]


def _flat(rule: Clipper, layers: tuple[str, ...], where: tuple[str, ...] | None) -> list[Act]:
    return [act for part in rules_of(rule) for act in _by_layer(part, layers, where)]


def _by_layer(rule: Clipper, layers: tuple[str, ...], where: tuple[str, ...] | None) -> list[Act]:
    if not isinstance(rule, PerLayer):
        return [Act(rule, where)]
    rest = tuple(name for name in layers if name not in rule.names)
    parts = [(rule.rest, rest), *[(member, (name,)) for name, member in rule.layers]]
    return [act for member, part in parts if part for act in _flat(member, layers, part)]
